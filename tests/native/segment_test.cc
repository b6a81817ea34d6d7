#include "segment/segment.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/crc32c.h"
#include "failing_storage.h"
#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::io_test;
using base::Bytes;
using base::Code;
using points::PointId;
using segment::Datatype;
using segment::Distance;
using segment::Field;
using segment::RowCodec;
using segment::RowEntry;
using segment::RowLayout;
using segment::Segment;

namespace {

const std::shared_ptr<io::Storage> g_storage = io::make_posix_storage();

Field field_of(uint32_t dim, Datatype datatype, Distance distance = Distance::dot,
               quantize::Kind quantization = quantize::Kind::scalar_int8) {
  return {"v", dim, distance, datatype, {.kind = quantization}};
}

// Rows of a segment as they must be found.
struct Rows {
  explicit Rows(const Field& field) : described(field), codec(field) {}

  void add(uint32_t count, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<float> vector(described.dim);
    for (uint32_t i = 0; i < count; ++i) {
      for (float& value : vector) {
        value = static_cast<float>(random() % 2000) / 10.0F -
                (described.datatype == Datatype::uint8 ? 0.0F : 100.0F);
      }
      std::vector<std::byte> row(row_bytes(described));
      codec.encode(vector.data(), row.data());
      const auto number = static_cast<uint32_t>(entries.size());
      const PointId id =
          number % 2 == 0 ? PointId::integer(number) : PointId{true, random(), random()};
      entries.push_back({id, seed, number * 3 + 1, base::crc32c(row)});
      stored.insert(stored.end(), row.begin(), row.end());
    }
  }
  Bytes part(uint32_t first, uint32_t count) const {
    return Bytes(stored).subspan(uint64_t{first} * row_bytes(described),
                                 uint64_t{count} * row_bytes(described));
  }

  Field described;
  RowCodec codec;
  std::vector<std::byte> stored;
  std::vector<RowEntry> entries;
};

void append(Segment& segment, Rows& rows, uint32_t count, uint64_t seed) {
  const auto first = static_cast<uint32_t>(rows.entries.size());
  rows.add(count, seed);
  REQUIRE(segment.reserve(count).ok());
  REQUIRE(segment.append(rows.part(first, count), std::span(rows.entries).subspan(first)).ok());
}

std::vector<uint8_t> codes_of(const Segment& segment, uint32_t rows) {
  if (segment.quantizer() == nullptr) {
    return {};
  }
  const uint8_t* codes = segment.codes(0);
  return {codes, codes + segment.codes_bytes(rows)};
}

void check_equal(const Segment& segment, const Rows& rows) {
  const auto count = static_cast<uint32_t>(rows.entries.size());
  CHECK(segment.rows() == count);
  for (uint32_t row = 0; row < count; ++row) {
    REQUIRE(segment.slot(row) == rows.entries[row].slot);
    REQUIRE(segment.crc(row) == rows.entries[row].crc);
  }
  std::mt19937_64 random(count);
  for (int i = 0; i < 10 && count > 0; ++i) {
    const auto first = static_cast<uint32_t>(random() % count);
    const auto part = static_cast<uint32_t>(1 + random() % (count - first));
    Segment::StoredRows read;
    REQUIRE(segment.read_rows(first, part, read).ok());
    for (uint32_t row = 0; row < part; ++row) {
      const Bytes expected = rows.part(first + row, 1);
      REQUIRE(std::equal(expected.begin(), expected.end(), read.row(segment.layout(), row)));
      REQUIRE(read.entries[row].id == rows.entries[first + row].id);
      REQUIRE(read.entries[row].version == rows.entries[first + row].version);
    }
  }
  uint32_t next = 0;
  CHECK(segment
            .visit_entries(count,
                           [&](uint32_t row, const RowEntry& entry) {
                             REQUIRE(row == next++);
                             REQUIRE(entry.id == rows.entries[row].id);
                             REQUIRE(entry.slot == rows.entries[row].slot);
                           })
            .ok());
  CHECK(next == count);
}

void flip(const std::string& path, uint64_t offset) {
  const auto file = std::move(g_storage->open(path, io::Open::read_write).value());
  std::byte byte{};
  REQUIRE(file->read_at(offset, {&byte, 1}).ok());
  byte ^= std::byte{0x40};
  REQUIRE(file->write_at(offset, {&byte, 1}).ok());
}

}  // namespace

