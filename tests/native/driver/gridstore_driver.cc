// A Gridstore for tests/model/test_gridstore_model.py, by way of ctypes: small files, one thread.
//
// Calls give 0 or more, or -1 after an error, whose text error() tells.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gridstore/gridstore.h"

using asyncstore::base::Bytes;
using asyncstore::base::Status;
using asyncstore::gridstore::FlushPlan;
using asyncstore::gridstore::Gridstore;
using asyncstore::gridstore::Options;

namespace {

constexpr int64_t k_failed = -1;
constexpr int64_t k_absent = -2;

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): one thread, one message
std::string g_error;

struct Driven {
  std::unique_ptr<Gridstore> store;
  std::shared_ptr<int> holder = std::make_shared<int>();
  std::vector<std::shared_ptr<const void>> readers;  // that may still know old values
  std::unique_ptr<FlushPlan> plan;
  std::vector<std::byte> value;  // last read
};

int64_t failed(const std::string& message) {
  g_error = message;
  return k_failed;
}
int64_t outcome(const Status& status) {
  return status.ok() ? 0 : failed(status.error().message);
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED const char* gridstore_error() {
  return g_error.c_str();
}

// Opens what flush `number` left; null after an error.
EXPORTED Driven* gridstore_open(const char* folder, uint64_t number) {
  Options options;
  options.owner = 42;
  options.page_file_bytes = 24 << 10;
  options.region_blocks = 64;
  auto opened = Gridstore::open(asyncstore::io::make_posix_storage(), folder, options, number);
  if (!opened.ok()) {
    g_error = opened.error().message;
    return nullptr;
  }
  auto driven = std::make_unique<Driven>();
  driven->store = std::move(opened.value());
  return driven.release();
}

EXPORTED void gridstore_close(Driven* driven) {
  delete driven;
}

EXPORTED int64_t gridstore_put(Driven* driven, uint32_t slot, const void* value, uint64_t bytes) {
  return outcome(driven->store->put(slot, Bytes(static_cast<const std::byte*>(value), bytes)));
}

EXPORTED void gridstore_remove(Driven* driven, uint32_t slot) {
  driven->store->remove(slot);
}

// Ends a group. `reader`: somebody goes on reading what was there before.
EXPORTED int64_t gridstore_write_out(Driven* driven, int64_t reader) {
  const Status written = driven->store->write_out();
  if (reader != 0) {
    driven->readers.push_back(driven->holder);
  }
  driven->store->release(std::exchange(driven->holder, std::make_shared<int>()));
  return outcome(written);
}

EXPORTED void gridstore_end_readers(Driven* driven) {
  driven->readers.clear();
}

// The size of the value, which stays at gridstore_value() until the next call; -2: it has none.
// `own`: with what was put and not yet written.
EXPORTED int64_t gridstore_read(Driven* driven, uint32_t slot, int64_t own) {
  auto read = own != 0 ? driven->store->read_own(slot) : driven->store->read(slot);
  if (!read.ok()) {
    return failed(read.error().message);
  }
  if (!read.value()) {
    return k_absent;
  }
  driven->value = std::move(*read.value());
  return static_cast<int64_t>(driven->value.size());
}

EXPORTED const void* gridstore_value(Driven* driven) {
  return driven->value.data();
}

EXPORTED int64_t gridstore_slot_count(Driven* driven) {
  return driven->store->slot_count();
}

// The steps of a flush; planning gives 0 when there is nothing to flush.
EXPORTED int64_t gridstore_plan(Driven* driven) {
  driven->plan = driven->store->plan_flush();
  return driven->plan ? 1 : 0;
}
EXPORTED int64_t gridstore_prepare(Driven* driven, uint64_t number) {
  return outcome(driven->store->prepare(*driven->plan, number));
}
EXPORTED int64_t gridstore_finish(Driven* driven) {
  return outcome(driven->store->finish(*driven->plan));
}
EXPORTED void gridstore_committed(Driven* driven) {
  driven->store->committed(std::move(driven->plan));
}
EXPORTED void gridstore_abandon(Driven* driven) {
  driven->store->abandon(std::move(driven->plan));
}

// Whether checksums, pointers and free space are right; between groups.
EXPORTED int64_t gridstore_check(Driven* driven) {
  std::string wrong;
  const auto note = [&](const auto& error) { wrong += error.message + "; "; };
  const Gridstore& store = *driven->store;
  const Status checked =
      store.check(0, store.slot_count(), [&](uint32_t, const auto& error) { note(error); });
  if (!checked.ok()) {
    return outcome(checked);
  }
  if (!wrong.empty() || !store.damaged().empty()) {
    return failed("damaged: " + wrong);
  }
  return store.space_is_sound() ? 0 : failed("the blocks in use are not those of all values");
}
