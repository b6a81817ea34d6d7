// Filters through the engine: what a search sees of a moment, and writes that look at points.
#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/filter_sets.h"
#include "engine/passing_rows.h"
#include "one_collection.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using engine::Kind;
using engine::PassingRows;
using engine::PassingRowsBuilder;
using engine::WriteJob;
using filter::Filter;
using filter::SlotSet;

namespace {

const float g_values[] = {1, 2, 3, 4, 5, 6, 7, 8};

std::shared_ptr<const Filter> where(const char* path, const char* value) {
  return std::make_shared<const Filter>(
      Filter{{{filter::FieldCondition{payload::Path::parse(path).value(),
                                      {filter::MatchAny{filter::ValueSet({std::string(value)})}}}}},
             {},
             {},
             {}});
}

std::shared_ptr<const Filter> having(uint32_t vector) {
  return std::make_shared<const Filter>(Filter{{{filter::HasVector{vector}}}, {}, {}, {}});
}

WriteJob upsert(std::vector<uint64_t> ids, std::vector<std::string_view> texts,
                std::shared_ptr<const Filter> filter = nullptr) {
  WriteJob job;
  for (size_t i = 0; i < ids.size(); ++i) {
    job.operation.ids.push_back(PointId::integer(ids[i]));
    job.operation.payloads.push_back(base::bytes_of(texts[i]));
  }
  job.operation.fields = {{0, g_values, nullptr}};
  job.filter = std::move(filter);
  return job;
}

struct Fixture : OneCollection {
  Fixture() : OneCollection({make_field("a", 2), make_field("b", 1)}) {}

  std::set<uint64_t> matching(const std::shared_ptr<const Filter>& filter) {
    const Completion completion = store->call(
        [&](uint64_t ticket) { return store->engine().matching_ids(ticket, collection, filter); });
    REQUIRE_FALSE(completion.error);
    std::set<uint64_t> ids;
    for (const PointId& id : std::get<engine::Ids>(completion.value).ids) {
      ids.insert(id.low);
    }
    return ids;
  }
};

using Ids = std::set<uint64_t>;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "filter: an upsert changes only points that pass, and adds the others") {
  REQUIRE(ok(write(upsert({1, 2}, {R"({"k":"x"})", R"({"k":"y"})"}))));
  REQUIRE(ok(
      write(upsert({1, 2, 3}, {R"({"k":"n"})", R"({"k":"n"})", R"({"k":"n"})"}, where("k", "x")))));
  CHECK(matching(where("k", "n")) == Ids{1, 3});
  CHECK(matching(where("k", "y")) == Ids{2});
}

TEST_CASE_FIXTURE(Fixture, "filter: of an id that stands twice, the second sees the first") {
  REQUIRE(ok(write(upsert({1, 1}, {R"({"k":"x"})", R"({"k":"z"})"}, where("k", "x")))));
  CHECK(matching(where("k", "z")) == Ids{1});
  REQUIRE(ok(write(upsert({2, 2}, {R"({"k":"y"})", R"({"k":"z"})"}, where("k", "x")))));
  CHECK(matching(where("k", "y")) == Ids{2});
}

TEST_CASE_FIXTURE(Fixture, "filter: a write sees what its group has done before it") {
  // The first keeps the writer busy, so that the others make one group.
  std::vector<uint64_t> tickets;
  const std::string big = R"({"k":")" + std::string(1 << 20, 'a') + R"("})";
  tickets.push_back(submit(upsert({9}, {big})));
  tickets.push_back(submit(upsert({1}, {R"({"k":"x"})"})));
  tickets.push_back(submit(upsert({1}, {R"({"k":"y"})"}, where("k", "x"))));
  tickets.push_back(submit(upsert({1}, {R"({"k":"never"})"}, where("k", "x"))));
  tickets.push_back(submit(upsert({1}, {R"({"k":"z"})"}, having(0))));
  tickets.push_back(submit(upsert({1}, {R"({"k":"never"})"}, having(1))));
  WriteJob remove;
  remove.operation.kind = Kind::remove;
  remove.operation.ids = {PointId::integer(1), PointId::integer(9)};
  remove.filter = where("k", "z");
  tickets.push_back(submit(std::move(remove)));
  tickets.push_back(submit(upsert({1}, {R"({"k":"again"})"}, where("k", "x"))));
  for (const uint64_t ticket : tickets) {
    REQUIRE(ok(store->wait(ticket)));
  }
  CHECK(matching(where("k", "again")) == Ids{1});
  CHECK(matching(std::make_shared<const Filter>()) == Ids{1, 9});
}

