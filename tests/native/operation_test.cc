#include "engine/operation.h"

#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <limits>
#include <random>

#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::engine;
using asyncstore::io_test::random_bytes;
using points::PointId;
using segment::Datatype;
using segment::Distance;
using segment::Field;

namespace {

constexpr auto k_upsert = static_cast<uint32_t>(Kind::upsert);
constexpr auto k_delete = static_cast<uint32_t>(Kind::remove);

const std::vector<Field> g_fields = {
    {"a", 3, Distance::dot, Datatype::float32, {}},
    {"b", 5, Distance::dot, Datatype::uint8, {}},
    {"c", 1, Distance::dot, Datatype::float16, {}},
};

std::vector<segment::RowCodec> codecs() {
  std::vector<segment::RowCodec> made;
  for (const auto& field : g_fields) {
    made.emplace_back(field);
  }
  return made;
}

// An upsert with random fields; owns what the input borrows.
struct Upsert {
  Upsert(size_t points, uint64_t seed) {
    std::mt19937_64 random(seed);
    for (size_t i = 0; i < points; ++i) {
      input.ids.push_back(random() % 2 == 0 ? PointId::integer(random())
                                            : PointId{true, random(), random()});
    }
    for (uint32_t field = 0; field < g_fields.size(); ++field) {
      values[field].resize(points * g_fields[field].dim);
      for (float& value : values[field]) {
        value = static_cast<float>(random() % 200);
      }
      present[field] = std::make_unique<bool[]>(points);
      for (size_t i = 0; i < points; ++i) {
        present[field][i] = random() % 3 > 0;
      }
      if (random() % 4 > 0) {
        input.fields.push_back(
            {field, values[field].data(), random() % 2 == 0 ? nullptr : present[field].get()});
      }
    }
    for (size_t i = 0; i < points; ++i) {
      texts.push_back(random_bytes(random() % 3 == 0 ? 0 : random() % 100, random()));
    }
    if (random() % 3 > 0) {
      input.payloads.assign(texts.begin(), texts.end());
    }
    if (random() % 3 == 0) {
      input.pick = true;
      for (uint32_t i = 0; i < points; ++i) {
        if (random() % 2 == 0) {
          input.picked.push_back(i);
        }
      }
    }
  }
  std::vector<std::byte> encode() const {
    auto made = codecs();
    std::vector<std::byte> payload(operation_bytes(g_fields, input));
    REQUIRE(encode_operation(g_fields, made, input, payload).ok());
    return payload;
  }

  OperationInput input;
  std::vector<std::vector<std::byte>> texts;
  std::array<std::vector<float>, 3> values;
  std::array<std::unique_ptr<bool[]>, 3> present;
};

}  // namespace

TEST_CASE("operation: an upsert and back") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    const size_t points = seed < 10 ? seed : seed * 7 % 300;
    const Upsert upsert(points, seed);
    const auto payload = upsert.encode();
    const auto parsed = parse_operation(g_fields, k_upsert, payload);
    REQUIRE(parsed.ok());
    const OperationInput& input = upsert.input;
    REQUIRE(parsed.value().ids.size() == input.count());
    for (size_t i = 0; i < input.count(); ++i) {
      REQUIRE(parsed.value().ids[i] == input.ids[input.index(i)]);
    }
    REQUIRE(parsed.value().fields.size() == input.fields.size());
    for (size_t section = 0; section < parsed.value().fields.size(); ++section) {
      const FieldRows& rows = parsed.value().fields[section];
      const FieldInput& given = input.fields[section];
      const Field& field = g_fields[given.field];
      CHECK(rows.field == given.field);
      CHECK(rows.stored.size() == uint64_t{rows.rows} * segment::row_bytes(field));
      segment::RowCodec codec(field);
      std::vector<float> back(field.dim);
      uint32_t row = 0;
      for (uint32_t i = 0; i < input.count(); ++i) {
        const uint32_t index = input.index(i);
        const bool wanted = given.present == nullptr || given.present[index];
        REQUIRE(rows.has(i) == wanted);
        if (wanted) {
          codec.decode(rows.stored.data() + uint64_t{row++} * segment::row_bytes(field),
                       back.data());
          REQUIRE(std::equal(back.begin(), back.end(), given.values + index * field.dim));
        }
      }
      CHECK(row == rows.rows);
    }
    REQUIRE(parsed.value().payload.has_value() == !input.payloads.empty());
    uint32_t text = 0;
    for (uint32_t i = 0; i < input.count() && parsed.value().payload; ++i) {
      const Values& payloads = *parsed.value().payload;
      const base::Bytes given = input.payloads[input.index(i)];
      REQUIRE(payloads.present.has(i) == !given.empty());
      if (!given.empty()) {
        const base::Bytes back = payloads.value[text++];
        REQUIRE(std::equal(back.begin(), back.end(), given.begin(), given.end()));
      }
    }
  }
}