TEST_CASE("row layout: strides by the rule, rows never straddle what they need not") {
  CHECK(RowLayout(4).stride() == 4);
  CHECK(RowLayout(1).stride() == 1);
  CHECK(RowLayout(384).stride() == 384);
  CHECK(RowLayout(400).stride() == 448);
  CHECK(RowLayout(1536).stride() == 1536);
  CHECK(RowLayout(1536).offset(5) == 11'776);
  for (uint32_t bytes = 1; bytes <= 20'000; bytes += bytes < 3000 ? 1 : 97) {
    const RowLayout layout(bytes);
    CHECK(layout.row_bytes() == bytes);
    REQUIRE(layout.stride() >= bytes);
    REQUIRE((layout.stride() - bytes) * 8 <= layout.stride());
    // The largest power of two that wastes no more: the next would waste too much or is a sector.
    const uint64_t alignment = layout.stride() & ~(layout.stride() - 1);
    if (alignment < 512) {
      const uint64_t next = base::round_up(bytes, alignment * 2);
      REQUIRE(((next - bytes) * 8 > next || next == layout.stride()));
    }
  }
}

TEST_CASE("segment: appended, opened again, sealed, loaded, rebuilt") {
  for (const uint32_t dim : {1, 3, 100, 384, 1536}) {
    for (const auto datatype : {Datatype::float32, Datatype::float16, Datatype::uint8}) {
      for (const auto distance : {Distance::cosine, Distance::euclid}) {
        CAPTURE(dim);
        CAPTURE(static_cast<int>(datatype));
        CAPTURE(static_cast<int>(distance));
        const TemporaryFolder folder;
        const Field field = field_of(dim, datatype, distance);
        const Segment::Options options{7, 600, false};
        Rows rows(field);
        auto made = Segment::create(g_storage, folder.path(), field, options);
        REQUIRE(made.ok());
        Segment& segment = *made.value();
        append(segment, rows, 1, 1);
        append(segment, rows, 130, 2);
        append(segment, rows, 200, 3);
        check_equal(segment, rows);
        CHECK(segment.damaged_rows().empty());
        REQUIRE(segment.sync().ok());
        const auto codes = codes_of(segment, 331);

        // Codes from the originals, then more rows, as after a crash.
        auto opened = Segment::open(g_storage, folder.path(), field, options, 331);
        REQUIRE(opened.ok());
        REQUIRE(opened.value()->rebuild_codes(331).value().empty());
        CHECK(codes_of(*opened.value(), 331) == codes);
        append(*opened.value(), rows, 269, 4);
        check_equal(*opened.value(), rows);
        CHECK(!opened.value()->sealed());
        REQUIRE(opened.value()->seal(600).ok());
        CHECK(opened.value()->sealed());
        const auto all_codes = codes_of(*opened.value(), 600);

        auto loaded = Segment::open(g_storage, folder.path(), field, options, 600);
        REQUIRE(loaded.ok());
        REQUIRE(loaded.value()->load_codes(600).ok());
        CHECK(loaded.value()->sealed());
        CHECK(codes_of(*loaded.value(), 600) == all_codes);
        check_equal(*loaded.value(), rows);
        CHECK(loaded.value()->check_codes().ok());
        // A file of codes for another number of rows is not taken.
        auto fewer = Segment::open(g_storage, folder.path(), field, options, 500);
        REQUIRE(fewer.ok());
        CHECK(fewer.value()->load_codes(500).error().code == Code::corruption);
      }
    }
  }
}

TEST_CASE("segment: without codes, and without rows") {
  const TemporaryFolder folder;
  const Field field = field_of(5, Datatype::float32, Distance::dot, quantize::Kind::none);
  const Segment::Options options{1, 10, false};
  Rows rows(field);
  auto made = Segment::create(g_storage, folder.path(), field, options);
  REQUIRE(made.ok());
  CHECK(made.value()->quantizer() == nullptr);
  CHECK(made.value()->codes_bytes(10) == 0);
  append(*made.value(), rows, 10, 1);
  check_equal(*made.value(), rows);
  REQUIRE(made.value()->seal(10).ok());
  auto opened = Segment::open(g_storage, folder.path(), field, options, 10);
  REQUIRE(opened.ok());
  REQUIRE(opened.value()->load_codes(10).ok());
  check_equal(*opened.value(), rows);

  const Field coded = field_of(5, Datatype::float32);
  auto empty = Segment::create(g_storage, folder.path(), coded, {2, 1, false});
  REQUIRE(empty.ok());
  REQUIRE(empty.value()->seal(0).ok());
  auto again = Segment::open(g_storage, folder.path(), coded, {2, 1, false}, 0);
  REQUIRE(again.ok());
  CHECK(again.value()->load_codes(0).ok());
}

TEST_CASE("segment: damaged entries are listed, and written anew") {
  const TemporaryFolder folder;
  const Field field = field_of(3, Datatype::float32);
  const Segment::Options options{1, 100, false};
  Rows rows(field);
  {
    auto made = Segment::create(g_storage, folder.path(), field, options);
    append(*made.value(), rows, 100, 1);
  }
  const std::string path = folder / "0000000001.rows";
  for (const uint32_t row : {0, 17, 18, 99}) {
    flip(path, 64 + row * 40 + row % 40);
  }
  auto opened = Segment::open(g_storage, folder.path(), field, options, 100);
  REQUIRE(opened.ok());
  CHECK(opened.value()->damaged_rows() == std::vector<uint32_t>{0, 17, 18, 99});
  Segment::StoredRows read;
  const auto status = opened.value()->read_rows(10, 20, read);
  REQUIRE(!status.ok());
  CHECK(status.error().code == Code::corruption);
  CHECK(status.error().file == path);
  CHECK(status.error().offset_bytes == 64 + 17 * 40);
  for (const uint32_t row : {0, 17, 18, 99}) {
    REQUIRE(opened.value()->repair_entry(row, rows.entries[row]).ok());
  }
  check_equal(*opened.value(), rows);
  CHECK(
      Segment::open(g_storage, folder.path(), field, options, 100).value()->damaged_rows().empty());

  SUBCASE("cut off") {
    REQUIRE(g_storage->open(path, io::Open::read_write).value()->truncate(64 + 90 * 40 + 39).ok());
    auto cut = Segment::open(g_storage, folder.path(), field, options, 100);
    REQUIRE(cut.ok());
    CHECK(cut.value()->damaged_rows().size() == 10);
    CHECK(cut.value()->damaged_rows().front() == 90);
    for (uint32_t row = 90; row < 100; ++row) {
      REQUIRE(cut.value()->repair_entry(row, rows.entries[row]).ok());
    }
    check_equal(*cut.value(), rows);
  }
  SUBCASE("the header damaged, cut off or gone") {
    for (const int how : {0, 1, 2, 3}) {
      CAPTURE(how);
      if (how == 0) {
        flip(path, 20);
      } else if (how == 3) {
        REQUIRE(g_storage->remove(path).ok());
      } else {
        REQUIRE(
            g_storage->open(path, io::Open::read_write).value()->truncate(how == 1 ? 0 : 63).ok());
      }
      auto headless = Segment::open(g_storage, folder.path(), field, options, 100);
      REQUIRE(headless.ok());
      CHECK(headless.value()->headers_rebuilt() == 1);
      CHECK(headless.value()->damaged_rows().size() == (how == 0 ? 0 : 100));
      for (const uint32_t row : headless.value()->damaged_rows()) {
        REQUIRE(headless.value()->repair_entry(row, rows.entries[row]).ok());
      }
      auto sound = Segment::open(g_storage, folder.path(), field, options, 100);
      REQUIRE(sound.ok());
      CHECK(sound.value()->headers_rebuilt() == 0);
      CHECK(sound.value()->damaged_rows().empty());
      check_equal(*sound.value(), rows);
    }
  }
}

TEST_CASE("segment: a damaged original is found where it is read, its neighbours are not") {
  const TemporaryFolder folder;
  const Field field = field_of(100, Datatype::float32);
  const Segment::Options options{1, 50, false};
  Rows rows(field);
  {
    auto made = Segment::create(g_storage, folder.path(), field, options);
    append(*made.value(), rows, 50, 1);
  }
  const std::string path = folder / "0000000001.vectors";
  flip(path, 4096 + 448 * 9 + 399);
  flip(path, 4096 + 448 * 11 + 400);  // padding: nobody's
  auto opened = Segment::open(g_storage, folder.path(), field, options, 50);
  REQUIRE(opened.ok());
  Segment::StoredRows read;
  CHECK(opened.value()->read_rows(0, 9, read).ok());
  CHECK(opened.value()->read_rows(10, 40, read).ok());
  const auto status = opened.value()->read_rows(0, 50, read);
  REQUIRE(!status.ok());
  CHECK(status.error().file == path);
  CHECK(status.error().offset_bytes == 4096 + 448 * 9);
  CHECK(opened.value()->rebuild_codes(50).value() == std::vector<uint32_t>{9});

  // The header of the originals says nothing that the manifest does not.
  flip(path, 30);
  auto headless = Segment::open(g_storage, folder.path(), field, options, 50);
  REQUIRE(headless.ok());
  CHECK(headless.value()->headers_rebuilt() == 1);
  CHECK(headless.value()->read_rows(10, 40, read).ok());
}

TEST_CASE("segment: files that end too early or belong elsewhere are found out") {
  const TemporaryFolder folder;
  const Field field = field_of(100, Datatype::float32);
  {
    auto made = Segment::create(g_storage, folder.path(), field, {1, 50, false});
    Rows rows(field);
    append(*made.value(), rows, 50, 1);
  }
  CHECK(Segment::open(g_storage, folder.path(), field, {1, 60, false}, 50).error().code ==
        Code::corruption);
  CHECK(Segment::open(g_storage, folder.path(), field_of(99, Datatype::float32), {1, 50, false}, 50)
            .error()
            .code == Code::corruption);
  CHECK(
      Segment::open(g_storage, folder.path(), field_of(100, Datatype::float16), {1, 50, false}, 50)
          .error()
          .code == Code::corruption);
  REQUIRE(g_storage->open(folder / "0000000001.vectors", io::Open::read_write)
              .value()
              ->truncate(10'000)
              .ok());
  // What is left can be read.
  const auto opened = Segment::open(g_storage, folder.path(), field, {1, 50, false}, 50);
  REQUIRE(opened.ok());
  CHECK(opened.value()->damaged());
  Segment::StoredRows read;
  CHECK(opened.value()->read_rows(0, 10, read).ok());
  const auto beyond = opened.value()->read_rows(40, 10, read);
  REQUIRE(!beyond.ok());
  CHECK(beyond.error().code == Code::corruption);
  CHECK(beyond.error().offset_bytes == 10'000);
}

TEST_CASE("segment: a damaged file of codes is not loaded") {
  const TemporaryFolder folder;
  const Field field = field_of(20, Datatype::float32, Distance::euclid);
  const Segment::Options options{1, 20, false};
  Rows rows(field);
  {
    auto made = Segment::create(g_storage, folder.path(), field, options);
    append(*made.value(), rows, 20, 1);
    REQUIRE(made.value()->seal(20).ok());
  }
  const std::string path = folder / "0000000001.codes";
  const uint64_t size = g_storage->open(path, io::Open::read).value()->size().value();
  for (uint64_t at = 0; at < size; at += 3) {
    CAPTURE(at);
    flip(path, at);
    auto opened = Segment::open(g_storage, folder.path(), field, options, 20);
    REQUIRE(opened.ok());
    REQUIRE(opened.value()->load_codes(20).error().code == Code::corruption);
    CHECK(!opened.value()->sealed());
    CHECK(!opened.value()->check_codes().ok());
    flip(path, at);
  }
}

TEST_CASE("segment: no space is an error before anything is written") {
  using storage_test::Call;
  const TemporaryFolder folder;
  auto storage = std::make_shared<storage_test::FailingStorage>();
  const Field field = field_of(100, Datatype::float32);
  auto made = Segment::create(storage, folder.path(), field, {1, 100'000, false});
  REQUIRE(made.ok());
  Rows rows(field);
  append(*made.value(), rows, 10, 1);
  for (const uint64_t at : {1, 2}) {
    storage->board().arm({Call::allocate, at, ENOSPC, 0, "", true});
    const auto status = made.value()->reserve(5000);
    storage->board().disarm();
    REQUIRE(!status.ok());
    CHECK(status.error().os_errno == ENOSPC);
    CHECK(made.value()->rows() == 10);
  }
  // Where there is room for these rows, but none for more in advance.
  const uint64_t met = storage->board().faults_met();
  storage->board().arm({Call::allocate, 1, ENOSPC});
  CHECK(made.value()->reserve(4000).ok());
  CHECK(storage->board().faults_met() == met + 1);
  append(*made.value(), rows, 5000, 2);
  check_equal(*made.value(), rows);
}

TEST_CASE("segment: dropped files go with the last holder, others stay") {
  const TemporaryFolder folder;
  const Field field = field_of(3, Datatype::float32);
  auto first = std::move(Segment::create(g_storage, folder.path(), field, {1, 10, false}).value());
  auto second =
      std::move(Segment::create(g_storage, folder.path(), field, {12, 10, false}).value());
  REQUIRE(first->seal(0).ok());
  const auto held = first;
  first->drop_files();
  first.reset();
  CHECK(g_storage->list(folder.path()).value().size() == 5);
  const_cast<std::shared_ptr<Segment>&>(held).reset();
  CHECK(g_storage->list(folder.path()).value().size() == 2);
}

TEST_CASE("row codec: what is stored is what comes back, of unit length for cosine") {
  std::mt19937_64 random(5);
  for (const uint32_t dim : {1, 3, 100, 384}) {
    for (const auto datatype : {Datatype::float32, Datatype::float16, Datatype::uint8}) {
      const Field field = field_of(dim, datatype, Distance::cosine);
      RowCodec codec(field);
      std::vector<float> vector(dim);
      for (float& value : vector) {
        value = static_cast<float>(random() % 255 + 1);
      }
      std::vector<std::byte> row(row_bytes(field));
      std::vector<float> back(dim);
      codec.encode(vector.data(), row.data());
      codec.decode(row.data(), back.data());
      if (datatype == Datatype::uint8) {
        CHECK(back == vector);
      } else {
        double squared = 0;
        for (const float value : back) {
          squared += static_cast<double>(value) * value;
        }
        CHECK(squared == doctest::Approx(1.0).epsilon(0.002));
        // Stored again it keeps its bits, so that moving a vector does not change it.
        if (datatype == Datatype::float32) {
          std::vector<std::byte> again(row.size());
          codec.encode(back.data(), again.data());
          CHECK(again == row);
        }
      }
      const segment::ExactScorer scorer(field, vector.data());
      CHECK(scorer.similarity(row.data()) == doctest::Approx(1.0).epsilon(0.002));
    }
  }
  // Too long and too short to be squared; and no direction at all.
  const Field field = field_of(2, Datatype::float32, Distance::cosine);
  RowCodec codec(field);
  float back[2];
  for (const float scale :
       {3e38F, 1e30F, 1e-20F, 1e-38F, std::numeric_limits<float>::denorm_min() * 16}) {
    CAPTURE(scale);
    const float vector[2] = {scale * 0.6F, scale * -0.8F};
    codec.encode(vector, reinterpret_cast<std::byte*>(back));
    CHECK(back[0] == doctest::Approx(0.6).epsilon(0.05));
    CHECK(back[1] == doctest::Approx(-0.8).epsilon(0.05));
  }
  const float zero[2] = {0, 0};
  codec.encode(zero, reinterpret_cast<std::byte*>(back));
  CHECK(back[0] == 0);
  CHECK(segment::ExactScorer(field, zero).similarity(reinterpret_cast<std::byte*>(back)) == 0);
}

TEST_CASE("exact scorer: finite vectors never score NaN") {
  for (const auto distance :
       {Distance::cosine, Distance::dot, Distance::euclid, Distance::manhattan}) {
    for (const auto datatype : {Datatype::float32, Datatype::float16}) {
      const Field field = field_of(4, datatype, distance);
      RowCodec codec(field);
      const float huge = std::numeric_limits<float>::max();
      const float vectors[][4] = {
          {huge, -huge, huge, -huge}, {-huge, huge, huge, huge}, {0, 0, 0, 0}, {0, huge, 0, 0}};
      for (const auto& query : vectors) {
        for (const auto& vector : vectors) {
          std::byte row[16];
          codec.encode(vector, row);
          const float similarity = segment::ExactScorer(field, query).similarity(row);
          CAPTURE(static_cast<int>(distance));
          CAPTURE(static_cast<int>(datatype));
          CHECK(!std::isnan(similarity));
        }
      }
    }
  }
}
