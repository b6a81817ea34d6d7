// A folder of log files, one of them changed: frames come in their order, or an error does.
#include <utility>

#include "fuzz_folder.h"
#include "io/storage.h"
#include "wal/log.h"

using namespace asyncstore;

namespace {

const wal::LogOptions g_options{512, wal::Durability::fsync, 77};

void make_log(const std::string& path) {
  auto log =
      std::move(wal::Log::open(io::make_posix_storage(), path, g_options, 0, [](auto, auto, auto) {
                  return base::Status();
                }).value());
  for (uint32_t i = 1; i <= 12; ++i) {
    log->begin_group();
    for (uint32_t frame = 0; frame < 2; ++frame) {
      const auto target = log->begin_frame(i % 5, 10 * i);
      std::fill(target.value().begin(), target.value().end(), std::byte(i));
      log->end_frame();
    }
    fuzz::must(log->commit().ok());
  }
  fuzz::must(log->forget_until(10).ok());  // so that there are files to be used again
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::FuzzedFolder folder("log", make_log);
  fuzz::Input input(data, size);
  const uint64_t applied = input.number(1) % 16 + 10;
  const std::string& path = folder.change(input);
  uint64_t last = applied;
  auto log = wal::Log::open(
      io::make_posix_storage(), path, g_options, applied,
      [&](uint64_t lsn, uint32_t, base::Bytes payload) {
        fuzz::must(lsn == ++last);
        return base::crc32c(payload) == 0 ? base::invalid_argument("no payload") : base::Status();
      });
  if (log.ok()) {
    fuzz::must(log.value()->last_lsn() >= applied);
    log.value()->begin_group();
    if (log.value()->begin_frame(1, 100).ok()) {
      log.value()->end_frame();
      static_cast<void>(log.value()->commit().ok());
    }
  }
  return 0;
}
