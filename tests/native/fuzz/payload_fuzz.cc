// Payload operations and paths: never a crash, and what comes out is valid.
#include <string_view>

#include "fuzz_folder.h"
#include "payload/payload.h"

using namespace asyncstore;
using payload::Path;

namespace {

void check(const base::Result<std::vector<std::byte>>& result) {
  fuzz::must(!result.ok() || payload::check(result.value()).ok());
}

void must_repeat(const base::Result<std::vector<std::byte>>& once,
                 const base::Result<std::vector<std::byte>>& twice) {
  fuzz::must(!once.ok() || (twice.ok() && once.value() == twice.value()));
}

}  // namespace

// An input is three texts with a zero byte between: payload, change, path.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t first = std::min(all.find('\0'), all.size());
  const size_t second = std::min(all.find('\0', first + 1), all.size());
  // Of their own, so that reads beyond them are seen.
  const std::string payload(all.substr(0, first));
  const std::string change(first < size ? all.substr(first + 1, second - first - 1) : "");
  const std::string path_text(second < size ? all.substr(second + 1) : "");
  const auto before = base::bytes_of(payload);
  const auto changes = base::bytes_of(change);
  static_cast<void>(payload::check(before).ok());
  const auto merged = payload::merge(before, changes);
  check(merged);
  if (merged.ok()) {
    must_repeat(merged, payload::merge(merged.value(), changes));
  }
  const auto path = Path::parse(path_text);
  if (!path.ok()) {
    return 0;
  }
  const std::vector<Path> paths = {path.value()};
  const auto at = payload::merge_at(before, path.value(), changes);
  check(at);
  if (at.ok()) {
    must_repeat(at, payload::merge_at(at.value(), path.value(), changes));
  }
  check(payload::replace_at(before, path.value(), changes));
  const auto removed = payload::remove(before, paths);
  check(removed);
  if (removed.ok()) {
    must_repeat(removed, payload::remove(removed.value(), paths));
  }
  check(payload::include(before, paths));
  check(payload::exclude(before, paths));
  return 0;
}
