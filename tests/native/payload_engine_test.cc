// Payload through the engine: what is settled in a group, what is damaged, what check finds.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "engine/check.h"
#include "one_collection.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using base::Code;
using engine::Kind;
using engine::PayloadChange;
using engine::UpdateMode;
using engine::WriteJob;

namespace {

struct Fixture : OneCollection {
  Fixture() : OneCollection({make_field("a", 2), make_field("b", 1)}) {}
  std::string payload(uint64_t id) {
    const Completion completion = store->call([&](uint64_t ticket) {
      return store->engine().retrieve(ticket, collection, {PointId::integer(id)},
                                      Store::everything(*collection));
    });
    if (completion.error) {
      return "error: " + completion.error->message;
    }
    const auto& rows = std::get<engine::Rows>(completion.value);
    if (rows.ids.empty()) {
      return "no point";
    }
    return {reinterpret_cast<const char*>(rows.payloads[0].data()), rows.payloads[0].size()};
  }
};

const float g_values[] = {1, 2, 3, 4, 5, 6};

WriteJob upsert(std::vector<uint64_t> ids, std::string_view text,
                UpdateMode mode = UpdateMode::upsert) {
  WriteJob job;
  job.mode = mode;
  for (const uint64_t id : ids) {
    job.operation.ids.push_back(PointId::integer(id));
    job.operation.payloads.push_back(base::bytes_of(text));
  }
  job.operation.fields = {{0, g_values, nullptr}};
  return job;
}

WriteJob change(std::vector<uint64_t> ids, PayloadChange::Action action, std::string_view value) {
  WriteJob job;
  job.operation.kind = Kind::set_payload;
  job.must_exist = true;
  for (const uint64_t id : ids) {
    job.operation.ids.push_back(PointId::integer(id));
  }
  job.change.emplace();
  job.change->action = action;
  job.change->value = base::bytes_of(value);
  return job;
}

}  // namespace

TEST_CASE("payload: changes of one group see each other") {
  Fixture fixture;
  std::vector<uint64_t> tickets;
  tickets.push_back(fixture.submit(upsert({1, 2}, R"({"a":1})")));
  tickets.push_back(fixture.submit(change({1}, PayloadChange::Action::merge, R"({"b":2})")));
  tickets.push_back(fixture.submit(change({1, 2}, PayloadChange::Action::merge, R"({"c":3})")));
  tickets.push_back(fixture.submit(upsert({2}, R"({"z":0})")));
  tickets.push_back(fixture.submit(change({2}, PayloadChange::Action::merge, R"({"a":9})")));
  tickets.push_back(fixture.submit(upsert({1, 3}, R"({"new":1})", UpdateMode::insert_only)));
  tickets.push_back(fixture.submit(upsert({3, 4}, R"({"up":1})", UpdateMode::update_only)));
  for (const uint64_t ticket : tickets) {
    CHECK(ok(fixture.store->wait(ticket)));
  }
  for (int round = 0; round < 2; ++round) {
    CHECK(fixture.payload(1) == R"({"a":1,"b":2,"c":3})");
    CHECK(fixture.payload(2) == R"({"z":0,"a":9})");
    CHECK(fixture.payload(3) == R"({"up":1})");
    CHECK(fixture.payload(4) == "no point");
    fixture.open();
  }
}

TEST_CASE("payload: many concurrent changes of one point lose nothing") {
  Fixture fixture;
  REQUIRE(ok(fixture.write(upsert({1}, "{}"))));
  std::vector<std::string> texts;
  for (int i = 0; i < 60; ++i) {
    texts.push_back("{\"k" + std::to_string(i) + "\":" + std::to_string(i) + "}");
  }
  std::vector<uint64_t> tickets;
  for (const auto& text : texts) {
    tickets.push_back(fixture.submit(change({1}, PayloadChange::Action::merge, text)));
  }
  std::string expected;
  for (size_t i = 0; i < texts.size(); ++i) {
    REQUIRE(ok(fixture.store->wait(tickets[i])));
    expected += (i == 0 ? "" : ",") + texts[i].substr(1, texts[i].size() - 2);
  }
  CHECK(fixture.payload(1) == "{" + expected + "}");
}

