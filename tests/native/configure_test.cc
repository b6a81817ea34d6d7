// The configuration of a collection that is there: replaced as a whole, by one change at a time.
#include <doctest/doctest.h>

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

Completion configure(OneCollection& one, const Text& expected, const Text& config) {
  return one.store->call([&](uint64_t ticket) {
    return one.store->engine().configure_collection(ticket, one.collection, expected, config);
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
