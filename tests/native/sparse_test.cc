// Sparse vectors: their stored form, in operations, and through the engine.
#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/operation.h"
#include "one_collection.h"
#include "sparse/sparse_vector.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using base::Code;
using engine::Kind;
using engine::Operation;
using engine::OperationInput;
using engine::Schema;
using engine::SparseInput;
using engine::WriteJob;

namespace {

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();

std::vector<std::byte> stored(const std::vector<uint32_t>& indices,
                              const std::vector<float>& values) {
  std::vector<std::byte> target(sparse::stored_bytes(indices.size()));
  REQUIRE(sparse::encode(indices, values, 0, target.data()).ok());
  return target;
}

// Three points: {3: 1, 9: 2}, nothing, {} (a vector without elements).
struct Given {
  std::array<uint64_t, 4> offsets = {0, 2, 2, 2};
  std::array<uint32_t, 2> indices = {3, 9};
  std::array<float, 2> values = {1, 2};
  std::array<bool, 3> present = {true, false, true};

  SparseInput input(uint32_t number = 0) const {
    return {number, offsets.data(), indices.data(), values.data(), present.data()};
  }
  OperationInput operation(Kind kind = Kind::upsert) const {
    OperationInput operation;
    operation.kind = kind;
    for (uint64_t id = 1; id <= 3; ++id) {
      operation.ids.push_back(PointId::integer(id));
    }
    operation.sparse = {input()};
    return operation;
  }
};

base::Result<std::vector<std::byte>> encoded(const Schema& schema, const OperationInput& input) {
  std::vector<std::byte> payload(operation_bytes(schema, input));
  TRY(encode_operation(schema, {}, input, payload));
  return payload;
}

struct Fixture : OneCollection {
  Fixture() : OneCollection({make_field("a", 1)}) {}
  Completion write(const OperationInput& input, bool must_exist = false) {
    WriteJob job;
    job.operation = input;
    job.must_exist = must_exist;
    return OneCollection::write(std::move(job));
  }
  // Of points 1 to 3.
  engine::SparseVectors read() {
    const Completion completion = store->retrieve(
        collection, {PointId::integer(1), PointId::integer(2), PointId::integer(3)});
    REQUIRE(ok(completion));
    return std::get<engine::Rows>(completion.value).sparse.at(0);
  }
};

}  // namespace

TEST_CASE("sparse: the stored form keeps what it was given, and is checked") {
  const auto value = stored({0, 7, UINT32_MAX}, {0.5F, -1.0F, 3.0F});
  CHECK(value.size() == 24);
  CHECK(sparse::is_sound(value));
  CHECK(sparse::is_sound({}));
  for (size_t size = 1; size < value.size(); ++size) {
    // Of whole elements too: what were indices become values, or the other way round.
    CHECK((size % 8 != 0 || !sparse::is_sound(base::Bytes(value).first(size)) || size == 8));
  }
  std::array<std::byte, 64> target;
  const auto refused = [&](std::vector<uint32_t> indices, std::vector<float> values) {
    const auto status = sparse::encode(indices, values, 41, target.data());
    REQUIRE(!status.ok());
    CHECK(status.error().code == Code::invalid_argument);
    CHECK(status.error().message.find("point 41 of the batch") != std::string::npos);
  };
  refused({1, 1}, {1, 2});
  refused({2, 1}, {1, 2});
  refused({1}, {k_nan});
  refused({1}, {std::numeric_limits<float>::infinity()});
}

TEST_CASE("sparse: an operation and back") {
  const std::vector<segment::Field> fields = {make_field("a", 1)};
  const Schema schema(fields, 2);
  const Given given;
  OperationInput input = given.operation();
  input.sparse = {given.input(1), given.input(0)};
  const auto payload = encoded(schema, input);
  REQUIRE(payload.ok());
  const auto parsed = parse_operation(schema, static_cast<uint32_t>(Kind::upsert), payload.value());
  REQUIRE(parsed.ok());
  REQUIRE(parsed.value().kept.size() == 2);
  CHECK(parsed.value().kept[0].number == 1);
  CHECK(parsed.value().kept[1].number == 0);
  for (const auto& section : parsed.value().kept) {
    CHECK(section.values.present.has(0));
    CHECK(!section.values.present.has(1));
    CHECK(section.values.present.has(2));
    REQUIRE(section.values.value.size() == 2);
    const auto expected = stored({3, 9}, {1, 2});
    CHECK(std::ranges::equal(section.values.value[0], expected));
    CHECK(section.values.value[1].empty());
  }
  // A number that the collection does not have, and one that is there twice.
  CHECK(!parse_operation(Schema(fields, 1), static_cast<uint32_t>(Kind::upsert), payload.value())
             .ok());
  input.sparse = {given.input(0), given.input(0)};
  CHECK(
      !parse_operation(schema, static_cast<uint32_t>(Kind::upsert), encoded(schema, input).value())
           .ok());
  for (size_t size = 0; size < payload.value().size(); ++size) {
    REQUIRE(!parse_operation(schema, static_cast<uint32_t>(Kind::upsert),
                             base::Bytes(payload.value()).first(size))
                 .ok());
  }
}

