// The configuration of a collection that is there: replaced as a whole, by one change at a time.
#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "failing_storage.h"
#include "one_collection.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using asyncstore::storage_test::Call;
using asyncstore::storage_test::FailingStorage;
using base::Code;

namespace {

Text text_of(std::string_view text) {
  const auto bytes = base::bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

Completion configure(OneCollection& one, const Text& expected, const Text& config,
                     const engine::OptimizerOverrides& optimizers = {}) {
  return one.store->call([&](uint64_t ticket) {
    return one.store->engine().configure_collection(ticket, one.collection, expected, config,
                                                    optimizers);
  });
}

}  // namespace

TEST_CASE("configure: the one that is expected is replaced, and everything else stays") {
  OneCollection one({make_field("a", 3)});
  const engine::CollectionFile before = one.collection->file();
  const Text first = text_of("first");
  CHECK(std::get<bool>(configure(one, {}, first).value));
  CHECK(one.collection->config() == first);
  CHECK(one.collection->config_version() == 1);
  const Completion late = configure(one, {}, text_of("late"));
  REQUIRE_FALSE(late.error);
  CHECK_FALSE(std::get<bool>(late.value));
  CHECK(one.collection->config_version() == 1);
  CHECK(ok(one.store->check(one.collection, false)));
  one.open();
  engine::CollectionFile after = one.collection->file();
  CHECK(after.config == first);
  after.config = before.config;
  CHECK(encode(after) == encode(before));
}

TEST_CASE("configure: a deleted collection is not brought back") {
  OneCollection one({make_field("a", 3)});
  REQUIRE(ok(one.store->call(
      [&](uint64_t ticket) { return one.store->engine().delete_collection(ticket, "c"); })));
  CHECK(configure(one, {}, text_of("x")).error->code == Code::collection_not_found);
  one.open();
  CHECK(one.collection == nullptr);
}

TEST_CASE("configure: a change whose outcome nobody knows is the last one until the next open") {
  for (const Call call : {Call::open, Call::write, Call::sync, Call::rename, Call::sync_folder}) {
    CAPTURE(static_cast<int>(call));
    const auto storage = std::make_shared<FailingStorage>();
    OneCollection one({make_field("a", 3)}, storage);
    storage->board().arm({.call = call, .at = 1, .path_part = "/1"});
    CHECK(configure(one, {}, text_of("x")).error->code == Code::io);
    REQUIRE(storage->board().faults_met() == 1);
    CHECK(one.collection->config().empty());
    const bool unknown = call == Call::sync_folder;
    const Completion again = configure(one, {}, text_of("x"));
    REQUIRE(again.error.has_value() == unknown);
    CHECK((!unknown || again.error->code == Code::failed));
    one.open();
    CHECK(one.collection->config() == text_of("x"));
  }
}

// --- the optimizer's settings ---

namespace {

// 12 KB of vectors.
void fill(OneCollection& one, uint64_t first_id = 0) {
  UpsertBatch batch(one.fields);
  for (uint64_t id = first_id; id < first_id + 1000; ++id) {
    batch.add(PointId::integer(id), {{0, {1.0F, static_cast<float>(id), 2.0F}}});
  }
  REQUIRE(ok(one.write(batch.job())));
}

bool becomes(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition() && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  return condition();
}

uint64_t indexed(const OneCollection& one) {
  return one.collection->statistics().indexed_vectors;
}

}  // namespace

TEST_CASE("configure: what a collection has of its own goes before what the store has") {
  OneCollection one({make_field("a", 3)});
  const engine::OptimizerSettings of_store = one.options.optimizers;
  CHECK(one.collection->optimizers() == of_store);
  engine::OptimizerOverrides own;
  own.indexing_threshold_bytes = 0;
  own.flush_interval_s = 7;
  CHECK(std::get<bool>(configure(one, {}, text_of("x"), own).value));
  engine::OptimizerSettings expected = of_store;
  expected.indexing_threshold_bytes = 0;
  expected.flush_interval_s = 7;
  CHECK(one.collection->optimizers() == expected);
  CHECK(ok(one.store->check(one.collection, false)));
  // A change that comes too late changes neither.
  CHECK_FALSE(std::get<bool>(configure(one, {}, text_of("y")).value));
  CHECK(one.collection->optimizers() == expected);
  one.options.optimizers.vacuum_min_vector_number = expected.vacuum_min_vector_number = 77;
  one.open();
  CHECK(one.collection->optimizers() == expected);
  CHECK(std::get<bool>(configure(one, text_of("x"), text_of("z")).value));
  CHECK(one.collection->optimizers() == one.options.optimizers);
}

TEST_CASE("configure: a threshold that is set seals what is there, without another write") {
  auto options = small_options();
  options.optimizers.indexing_threshold_bytes = 0;
  OneCollection one({make_field("a", 3)}, nullptr, options);
  fill(one);
  REQUIRE(indexed(one) == 0);
  engine::OptimizerOverrides own;
  own.indexing_threshold_bytes = 1 << 10;
  REQUIRE(ok(configure(one, {}, text_of("x"), own)));
  CHECK(becomes([&] { return indexed(one) == 1000; }));
  // And the other way round: a checkpoint saves what came since, and seals nothing.
  own.indexing_threshold_bytes = 0;
  own.flush_interval_s = 0;
  REQUIRE(ok(configure(one, text_of("x"), text_of("y"), own)));
  fill(one, 1000);
  CHECK(becomes([&] { return !one.collection->unsaved(); }));
  CHECK(indexed(one) == 1000);
}

TEST_CASE("configure: one collection's settings are not another's") {
  auto options = small_options();
  options.optimizers.indexing_threshold_bytes = 0;
  OneCollection one({make_field("a", 3)}, nullptr, options);
  engine::OptimizerOverrides own;
  own.indexing_threshold_bytes = 1;
  REQUIRE(ok(one.store->call([&](uint64_t ticket) {
    return one.store->engine().create_collection(
        ticket, {"d", one.fields, {}, 0, {"words"}, {multivector_field()}, own});
  })));
  fill(one);
  const auto first = one.collection;
  one.collection = one.store->collection("d");
  fill(one);
  CHECK(becomes([&] { return indexed(one) == 1000; }));
  CHECK(first->statistics().indexed_vectors == 0);
}
