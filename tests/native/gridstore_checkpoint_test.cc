// What a checkpoint owes the Gridstore: no flush after one that is committed or not, nobody knows.
#include <doctest/doctest.h>

#include <random>

#include "failing_storage.h"
#include "one_collection.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using asyncstore::storage_test::Call;
using asyncstore::storage_test::FailingStorage;
using asyncstore::storage_test::Fault;
using base::Code;

namespace {

// A store that has flushed once and has more to flush.
struct Fixture : OneCollection {
  Fixture() : OneCollection({make_field("a", 6)}, std::make_shared<FailingStorage>()) {
    upsert(40);
    REQUIRE(ok(store->optimize(collection)));
    upsert(40);
  }
  Completion upsert(int points) {
    UpsertBatch batch(fields);
    for (int i = 0; i < points; ++i) {
      batch.add(PointId::integer(random() % 100), {{0, random_vector(6, random)}});
    }
    Completion completion = write(batch.job());
    if (!completion.error) {
      batch.apply(model);
    }
    return completion;
  }
  std::vector<std::byte> manifest() const {
    return std::move(io::read_file(*storage, collection->manifest_path(), UINT32_MAX).value());
  }
  std::vector<std::string> payload_files() const {
    return storage->list(collection->values().folder(0)).value();
  }

  std::mt19937_64 random{1};
  Model model;
};

}  // namespace

TEST_CASE("gridstore checkpoint: a manifest that was not replaced leaves the old one in force") {
  for (const Fault& fault : {Fault{Call::rename, 1, EIO, 0, "MANIFEST.new"},
                             Fault{Call::write, 1, ENOSPC, 7, "MANIFEST.new"},
                             Fault{Call::sync, 1, EIO, 0, "MANIFEST.new"}}) {
    Fixture fixture;
    const auto before = fixture.manifest();
    fixture.storage->board().arm(fault);
    REQUIRE(fixture.store->optimize(fixture.collection).error.has_value());
    REQUIRE(fixture.storage->board().faults_met() == 1);
    CHECK(fixture.manifest() == before);
    CHECK(ok(fixture.upsert(10)));
    CHECK(ok(fixture.store->optimize(fixture.collection)));
    check_store(*fixture.store, fixture.collection, fixture.model, 1);
    fixture.open();
    check_store(*fixture.store, fixture.collection, fixture.model, 2);
  }
}

TEST_CASE("gridstore checkpoint: after a manifest that may count or not, nothing is flushed") {
  bool met = false;
  for (uint64_t at = 1; !met; ++at) {
    REQUIRE(at < 20);
    CAPTURE(at);
    Fixture fixture;
    const auto before = fixture.manifest();
    fixture.storage->board().arm({Call::sync_folder, at, EIO});
    const Completion completion = fixture.store->optimize(fixture.collection);
    // The last of the folders that it syncs is the manifest's, after the rename.
    met = completion.error && fixture.manifest() != before;
    if (!met) {
      continue;
    }
    CHECK(fixture.upsert(10).error->code == Code::failed);
    const auto files = fixture.payload_files();
    CHECK(fixture.store->optimize(fixture.collection).error->code == Code::failed);
    check_store(*fixture.store, fixture.collection, fixture.model, 3);
    CHECK(fixture.payload_files() == files);
    // Whichever manifest the disk kept.
    fixture.collection.reset();
    fixture.store.reset();
    SUBCASE("the new one") {}
    SUBCASE("the old one") {
      auto file = fixture.storage->open(fixture.folder / "store/collections/1/MANIFEST",
                                        io::Open::read_write);
      REQUIRE(file.value()->truncate(0).ok());
      REQUIRE(file.value()->write_at(0, before).ok());
    }
    fixture.open();
    check_store(*fixture.store, fixture.collection, fixture.model, 4);
    CHECK(ok(fixture.upsert(10)));
    CHECK(ok(fixture.store->optimize(fixture.collection)));
    check_store(*fixture.store, fixture.collection, fixture.model, 5);
  }
}
