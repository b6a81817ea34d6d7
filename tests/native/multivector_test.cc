// Multivectors: their stored form, max_sim, in operations, and through the engine.
#include "multivector/multivector.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/operation.h"
#include "multivector/max_sim.h"
#include "one_collection.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using base::Code;
using engine::Kind;
using engine::MultivectorInput;
using engine::Operation;
using engine::OperationInput;
using engine::Schema;
using engine::WriteJob;
using segment::Datatype;
using segment::Distance;

namespace {

constexpr float k_infinity = std::numeric_limits<float>::infinity();

segment::Field field_of(uint32_t dim, Distance distance = Distance::dot,
                        Datatype datatype = Datatype::float32) {
  return {"rows", dim, distance, datatype, {}, {.m = 0}};
}

std::vector<std::byte> stored(const segment::Field& field, const std::vector<float>& rows) {
  segment::RowCodec codec(field);
  const uint64_t count = rows.size() / field.dim;
  std::vector<std::byte> target(count * segment::row_bytes(field));
  REQUIRE(multivector::encode(field, codec, rows.data(), count, 0, target.data()).ok());
  return target;
}

std::vector<float> random_rows(std::mt19937_64& random, size_t count) {
  std::normal_distribution<float> normal(0, 20);
  std::vector<float> rows(count);
  std::generate(rows.begin(), rows.end(), [&] { return normal(random); });
  return rows;
}

// Of float32 rows, in doubles.
double max_sim(const segment::Field& field, std::vector<float> query, std::vector<float> rows) {
  const size_t dim = field.dim;
  const auto normalize = [&](std::vector<float>& all) {
    for (size_t begin = 0; begin < all.size() && field.distance == Distance::cosine; begin += dim) {
      double squares = 0;
      for (size_t i = 0; i < dim; ++i) {
        squares += double{all[begin + i]} * all[begin + i];
      }
      for (size_t i = 0; i < dim && squares > 0; ++i) {
        all[begin + i] = static_cast<float>(all[begin + i] / std::sqrt(squares));
      }
    }
  };
  normalize(query);
  normalize(rows);
  double sum = 0;
  for (size_t q = 0; q < query.size(); q += dim) {
    double best = -std::numeric_limits<double>::infinity();
    for (size_t r = 0; r < rows.size(); r += dim) {
      double similarity = 0;
      for (size_t i = 0; i < dim; ++i) {
        const double a = query[q + i];
        const double b = rows[r + i];
        similarity += field.distance == Distance::euclid      ? -(a - b) * (a - b)
                      : field.distance == Distance::manhattan ? -std::abs(a - b)
                                                              : a * b;
      }
      best = std::max(best, similarity);
    }
    sum += best;
  }
  return sum;
}

// Three points: two rows, nothing, one row.
struct Given {
  std::array<uint64_t, 4> offsets = {0, 2, 2, 3};
  std::vector<float> rows = {1, 2, 3, 4, 5, 6};
  std::array<bool, 3> present = {true, false, true};

  OperationInput operation(Kind kind = Kind::upsert) const {
    OperationInput operation;
    operation.kind = kind;
    for (uint64_t id = 1; id <= 3; ++id) {
      operation.ids.push_back(PointId::integer(id));
    }
    operation.multivectors = {{0, offsets.data(), rows.data(), present.data()}};
    return operation;
  }
};

base::Result<std::vector<std::byte>> encoded(const Schema& schema, const OperationInput& input) {
  std::vector<segment::RowCodec> codecs;
  for (const auto fields : {schema.fields, schema.multivectors}) {
    for (const auto& field : fields) {
      codecs.emplace_back(field);
    }
  }
  std::vector<std::byte> payload(operation_bytes(schema, input));
  TRY(encode_operation(schema, codecs, input, payload));
  return payload;
}

// A collection of a dense vector, a sparse one and a multivector of two dimensions.
struct Fixture : OneCollection {
  explicit Fixture(Datatype datatype = Datatype::float32)
      : OneCollection({make_field("a", 1)}), multi(field_of(2, Distance::dot, datatype)) {
    store->call([&](uint64_t ticket) {
      return store->engine().create_collection(ticket, {"m", fields, {}, 0, {"words"}, {multi}});
    });
    take();
  }
  void take() { collection = store->collection("m"); }
  void reopen() {
    open();
    take();
  }
  Completion write(const OperationInput& input, bool must_exist = false) {
    WriteJob job;
    job.operation = input;
    job.must_exist = must_exist;
    return OneCollection::write(std::move(job));
  }
  // Of points 1 to 3.
  engine::Multivectors read() {
    const Completion completion = store->retrieve(
        collection, {PointId::integer(1), PointId::integer(2), PointId::integer(3)});
    REQUIRE(ok(completion));
    return std::get<engine::Rows>(completion.value).multivectors.at(0);
  }
  segment::Field multi;
};

}  // namespace

