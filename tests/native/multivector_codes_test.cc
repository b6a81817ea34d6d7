// Codes of multivectors: the index of them, and what it says of similarities.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/checked_file.h"
#include "io/storage.h"
#include "io_temporary_folder.h"
#include "multivector/code_file.h"
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

// So many changes of the points of some slots.
void change(CodeIndex& index, Model& model, const segment::Field& field, std::mt19937_64& random,
            uint32_t slots, uint32_t changes) {
  for (uint32_t round = 0; round < changes; ++round) {
    const auto slot = static_cast<uint32_t>(random() % slots);
    if (random() % 4 != 0) {
      const auto value = stored(field, random_rows(random, field.dim * (1 + random() % 5)));
      index.set(slot, value);
      model[slot] = codes_of(field, value);
    } else {
      index.remove(slot);
      model.erase(slot);
    }
  }
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
    for (uint32_t round = 0; round < 150; ++round) {
      change(index, model, field, random, 60, 1 + static_cast<uint32_t>(random() % 40));
      before.emplace_back(index.snapshot(), model);
      REQUIRE(index.snapshot() == before.back().first);  // nothing has changed
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

TEST_CASE("multivector codes: what is saved is loaded, and can be written to") {
  const io_test::TemporaryFolder folder;
  const auto storage = io::make_posix_storage();
  constexpr uint32_t k_slots = 5000;
  std::mt19937_64 random(2);
  for (const auto kind :
       {quantize::Kind::scalar_int8, quantize::Kind::rabitq, quantize::Kind::binary}) {
    // Few points, and so many rows of so many bytes that they fill several windows.
    for (const uint32_t slots : {3U, k_slots}) {
      const auto field = field_of(slots == 3 ? 5 : 1000, Distance::cosine, Datatype::float16, kind);
      const uint32_t code_bytes = segment::make_quantizer(field)->code_bytes();
      const multivector::CodeFile file{folder.path() + "/codes", 7, 2};
      CodeIndex index(field);
      Model model;
      CHECK(index.snapshot()->windows.empty());
      for (const uint32_t changes : {0U, slots, slots / 2}) {
        change(index, model, field, random, slots, changes);
        REQUIRE(multivector::write_codes(*index.snapshot(), *storage, file, 99).ok());
        REQUIRE(multivector::check_codes(*storage, file, field, k_slots).ok());
        auto loaded = multivector::load_codes(*storage, file, field, k_slots);
        REQUIRE(loaded.ok());
        CHECK(loaded.value().lsn == 99);
        CodeIndex& again = *loaded.value().index;
        const auto snapshot = again.snapshot();
        REQUIRE(model_of(*snapshot, code_bytes) == model);
        for (const auto& window : snapshot->windows) {
          CHECK(window->live == window->points);  // what was deleted is not saved
        }
        Model other = model;
        change(again, other, field, random, slots, slots / 4);
        REQUIRE(model_of(*again.snapshot(), code_bytes) == other);
        REQUIRE(model_of(*snapshot, code_bytes) == model);
        REQUIRE(storage->remove(file.path).ok());
      }
    }
  }
}

TEST_CASE("multivector codes: a damaged file is refused, wherever it is damaged") {
  const io_test::TemporaryFolder folder;
  const auto storage = io::make_posix_storage();
  const auto field = field_of(3);
  std::mt19937_64 random(4);
  CodeIndex index(field);
  Model model;
  change(index, model, field, random, 60, 200);
  const multivector::CodeFile file{folder.path() + "/codes", 7, 2};
  REQUIRE(multivector::write_codes(*index.snapshot(), *storage, file, 99).ok());
  const auto content = io::read_file(*storage, file.path, UINT32_MAX).value();
  const auto refused = [&](const multivector::CodeFile& as, const segment::Field& of,
                           uint32_t slots) {
    const auto loaded = multivector::load_codes(*storage, as, of, slots);
    REQUIRE_FALSE(loaded.ok());
    CHECK(loaded.error().code == base::Code::corruption);
    CHECK_FALSE(multivector::check_codes(*storage, as, of, slots).ok());
  };
  refused({file.path, 8, 2}, field, 60);
  refused({file.path, 7, 1}, field, 60);
  refused(file, field, model.rbegin()->first);
  refused(file, field_of(4), 60);
  refused(file, field_of(3, Distance::dot, Datatype::float32, quantize::Kind::binary), 60);
  for (int round = 0; round < 300; ++round) {
    auto damaged = content;
    damaged[random() % damaged.size()] ^= static_cast<std::byte>(1 + random() % 255);
    REQUIRE(io::replace_file(*storage, file.path, damaged).ok());
    // A version of the format that is not known is not damage.
    REQUIRE_FALSE(multivector::load_codes(*storage, file, field, 60).ok());
    REQUIRE_FALSE(multivector::check_codes(*storage, file, field, 60).ok());
  }
  for (const size_t size : {size_t{0}, size_t{100}, content.size() - 1}) {
    REQUIRE(io::replace_file(*storage, file.path, base::Bytes(content).first(size)).ok());
    refused(file, field, 60);
  }
}

TEST_CASE("multivector codes: a sound checksum over points that cannot be is refused") {
  const io_test::TemporaryFolder folder;
  const auto storage = io::make_posix_storage();
  const auto field = field_of(3);
  const multivector::CodeFile file{folder.path() + "/codes", 7, 0};
  const uint64_t code_bytes = segment::make_quantizer(field)->code_bytes();
  const auto load = [&](std::vector<uint32_t> numbers, uint64_t points, uint64_t rows) {
    auto writer = io::CheckedFileWriter::create(
        *storage, file.path, {{'A', 'S', 'M', 'U', 'L', 'T', 'I', '1'}, file.owner},
        {99, points, code_bytes << 32, static_cast<uint64_t>(quantize::Kind::scalar_int8)});
    REQUIRE(writer.ok());
    REQUIRE(writer.value().append(base::bytes_of(std::span<const uint32_t>(numbers))).ok());
    REQUIRE(writer.value().append(std::vector<std::byte>(rows * code_bytes + 8)).ok());
    REQUIRE(writer.value().finish().ok());
    const bool loaded = multivector::load_codes(*storage, file, field, 60).ok();
    REQUIRE(storage->remove(file.path).ok());
    return loaded;
  };
  CHECK(load({4, 59, 1, 2}, 2, 3));
  CHECK_FALSE(load({4, 4, 1, 2}, 2, 3));            // a slot twice
  CHECK_FALSE(load({4, 60, 1, 2}, 2, 3));           // one that is not there
  CHECK_FALSE(load({4, 59, 0, 3}, 2, 3));           // no rows
  CHECK_FALSE(load({4, 59, 1, UINT32_MAX}, 2, 3));  // too many
  CHECK_FALSE(load({4, 59, 1, 1}, 2, 3));           // fewer than there are
  CHECK_FALSE(load({4, 59, 1, 2}, 61, 3));
  CHECK_FALSE(load({4, 59, 1, 2}, UINT64_MAX / 8 + 3, 3));
}