TEST_CASE("sparse: noise never breaks the parser, and what parses is sound") {
  const std::vector<segment::Field> fields;
  const Schema schema(fields, 2);
  const Given given;
  OperationInput input = given.operation();
  input.sparse = {given.input(0), given.input(1)};
  const auto sound = encoded(schema, input).value();
  std::mt19937_64 random(11);
  for (uint64_t seed = 0; seed < 30'000; ++seed) {
    auto payload = sound;
    for (uint64_t flips = random() % 3 + 1; flips > 0; --flips) {
      const uint32_t value = random() % 2 == 0 ? static_cast<uint32_t>(random() % 12)
                                               : UINT32_MAX - static_cast<uint32_t>(random() % 3);
      std::memcpy(payload.data() + random() % (payload.size() / 4) * 4, &value, sizeof value);
    }
    const auto parsed = parse_operation(schema, 1 + seed % 5, payload);
    for (const auto& section :
         parsed.ok() ? parsed.value().kept : std::vector<engine::KeptVectors>()) {
      CAPTURE(seed);
      REQUIRE(section.number < 2);
      REQUIRE(section.values.value.size() == section.values.count);
      for (const auto& value : section.values.value) {
        REQUIRE(sparse::is_sound(value));
      }
    }
  }
}

TEST_CASE("sparse: stored, replaced, deleted, and there after reopening") {
  Fixture fixture;
  const Given given;
  const auto first = stored({3, 9}, {1, 2});
  REQUIRE(ok(fixture.write(given.operation())));
  for (int round = 0; round < 2; ++round) {
    const auto found = fixture.read();
    CHECK(found.field == 1);
    CHECK(found.present == std::vector<uint8_t>{1, 0, 1});
    CHECK(found.values[0] == first);
    CHECK(found.values[2].empty());
    fixture.open();
  }
  SUBCASE("set_vectors sets those that are given and leaves the others") {
    Given other;
    other.offsets = {0, 0, 2, 2};
    other.present = {false, true, false};
    REQUIRE(ok(fixture.write(other.operation(Kind::set_vectors), true)));
    for (int round = 0; round < 2; ++round) {
      const auto found = fixture.read();
      CHECK(found.present == std::vector<uint8_t>{1, 1, 1});
      CHECK(found.values[0] == first);
      CHECK(found.values[1] == first);
      fixture.open();
    }
  }
  SUBCASE("delete_vectors takes them and leaves the points") {
    OperationInput input = given.operation(Kind::delete_vectors);
    input.sparse = {{0, nullptr, nullptr, nullptr, nullptr}};
    REQUIRE(ok(fixture.write(input, true)));
    for (int round = 0; round < 2; ++round) {
      CHECK(fixture.read().present == std::vector<uint8_t>{0, 0, 0});
      CHECK(fixture.collection->view()->points == 3);
      fixture.open();
    }
  }
  SUBCASE("an upsert without them takes them") {
    OperationInput input = given.operation();
    input.sparse.clear();
    REQUIRE(ok(fixture.write(input)));
    CHECK(fixture.read().present == std::vector<uint8_t>{0, 0, 0});
  }
  SUBCASE("what is wrong is refused, and nothing of its operation is there") {
    Given wrong;
    wrong.indices = {9, 3};
    const Completion refused = fixture.write(wrong.operation());
    REQUIRE(refused.error.has_value());
    CHECK(refused.error->code == Code::invalid_argument);
    CHECK(fixture.read().values[0] == first);
  }
}