TEST_CASE("operation: a delete and back") {
  for (const size_t points : {0, 1, 63, 64, 65, 1000}) {
    OperationInput input;
    input.kind = Kind::remove;
    input.ids = Upsert(points, points).input.ids;
    auto made = codecs();
    std::vector<std::byte> payload(operation_bytes(g_fields, input));
    REQUIRE(encode_operation(g_fields, made, input, payload).ok());
    const auto parsed = parse_operation(g_fields, k_delete, payload);
    REQUIRE(parsed.ok());
    CHECK(parsed.value().ids == input.ids);
    CHECK(parsed.value().fields.empty());
  }
}

TEST_CASE("operation: every truncation is refused") {
  const auto payload = Upsert(70, 3).encode();
  for (size_t size = 0; size < payload.size(); ++size) {
    CAPTURE(size);
    REQUIRE(!parse_operation(g_fields, k_upsert, base::Bytes(payload).first(size)).ok());
  }
  CHECK(!parse_operation(g_fields, 0, payload).ok());
  CHECK(!parse_operation(g_fields, 6, payload).ok());
}

TEST_CASE("operation: noise never breaks the parser, and what parses is sound") {
  std::mt19937_64 random(9);
  const auto sound = Upsert(70, 3).encode();
  for (uint64_t seed = 0; seed < 30'000; ++seed) {
    auto payload = seed % 3 == 0 ? random_bytes(random() % 200, seed) : sound;
    for (uint64_t flips = random() % 4 + 1; seed % 3 != 0 && flips > 0; --flips) {
      // Mostly in the counts, with extreme values.
      const size_t at = random() % 2 == 0 ? random() % 16 / 4 * 4 : random() % (payload.size() - 4);
      const uint32_t value =
          random() % 2 == 0 ? static_cast<uint32_t>(random()) : UINT32_MAX - random() % 3;
      std::memcpy(payload.data() + at, &value, sizeof value);
    }
    const auto kind = static_cast<uint32_t>(random() % 5 + 1);
    const auto parsed = parse_operation(g_fields, kind, payload);
    CAPTURE(seed);
    if (!parsed.ok()) {
      continue;
    }
    std::vector<bool> seen(g_fields.size());
    for (const auto& rows : parsed.value().fields) {
      REQUIRE(rows.field < g_fields.size());
      REQUIRE(!seen[rows.field]);
      seen[rows.field] = true;
      uint32_t marked = 0;
      for (uint32_t i = 0; i < parsed.value().ids.size(); ++i) {
        marked += rows.has(i) ? 1 : 0;
      }
      REQUIRE(marked == rows.rows);
      REQUIRE(rows.stored.size() == uint64_t{rows.rows} * segment::row_bytes(g_fields[rows.field]));
    }
  }
}

TEST_CASE("operation: one field twice is refused") {
  Upsert upsert(4, 1);
  upsert.input.pick = false;
  upsert.input.fields = {{0, upsert.values[0].data(), nullptr},
                         {0, upsert.values[0].data(), nullptr}};
  CHECK(!parse_operation(g_fields, k_upsert, upsert.encode()).ok());
}

TEST_CASE("operation: what is not finite is named") {
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (const float value : bad) {
    Upsert upsert(10, 5);
    upsert.values[0][3 * 7 + 2] = value;
    upsert.input.fields = {{0, upsert.values[0].data(), nullptr}};
    upsert.input.pick = false;
    auto made = codecs();
    std::vector<std::byte> payload(operation_bytes(g_fields, upsert.input));
    const auto status = encode_operation(g_fields, made, upsert.input, payload);
    REQUIRE(!status.ok());
    CHECK(status.error().code == base::Code::invalid_argument);
    CHECK(status.error().message.find("point 7 of the batch") != std::string::npos);
    CHECK(status.error().message.find("element 2") != std::string::npos);
    // Not looked at where the point has no such vector.
    auto present = std::make_unique<bool[]>(10);
    std::fill_n(present.get(), 10, true);
    present[7] = false;
    upsert.input.fields[0].present = present.get();
    std::vector<std::byte> smaller(operation_bytes(g_fields, upsert.input));
    CHECK(encode_operation(g_fields, made, upsert.input, smaller).ok());
    CHECK(check_finite(upsert.values[0].data(), 10, 3, nullptr, 100)
              .error()
              .message.find("point 107") != std::string::npos);
  }
}