TEST_CASE_FIXTURE(Fixture, "filter: a payload change by filter passes over points that are gone") {
  REQUIRE(ok(write(upsert({1, 2}, {R"({"k":"x"})", R"({"k":"y"})"}))));
  WriteJob job;
  job.operation.kind = Kind::set_payload;
  job.operation.ids = {PointId::integer(1), PointId::integer(2), PointId::integer(3)};
  job.filter = where("k", "x");
  job.change.emplace();
  const std::string_view text = R"({"new":"v"})";
  job.change->value = base::bytes_of(text);
  REQUIRE(ok(write(std::move(job))));
  CHECK(matching(where("new", "v")) == Ids{1});
  CHECK(matching(std::make_shared<const Filter>()) == Ids{1, 2});
}

TEST_CASE_FIXTURE(Fixture, "filter: rows are those of the view, though points have moved since") {
  REQUIRE(ok(write(upsert({1, 2, 3, 4}, {"{}", "{}", "{}", "{}"}))));
  const auto view = collection->view();
  // 2 is written anew, 3 loses its vector, 4 goes.
  REQUIRE(ok(write(upsert({2}, {"{}"}))));
  WriteJob without;
  without.operation.kind = Kind::delete_vectors;
  without.operation.ids = {PointId::integer(3)};
  without.operation.fields = {{0, nullptr, nullptr}};
  REQUIRE(ok(write(std::move(without))));
  auto passing = std::make_shared<SlotSet>(4);
  for (uint32_t slot = 0; slot < 4; ++slot) {
    passing->add(slot);
  }
  const auto& field = view->fields[0];
  PassingRowsBuilder builder({field, 0, view->lsn, collection->table()}, *passing);
  while (!builder.step()) {
  }
  const PassingRows rows = builder.take();
  std::multiset<uint32_t> slots;
  for (uint32_t segment = 0; segment < field.segments.size(); ++segment) {
    for (uint32_t row = 0; row < field.segments[segment].rows; ++row) {
      if (rows.has(segment, row)) {
        slots.insert(field.segments[segment].segment->slot(row));
      }
    }
  }
  CHECK(slots == std::multiset<uint32_t>{0, 1, 2, 3});
  CHECK(rows.count() == 4);
}

TEST_CASE_FIXTURE(Fixture, "filter: what ids decide needs no payload") {
  REQUIRE(ok(write(upsert({1, 2, 3, 4}, {"{}", "{}", "{}", "{}"}))));
  const filter::Condition some{filter::HasId{{PointId::integer(2), PointId::integer(3)}}};
  const filter::Condition unknown = where("k", "x")->must.front();
  const auto ids = engine::evaluate({{some}, {}, {}, {}}, *collection);
  CHECK(ids.sets.sure.count() == 2);
  CHECK(ids.sets.possible == ids.sets.sure);
  const auto both = engine::evaluate({{some, unknown}, {}, {}, {}}, *collection);
  CHECK(both.sets.sure.count() == 0);
  CHECK(both.sets.possible.count() == 2);
  CHECK(both.rest.must.size() == 1);
  const auto either = engine::evaluate({{}, {some, unknown}, {}, {}}, *collection);
  CHECK(either.sets.sure.count() == 2);
  CHECK(either.sets.possible.count() == 4);
  const auto not_ids = engine::evaluate({{}, {}, {some}, {}}, *collection);
  CHECK(not_ids.sets.sure.count() == 2);
  CHECK(not_ids.rest.must_not.empty());
  const auto two =
      engine::evaluate({{}, {}, {}, filter::MinShould{{some, some, unknown}, 2}}, *collection);
  CHECK(two.sets.sure.count() == 2);
  CHECK(two.sets.possible.count() == 2);
  const auto three =
      engine::evaluate({{}, {}, {}, filter::MinShould{{some, some, unknown}, 3}}, *collection);
  CHECK(three.sets.sure.count() == 0);
  CHECK(three.sets.possible.count() == 2);
}
