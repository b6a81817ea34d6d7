// MANIFEST, COLLECTION and ALIASES: what parses is written as the same bytes.
#include <algorithm>

#include "engine/aliases.h"
#include "engine/manifest.h"
#include "fuzz_folder.h"

using namespace asyncstore;

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
  if (const auto collection = engine::parse_collection("file", content); collection.ok()) {
    fuzz::must(engine::encode(collection.value()) == content);
  }
  if (const auto aliases = engine::parse_aliases("file", content); aliases.ok()) {
    fuzz::must(engine::encode(aliases.value()) == content);
  }
  uint64_t owner = 0;
  if (content.size() >= 24) {
    std::memcpy(&owner, content.data() + 16, sizeof owner);
  }
  const auto manifest =
      engine::parse_manifest("file", content, owner, what >> 1 & 3, 1 + (what >> 3 & 3));
  if (manifest.ok()) {
    fuzz::must(engine::encode(manifest.value()) == content);
  }
  return 0;
}
