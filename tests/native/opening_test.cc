// How far opening a store has come, and ending it midway.
#include "engine/opening.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "closed_store.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using engine::Opening;

namespace {

// Tells of each file that is opened, by whatever thread, one after the other.
class WatchedStorage final : public io::Storage {
 public:
  explicit WatchedStorage(std::function<void(const std::string&)> opened)
      : opened_(std::move(opened)) {}

  base::Result<std::unique_ptr<io::File>> open(const std::string& path, io::Open mode) override {
    {
      const std::lock_guard lock(mutex_);
      opened_(path);
    }
    return storage_.open(path, mode);
  }
  base::Status rename(const std::string& from, const std::string& to) override {
    return storage_.rename(from, to);
  }
  base::Status remove(const std::string& path) override { return storage_.remove(path); }
  base::Status create_folder(const std::string& path) override {
    return storage_.create_folder(path);
  }
  base::Status remove_folder(const std::string& path) override {
    return storage_.remove_folder(path);
  }
  base::Result<std::vector<std::string>> list(const std::string& path) override {
    return storage_.list(path);
  }
  bool exists(const std::string& path) override { return storage_.exists(path); }
  base::Status sync_folder(const std::string& path) override { return storage_.sync_folder(path); }

 private:
  storage_test::FailingStorage storage_;
  std::mutex mutex_;
  std::function<void(const std::string&)> opened_;
};

engine::Options options_with(std::shared_ptr<Opening> opening) {
  auto options = ClosedStore::options();
  options.opening = std::move(opening);
  return options;
}

}  // namespace

TEST_CASE("opening: tells of all collections and all of their logs") {
  const ClosedStore closed(true);
  const auto opening = std::make_shared<Opening>();
  CHECK(opening->progress().collections == 0);
  uint64_t last = 0;
  const auto watched = std::make_shared<WatchedStorage>([&](const std::string&) {
    const Opening::Progress now = opening->progress();
    REQUIRE(now.log_bytes_replayed >= last);
    REQUIRE(now.log_bytes_replayed <= now.log_bytes);
    REQUIRE(now.collections_opened <= now.collections);
    last = now.log_bytes_replayed;
  });
  const auto store = std::move(Store::open(closed.copy(), options_with(opening), watched).value());
  const Opening::Progress end = opening->progress();
  CHECK(end.collections == 2);
  CHECK(end.collections_opened == 2);
  CHECK(end.log_bytes > 0);
  CHECK(end.log_bytes_replayed == end.log_bytes);
  check_store(*store, store->collection("c"), closed.model, 1);
}

TEST_CASE("opening: ended anywhere, it leaves what the next one opens") {
  const ClosedStore closed(true);
  uint64_t refused = 0;
  bool is_in_log = false;  // it was ended while the first log was replayed
  for (uint64_t at = 1;; ++at) {
    CAPTURE(at);
    const std::string path = closed.copy();
    const auto opening = std::make_shared<Opening>();
    uint64_t logs = 0;
    const auto watched = std::make_shared<WatchedStorage>([&](const std::string& file) {
      if (file.ends_with(".wal") && ++logs == at) {
        opening->stop();
      }
    });
    auto opened = Store::open(path, options_with(opening), watched);
    if (logs < at) {
      break;  // it has never been ended
    }
    if (!opened.ok()) {
      ++refused;
      CHECK(opened.error().code == base::Code::closed);
      const Opening::Progress progress = opening->progress();
      CHECK(progress.collections_opened < progress.collections);
      is_in_log =
          is_in_log || (progress.collections_opened == 0 && progress.log_bytes_replayed > 0);
    } else {
      opened.value().reset();
    }
    const auto store = std::move(Store::open(path, ClosedStore::options()).value());
    CHECK(store->engine().broken().empty());
    check_store(*store, store->collection("c"), closed.model, at);
  }
  CHECK(refused >= 2);
  CHECK(is_in_log);
}