TEST_CASE("multivector: the stored form keeps what it was given, and is checked") {
  const auto field = field_of(3);
  const auto value = stored(field, {1, 2, 3, 4, 5, 6});
  CHECK(value.size() == 24);
  CHECK(multivector::is_sound(field, value));
  std::vector<float> rows = {7};
  multivector::decode(field, segment::RowCodec(field), value, rows);
  CHECK(rows == std::vector<float>{7, 1, 2, 3, 4, 5, 6});
  for (size_t size = 0; size < value.size(); ++size) {
    CHECK(multivector::is_sound(field, base::Bytes(value).first(size)) == (size == 12));
  }
  auto infinite = value;
  std::memcpy(infinite.data() + 8, &k_infinity, sizeof k_infinity);
  CHECK(!multivector::is_sound(field, infinite));
  segment::RowCodec codec(field);
  std::array<std::byte, 64> target;
  const auto refused = [&](std::vector<float> wrong, uint64_t count) {
    const auto status = multivector::encode(field, codec, wrong.data(), count, 41, target.data());
    REQUIRE(!status.ok());
    CHECK(status.error().code == Code::invalid_argument);
    CHECK(status.error().message.find("point 41 of the batch") != std::string::npos);
  };
  refused({}, 0);
  refused({1, 2, std::numeric_limits<float>::quiet_NaN()}, 1);
  refused({1, 2, 3, 4, k_infinity, 6}, 2);
  refused({}, multivector::k_elements_max / 3 + 1);
}

TEST_CASE("multivector: the largest there can be") {
  const auto field = field_of(1024, Distance::dot, Datatype::uint8);
  const std::vector<float> rows(multivector::k_elements_max, 1.0F);
  const auto value = stored(field, rows);
  CHECK(value.size() == multivector::k_elements_max);
  CHECK(multivector::is_sound(field, value));
  CHECK(!multivector::is_sound(field, std::vector<std::byte>(value.size() + 1024)));
}

TEST_CASE("multivector: max_sim is the sum of the best, whatever the pieces") {
  std::mt19937_64 random(3);
  for (uint32_t round = 0; round < 400; ++round) {
    const uint32_t dim = 1 + static_cast<uint32_t>(random() % 70);
    auto field =
        field_of(dim, static_cast<Distance>(random() % 4), static_cast<Datatype>(random() % 3));
    const auto query = random_rows(random, dim * (1 + random() % 9));
    const uint64_t count = 1 + random() % 12;
    const auto value = stored(field, random_rows(random, dim * count));
    std::vector<float> rows;
    multivector::decode(field, segment::RowCodec(field), value, rows);
    multivector::MaxSim scorer(field, query);
    CHECK(scorer.elements() == query.size());
    const std::vector<std::byte> other = stored(field, random_rows(random, dim));
    scorer.add(other.data(), 1);  // forgotten by begin()
    scorer.begin();
    const uint64_t cut = random() % (count + 1);
    scorer.add(value.data(), cut);
    scorer.add(value.data() + cut * segment::row_bytes(field), count - cut);
    const double expected = max_sim(field, query, rows);
    CAPTURE(round);
    CHECK(scorer.similarity() == doctest::Approx(expected).epsilon(1e-4));
  }
}

TEST_CASE("multivector: no extreme makes a similarity that has no place in an order") {
  const auto field = field_of(2);
  const auto value = stored(field, {3e38F, -3e38F});
  for (const std::vector<float>& query :
       {std::vector<float>{3e38F, 3e38F}, std::vector<float>{3e38F, 0, -3e38F, 0}}) {
    multivector::MaxSim scorer(field, query);
    scorer.add(value.data(), 1);
    CHECK(scorer.similarity() == -k_infinity);
  }
  multivector::MaxSim zero(field_of(2, Distance::euclid), std::vector<float>{1, 2});
  zero.add(stored(field, {1, 2}).data(), 1);
  CHECK(!std::signbit(segment::score_of(Distance::euclid, zero.similarity())));
}

