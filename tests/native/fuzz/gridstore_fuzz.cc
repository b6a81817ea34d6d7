// A Gridstore one of whose files was changed: values as they were put, or errors. With checksums
// made right again values may be others, but nothing crashes.
#include <map>
#include <string>

#include "fuzz_folder.h"
#include "gridstore/gridstore.h"
#include "io/storage.h"

using namespace asyncstore;
using gridstore::Gridstore;

namespace {

constexpr uint32_t k_slots = 300;
uint64_t g_flush = 0;

gridstore::Options options() {
  gridstore::Options options;
  options.owner = 77;
  options.page_file_bytes = 16 << 10;
  options.region_blocks = 64;
  options.dictionary_bytes = 1 << 10;
  return options;
}

void put(Gridstore& store, uint32_t slot, uint32_t round) {
  const std::string value = "{\"slot\":" + std::to_string(slot) + ",\"words\":\"" +
                            std::string(slot % 90, static_cast<char>('a' + slot % 7)) +
                            std::to_string(slot * 7919 * round) + "\"}";
  if (store.reserve(value.size(), 1).ok()) {
    static_cast<void>(store.put(slot, base::bytes_of(value)).ok());
  }
}

bool flush(Gridstore& store, uint64_t number, bool finish) {
  auto plan = store.plan_flush();
  if (!plan || !store.prepare(*plan, number).ok()) {
    return false;
  }
  if (finish && !store.finish(*plan).ok()) {
    return false;
  }
  store.committed(std::move(plan));
  return true;
}

void make_store(const std::string& path) {
  auto store = std::move(Gridstore::open(io::make_posix_storage(), path, options(), 0).value());
  for (uint32_t round = 1; round <= 3; ++round) {
    for (uint32_t slot = 0; slot < k_slots; slot += round == 1 ? 1 : 5) {
      put(*store, slot, round);
      if (slot % 20 == 0) {
        fuzz::must(store->write_out().ok());
      }
    }
    fuzz::must(store->write_out().ok());
    fuzz::must(flush(*store, ++g_flush, round < 3));  // the last one is not finished
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::FuzzedFolder folder("gridstore", make_store);
  const std::string& path = folder.change(fuzz::Input(data, size));
  const auto opened = Gridstore::open(io::make_posix_storage(), path, options(), g_flush);
  if (!opened.ok()) {
    return 0;
  }
  Gridstore& store = *opened.value();
  const uint32_t slots = std::min(store.slot_count(), 4 * k_slots);
  for (uint32_t slot = 0; slot < slots; ++slot) {
    static_cast<void>(store.read(slot).ok());
  }
  static_cast<void>(store.check(0, slots, [](auto, const auto&) {}).ok());
  store.check_tracker([](auto, const auto&) {});
  for (uint32_t slot = 0; slot < k_slots; slot += 11) {
    put(store, slot, 9);
  }
  if (store.write_out().ok() && flush(store, g_flush + 1, true)) {
    for (uint32_t slot = 0; slot < k_slots; slot += 11) {
      static_cast<void>(store.read(slot).ok());
    }
  }
  return 0;
}