TEST_CASE("payload: a point that is not there fails the whole change") {
  Fixture fixture;
  REQUIRE(ok(fixture.write(upsert({1}, R"({"a":1})"))));
  const Completion failed =
      fixture.write(change({1, 7}, PayloadChange::Action::merge, R"({"b":2})"));
  REQUIRE(failed.error);
  CHECK(failed.error->code == Code::point_not_found);
  CHECK(failed.error->message == "No point with id 7 found");
  CHECK(fixture.payload(1) == R"({"a":1})");
  // Deleted earlier in the same group.
  WriteJob removal = delete_job({PointId::integer(1)});
  const uint64_t removed = fixture.submit(std::move(removal));
  const uint64_t late = fixture.submit(change({1}, PayloadChange::Action::merge, R"({"b":2})"));
  CHECK(ok(fixture.store->wait(removed)));
  CHECK(fixture.store->wait(late).error);
  CHECK(fixture.payload(1) == "no point");
  REQUIRE(ok(fixture.write(upsert({1}, ""))));
  CHECK(fixture.payload(1).empty());
}

TEST_CASE("payload: vectors are replaced and removed apart from it") {
  Fixture fixture;
  REQUIRE(ok(fixture.write(upsert({1}, R"({"a":1})"))));
  WriteJob job;
  job.operation.kind = Kind::set_vectors;
  job.must_exist = true;
  job.operation.ids = {PointId::integer(1)};
  job.operation.fields = {{1, g_values + 4, nullptr}};
  REQUIRE(ok(fixture.write(job)));
  job.operation.kind = Kind::delete_vectors;
  job.operation.fields = {{0, nullptr, nullptr}};
  REQUIRE(ok(fixture.write(job)));
  for (int round = 0; round < 2; ++round) {
    const Completion found = fixture.store->retrieve(fixture.collection, {PointId::integer(1)});
    REQUIRE(ok(found));
    const auto& rows = std::get<engine::Rows>(found.value);
    CHECK(rows.vectors[0].present[0] == 0);
    CHECK(rows.vectors[1].values == std::vector<float>{5});
    CHECK(fixture.payload(1) == R"({"a":1})");
    CHECK(fixture.collection->statistics().rows_deleted == 1);
    fixture.open();
  }
}

TEST_CASE("payload: a damaged value is reported where it is read, and by check") {
  Fixture fixture;
  REQUIRE(ok(fixture.write(upsert({1, 2, 3}, R"({"some":"text that is long enough"})"))));
  fixture.collection.reset();
  fixture.store.reset();
  const std::string page = fixture.folder / "store/collections/1/payload/00000001.page";
  {
    const auto file = std::move(io::make_posix_storage()->open(page, io::Open::read_write).value());
    const std::byte noise{0xFF};
    REQUIRE(file->write_at(128 + 3, {&noise, 1}).ok());
  }
  fixture.open();
  REQUIRE(fixture.collection != nullptr);
  CHECK(fixture.payload(1).find("text") != std::string::npos);
  CHECK(fixture.payload(2).find("error: ") == 0);
  CHECK(fixture.payload(3).find("text") != std::string::npos);
  const auto findings = engine::check_collection(*fixture.collection, [] { return false; });
  REQUIRE(findings.ok());
  REQUIRE(findings.value().size() == 1);
  CHECK(findings.value()[0].kind == engine::DamageKind::value);
  CHECK(findings.value()[0].finding.file == page);
  CHECK(findings.value()[0].finding.text.find("the payload of point 2 is lost") !=
        std::string::npos);
  // Who writes it again has it back.
  REQUIRE(ok(fixture.write(change({2}, PayloadChange::Action::replace, R"({"new":1})"))));
  CHECK(fixture.payload(2) == R"({"new":1})");
}
