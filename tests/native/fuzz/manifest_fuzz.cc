// MANIFEST, COLLECTION and ALIASES: what parses is written as the same bytes. A body of an older
// store may end before what was not there then; it is written whole.
#include <algorithm>

#include "engine/aliases.h"
#include "engine/manifest.h"
#include "fuzz_folder.h"

using namespace asyncstore;

namespace {

base::Bytes body_of(base::Bytes content) {
  return content.subspan(16, content.size() - 20);
}

// `written` has all of `content`; what it has beyond that stands the next time.
template <typename Parse>
void must_stand(base::Bytes content, const std::vector<std::byte>& written, const Parse& parse) {
  fuzz::must(written.size() >= content.size() &&
             std::ranges::equal(body_of(content), body_of(written).first(body_of(content).size())));
  const auto again = parse("file", written);
  fuzz::must(again.ok() && engine::encode(again.value()) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint32_t what = input.number(1);
  auto content = input.rest();
  if (what & 0x80) {
    const auto magic = base::bytes_of(what & 0x40  ? std::string_view("ASALIAS1")
                                      : what & 0x1 ? std::string_view("ASMANIF1")
                                                   : std::string_view("ASCOLLN1"));
    content.insert(content.begin(), magic.begin(), magic.end());
    content.resize(std::max<size_t>(content.size() + 12, 20));
    std::copy(content.begin() + 8, content.end() - 12, content.begin() + 16);
    const uint32_t version = 1;
    std::memcpy(content.data() + 8, &version, sizeof version);
    fuzz::mend_checksums("MANIFEST", content);
  }
  if (const auto found = engine::parse_collection("file", content); found.ok()) {
    must_stand(content, engine::encode(found.value()), engine::parse_collection);
  }
  if (const auto found = engine::parse_aliases("file", content); found.ok()) {
    must_stand(content, engine::encode(found.value()), engine::parse_aliases);
  }
  uint64_t owner = 0;
  if (content.size() >= 24) {
    std::memcpy(&owner, content.data() + 16, sizeof owner);
  }
  const auto parse_manifest = [&](const std::string& path, base::Bytes bytes) {
    return engine::parse_manifest(path, bytes, owner, what >> 1 & 3, 1 + (what >> 3 & 3));
  };
  if (const auto found = parse_manifest("file", content); found.ok()) {
    must_stand(content, engine::encode(found.value()), parse_manifest);
  }
  return 0;
}
