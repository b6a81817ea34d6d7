// Codes of multivectors: the index of them, and what it says of similarities.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "multivector/code_index.h"
#include "multivector/code_max_sim.h"
#include "multivector/max_sim.h"
#include "multivector/multivector.h"

using namespace asyncstore;
using multivector::CodeIndex;
using multivector::CodeSnapshot;
using segment::Datatype;
using segment::Distance;

namespace {

segment::Field field_of(uint32_t dim, Distance distance = Distance::dot,
                        Datatype datatype = Datatype::float32,
                        quantize::Kind kind = quantize::Kind::scalar_int8) {
  return {"rows", dim, distance, datatype, {.kind = kind, .bits = 4}, {.m = 0}};
}

std::vector<float> random_rows(std::mt19937_64& random, size_t count) {
  std::normal_distribution<float> normal(0, 20);
  std::vector<float> rows(count);
  std::generate(rows.begin(), rows.end(), [&] { return normal(random); });
  return rows;
}

std::vector<std::byte> stored(const segment::Field& field, const std::vector<float>& rows) {
  segment::RowCodec codec(field);
  const uint64_t count = rows.size() / field.dim;
  std::vector<std::byte> target(count * segment::row_bytes(field));
  REQUIRE(multivector::encode(field, codec, rows.data(), count, 0, target.data()).ok());
  return target;
}

using Codes = std::vector<uint8_t>;
using Model = std::map<uint32_t, Codes>;  // by slot

Codes codes_of(const segment::Field& field, base::Bytes value) {
  const auto quantizer = segment::make_quantizer(field);
  segment::RowCodec codec(field);
  Codes codes(multivector::rows_of(field, value.size()) * quantizer->code_bytes());
  for (size_t row = 0; row * quantizer->code_bytes() < codes.size(); ++row) {
    quantizer->encode(codec.search_vector(value.data() + row * segment::row_bytes(field)),
                      codes.data() + row * quantizer->code_bytes());
  }
  return codes;
}

Model model_of(const CodeSnapshot& snapshot, uint32_t code_bytes) {
  Model found;
  uint64_t live = 0;
  for (const auto& window : snapshot.windows) {
    for (uint32_t point = 0; point < window->points; ++point) {
      if (window->is_live(point)) {
        const uint8_t* codes = window->codes.get() + size_t{window->first_row(point)} * code_bytes;
        const size_t size = size_t{window->rows(point)} * code_bytes;
        REQUIRE(found.emplace(window->slot(point), Codes(codes, codes + size)).second);
        ++live;
      }
    }
  }
  REQUIRE(snapshot.live == live);
  return found;
}

}  // namespace

TEST_CASE("multivector codes: snapshots are what was there, whatever came after") {
  const auto field = field_of(3);
  const uint32_t code_bytes = segment::make_quantizer(field)->code_bytes();
  std::mt19937_64 random(5);
  // Full by points, and by bytes.
  for (const multivector::CodeIndexOptions options :
       {multivector::CodeIndexOptions{.window_points = 7},
        multivector::CodeIndexOptions{.window_points = 4096, .window_bytes = 200}}) {
    CodeIndex index(field, options);
    Model model;
    std::vector<std::pair<std::shared_ptr<const CodeSnapshot>, Model>> before;
    for (uint32_t round = 0; round < 3000; ++round) {
      const auto slot = static_cast<uint32_t>(random() % 60);
      if (random() % 4 != 0) {
        const auto value = stored(field, random_rows(random, 3 * (1 + random() % 5)));
        index.set(slot, value);
        model[slot] = codes_of(field, value);
      } else {
        index.remove(slot);
        model.erase(slot);
      }
      if (random() % 20 == 0) {
        before.emplace_back(index.snapshot(), model);
        REQUIRE(index.snapshot() == before.back().first);  // nothing has changed
      }
    }
    for (const auto& [snapshot, expected] : before) {
      REQUIRE(model_of(*snapshot, code_bytes) == expected);
    }
    // What is deleted does not stay for ever: half of a full window at most, and one is open.
    uint64_t points = 0;
    const auto last = index.snapshot();
    for (const auto& window : last->windows) {
      points += window->points;
    }
    CHECK(points <= 2 * last->live + 50);
    for (uint32_t slot = 0; slot < 60; ++slot) {
      index.remove(slot);
    }
    CHECK(index.snapshot()->live == 0);
    CHECK(index.snapshot()->windows.empty());
  }
}

TEST_CASE("multivector codes: estimates, and bounds that hold but for few") {
  std::mt19937_64 random(8);
  uint32_t pairs = 0;
  uint32_t beyond = 0;
  for (uint32_t round = 0; round < 600; ++round) {
    const uint32_t dim = 24 + static_cast<uint32_t>(random() % 100);
    const auto distance = static_cast<Distance>(random() % 4);
    const auto kind = distance == Distance::manhattan || random() % 2 == 0
                          ? quantize::Kind::scalar_int8
                          : quantize::Kind::rabitq;
    const auto field = field_of(dim, distance, static_cast<Datatype>(random() % 2), kind);
    const auto value = stored(field, random_rows(random, dim * (1 + random() % 90)));
    const uint64_t rows = multivector::rows_of(field, value.size());
    multivector::MaxSim exact(field, random_rows(random, dim * (1 + random() % 6)));
    exact.add(value.data(), rows);
    const auto quantizer = segment::make_quantizer(field);
    multivector::CodeMaxSim by_codes(quantizer, exact.query());
    const Codes codes = codes_of(field, value);
    const auto in_pieces = [&](auto add) {
      by_codes.begin();
      for (uint64_t row = 0; row < rows;) {
        const uint64_t some = std::min<uint64_t>(rows - row, 1 + random() % 80);
        add(codes.data() + row * quantizer->code_bytes(), some);
        row += some;
      }
    };
    in_pieces([&](const uint8_t* at, size_t count) { by_codes.add(at, count); });
    const float estimate = by_codes.similarity();
    in_pieces([&](const uint8_t* at, size_t count) { by_codes.add_with_errors(at, count); });
    CAPTURE(round);
    CHECK(by_codes.similarity() == estimate);
    CHECK(by_codes.low() <= estimate);
    CHECK(by_codes.high() >= estimate);
    ++pairs;
    const float scale = 1e-4F * std::abs(exact.similarity());  // of rounding
    beyond += exact.similarity() < by_codes.low() - scale ? 1 : 0;
    beyond += exact.similarity() > by_codes.high() + scale ? 1 : 0;
  }
  CHECK(beyond * 100 <= pairs);
}
