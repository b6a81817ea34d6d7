// A store with one collection, "c", that a test opens again and again.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "quick_folder.h"
#include "store_fixture.h"

namespace asyncstore::engine_test {

struct OneCollection {
  explicit OneCollection(std::vector<segment::Field> the_fields,
                         std::shared_ptr<storage_test::FailingStorage> the_storage = nullptr,
                         const engine::Options& the_options = small_options())
      : fields(std::move(the_fields)), storage(std::move(the_storage)), options(the_options) {
    open();
    REQUIRE(ok(store->create("c", fields)));
    collection = store->collection("c");
  }
  void open() {
    collection.reset();
    store.reset();
    store = std::move(Store::open(folder / "store", options, storage).value());
    collection = store->collection("c");
  }
  uint64_t submit(engine::WriteJob job) {
    return store->submit(
        [&](uint64_t ticket) { return store->engine().write(ticket, collection, job); });
  }
  Completion write(engine::WriteJob job) { return store->wait(submit(std::move(job))); }

  storage_test::QuickFolder folder;
  std::vector<segment::Field> fields;
  std::shared_ptr<storage_test::FailingStorage> storage;
  engine::Options options;
  std::unique_ptr<Store> store;
  std::shared_ptr<engine::Collection> collection;
};

}  // namespace asyncstore::engine_test