TEST_CASE("multivector: an operation and back") {
  const std::vector<segment::Field> fields = {make_field("a", 1)};
  const std::vector<segment::Field> multivectors = {field_of(2)};
  const Schema schema(fields, 1, multivectors);
  const Given given;
  const auto payload = encoded(schema, given.operation());
  REQUIRE(payload.ok());
  const auto upsert = static_cast<uint32_t>(Kind::upsert);
  const auto parsed = parse_operation(schema, upsert, payload.value());
  REQUIRE(parsed.ok());
  REQUIRE(parsed.value().kept.size() == 1);
  const engine::KeptVectors& kept = parsed.value().kept[0];
  CHECK(kept.number == 1);
  CHECK(kept.values.present.has(0));
  CHECK(!kept.values.present.has(1));
  REQUIRE(kept.values.value.size() == 2);
  CHECK(std::ranges::equal(kept.values.value[0], stored(multivectors[0], {1, 2, 3, 4})));
  // A number that the collection does not have; another dimension; a section that is there twice.
  CHECK(!parse_operation(Schema(fields, 1), upsert, payload.value()).ok());
  const std::vector<segment::Field> wider = {field_of(3)};
  CHECK(!parse_operation(Schema(fields, 1, wider), upsert, payload.value()).ok());
  OperationInput twice = given.operation();
  twice.multivectors.push_back(twice.multivectors[0]);
  CHECK(!parse_operation(schema, upsert, encoded(schema, twice).value()).ok());
  for (size_t size = 0; size < payload.value().size(); ++size) {
    REQUIRE(!parse_operation(schema, upsert, base::Bytes(payload.value()).first(size)).ok());
  }
}

TEST_CASE("multivector: noise never breaks the parser, and what parses is sound") {
  const std::vector<segment::Field> fields;
  const std::vector<segment::Field> multivectors = {field_of(2)};
  const Schema schema(fields, 0, multivectors);
  const auto sound = encoded(schema, Given().operation()).value();
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
      REQUIRE(section.number == 0);
      for (const auto& value : section.values.value) {
        REQUIRE(multivector::is_sound(multivectors[0], value));
      }
    }
  }
}

TEST_CASE("multivector: stored, replaced, deleted, and there after reopening") {
  Fixture fixture;
  const Given given;
  REQUIRE(ok(fixture.write(given.operation())));
  for (int round = 0; round < 2; ++round) {
    const auto found = fixture.read();
    CHECK(found.field == 2);
    CHECK(found.present == std::vector<uint8_t>{1, 0, 1});
    CHECK(found.offsets == std::vector<uint64_t>{0, 2, 2, 3});
    CHECK(found.rows == given.rows);
    fixture.reopen();
  }
  SUBCASE("set_vectors sets those that are given and leaves the others") {
    Given other;
    other.offsets = {0, 0, 1, 1};
    other.present = {false, true, false};
    REQUIRE(ok(fixture.write(other.operation(Kind::set_vectors), true)));
    for (int round = 0; round < 2; ++round) {
      const auto found = fixture.read();
      CHECK(found.present == std::vector<uint8_t>{1, 1, 1});
      CHECK(found.rows == std::vector<float>{1, 2, 3, 4, 1, 2, 5, 6});
      fixture.reopen();
    }
  }
  SUBCASE("delete_vectors takes them and leaves the points") {
    OperationInput input = given.operation(Kind::delete_vectors);
    input.multivectors = {{0, nullptr, nullptr, nullptr}};
    REQUIRE(ok(fixture.write(input, true)));
    for (int round = 0; round < 2; ++round) {
      CHECK(fixture.read().present == std::vector<uint8_t>{0, 0, 0});
      CHECK(fixture.collection->view()->points == 3);
      fixture.reopen();
    }
  }
  SUBCASE("an upsert without them takes them") {
    OperationInput input = given.operation();
    input.multivectors.clear();
    REQUIRE(ok(fixture.write(input)));
    CHECK(fixture.read().present == std::vector<uint8_t>{0, 0, 0});
  }
  SUBCASE("what is wrong is refused, and nothing of its operation is there") {
    Given wrong;
    wrong.rows[3] = k_infinity;
    const Completion refused = fixture.write(wrong.operation());
    REQUIRE(refused.error.has_value());
    CHECK(refused.error->code == Code::invalid_argument);
    Given empty;
    empty.offsets = {0, 0, 0, 3};
    CHECK(fixture.write(empty.operation()).error.has_value());
    CHECK(fixture.read().rows == given.rows);
  }
  SUBCASE("a check finds nothing, also of what a checkpoint wrote") {
    REQUIRE(ok(fixture.store->optimize(fixture.collection)));
    fixture.reopen();
    const Completion checked = fixture.store->check(fixture.collection);
    REQUIRE(ok(checked));
    CHECK(std::get<std::vector<engine::Finding>>(checked.value).empty());
  }
}
