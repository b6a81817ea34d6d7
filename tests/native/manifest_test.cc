#include "engine/manifest.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/crc32c.h"
#include "base/limits.h"
#include "engine/framed_file.h"
#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::engine;
using asyncstore::io_test::random_bytes;
using base::Code;

namespace {

constexpr uint64_t k_owner = 77;

CollectionFile sample_collection() {
  CollectionFile file;
  file.name = "Bücher";
  file.fields = {{"title",
                  384,
                  segment::Distance::cosine,
                  segment::Datatype::float32,
                  {.kind = quantize::Kind::scalar_int8,
                   .quantile = 0.99F,
                   .bits = 2,
                   .compression = 64,
                   .encoding = quantize::BinaryEncoding::two_bits,
                   .query_encoding = quantize::QueryEncoding::scalar8bits}},
                 {"", 1, segment::Distance::manhattan, segment::Datatype::uint8, {}}};
  file.config = random_bytes(77, 1);
  file.identity = k_owner;
  file.sparse = {"words", "Wörter"};
  file.multivectors = {
      {"rows", 128, segment::Distance::dot, segment::Datatype::float16, {}, {.m = 0}}};
  file.optimizers = {0.25, 0, std::nullopt, 5 << 20, 0, std::nullopt};
  return file;
}

Manifest sample_manifest() {
  Manifest manifest;
  manifest.owner = k_owner;
  manifest.lsn = 1234;
  manifest.point_count = 99;
  manifest.next_segment = 12;
  manifest.fields = {{{1, 5, 10, true, 1000}, {11, 0, 1, false, 0}}, {}};
  manifest.points = {16 * 1000, 16 * 1234};
  manifest.flushes = {7, 0, 5};
  manifest.kept = {{3, 1000}, {9, 1234}};
  return manifest;
}

}  // namespace

TEST_CASE("manifest: what is written is read") {
  const auto collection = parse_collection("p", encode(sample_collection()));
  REQUIRE(collection.ok());
  CHECK(collection.value().name == sample_collection().name);
  CHECK(collection.value().fields == sample_collection().fields);
  CHECK(collection.value().identity == k_owner);
  CHECK(collection.value().config == sample_collection().config);
  CHECK(collection.value().sparse == sample_collection().sparse);
  CHECK(collection.value().multivectors == sample_collection().multivectors);
  CHECK(collection.value().optimizers == sample_collection().optimizers);

  const auto manifest = parse_manifest("p", encode(sample_manifest()), k_owner, 2, 3);
  REQUIRE(manifest.ok());
  CHECK(manifest.value().lsn == 1234);
  CHECK(manifest.value().point_count == 99);
  CHECK(manifest.value().next_segment == 12);
  CHECK(manifest.value().points == sample_manifest().points);
  CHECK(manifest.value().flushes == sample_manifest().flushes);
  REQUIRE(manifest.value().kept.size() == 2);
  CHECK(manifest.value().kept[1].number == 9);
  CHECK(manifest.value().kept[1].lsn == 1234);
  REQUIRE(manifest.value().fields.size() == 2);
  REQUIRE(manifest.value().fields[0].size() == 2);
  CHECK(manifest.value().fields[0][0].sealed);
  CHECK(manifest.value().fields[0][0].deleted_lsn == 1000);
  CHECK(manifest.value().fields[0][1].rows_max == 1);
  CHECK(manifest.value().fields[1].empty());

  const auto foreign = parse_manifest("p", encode(sample_manifest()), k_owner + 1, 2, 3);
  REQUIRE(!foreign.ok());
  CHECK(foreign.error().code == Code::corruption);
}

TEST_CASE("manifest: those of stores from before such indexes were saved name none") {
  for (const size_t named : {0, 1}) {
    auto before = sample_manifest();
    before.kept.resize(named);
    const auto manifest = parse_manifest("p", encode(before), k_owner, 2, 3);
    REQUIRE(manifest.ok());
    REQUIRE(manifest.value().kept.size() == 2);
    CHECK(manifest.value().kept[0].number == (named == 0 ? 0 : 3));
    CHECK(manifest.value().kept[1].number == 0);
  }
}

TEST_CASE("manifest: a collection with no settings of the optimizer says nothing of them") {
  auto file = sample_collection();
  const size_t whole = encode(file).size();
  file.optimizers = {};
  CHECK(encode(file).size() == whole - 1 - 4 * 8);  // flags and four numbers
  const auto parsed = parse_collection("p", encode(file));
  REQUIRE(parsed.ok());
  CHECK_FALSE(parsed.value().optimizers.any());
}

TEST_CASE("manifest: each setting of the optimizer comes back, alone and with all others") {
  const OptimizerOverrides all{0.5, 1, 2, 3, 4, 5};
  OptimizerOverrides one_each[7] = {{}, {}, {}, {}, {}, {}, all};
  one_each[0].deleted_threshold = 1.0;
  one_each[1].vacuum_min_vector_number = UINT64_MAX;
  one_each[2].default_segment_number = UINT32_MAX;
  one_each[3].max_segment_bytes = 0;
  one_each[4].indexing_threshold_bytes = 0;
  one_each[5].flush_interval_s = 0;
  for (const OptimizerOverrides& given : one_each) {
    auto file = sample_collection();
    file.optimizers = given;
    const auto parsed = parse_collection("p", encode(file));
    REQUIRE(parsed.ok());
    CHECK(parsed.value().optimizers == given);
  }
}

TEST_CASE("manifest: a log's own size comes back, with settings of the optimizer and without") {
  for (const OptimizerOverrides& given : {OptimizerOverrides(), sample_collection().optimizers}) {
    auto file = sample_collection();
    file.optimizers = given;
    CHECK(parse_collection("p", encode(file)).value().log_file_bytes == 0);
    file.log_file_bytes = 1 << 20;
    const auto parsed = parse_collection("p", encode(file));
    REQUIRE(parsed.ok());
    CHECK(parsed.value().log_file_bytes == 1 << 20);
    CHECK(parsed.value().optimizers == given);
    file.log_file_bytes = base::k_log_file_bytes_max + 1;
    CHECK(parse_collection("p", encode(file)).error().code == Code::corruption);
  }
}

TEST_CASE("manifest: impossible settings of the optimizer under a sound checksum are refused") {
  const auto refused = [](base::Bytes ending) {
    auto file = sample_collection();
    file.optimizers = {};
    const auto encoded = encode(file);
    std::vector<std::byte> body(encoded.begin() + 16, encoded.end() - 4);
    body.insert(body.end(), ending.begin(), ending.end());
    const auto parsed =
        parse_collection("p", framed({'A', 'S', 'C', 'O', 'L', 'L', 'N', '1'}, body));
    REQUIRE(!parsed.ok());
    CHECK(parsed.error().code == Code::corruption);
  };
  refused(random_bytes(1000, 1));
  const std::byte nothing_said[9] = {};  // nor of the log
  refused(base::Bytes(nothing_said).first(1));
  refused(nothing_said);
  for (int flags = 1; flags < 256; ++flags) {
    const std::byte cut_short[] = {std::byte(flags)};
    refused(cut_short);
  }
  for (const uint8_t unknown : {0x40, 0x80, 0xFF}) {
    std::vector<std::byte> ending(1 + 6 * 8);
    ending[0] = std::byte{unknown};
    refused(ending);
  }
  const double infinite = std::numeric_limits<double>::infinity();
  for (const double part : {-0.001, 1.001, -infinite, infinite, std::nan("")}) {
    OptimizerOverrides overrides;
    overrides.deleted_threshold = part;
    base::ByteWriter ending;
    put(ending, overrides);
    refused(ending.bytes());
  }
}

TEST_CASE("manifest: every flipped bit, truncation and appended byte is an error") {
  for (const bool is_manifest : {true, false}) {
    const auto whole = is_manifest ? encode(sample_manifest()) : encode(sample_collection());
    const auto parse = [&](base::Bytes content) -> base::Status {
      if (is_manifest) {
        TRY(parse_manifest("some/path", content, k_owner, 2, 3));
      } else {
        TRY(parse_collection("some/path", content));
      }
      return {};
    };
    REQUIRE(parse(whole).ok());
    auto content = whole;
    for (size_t bit = 0; bit < content.size() * 8; ++bit) {
      content[bit / 8] ^= std::byte(1 << bit % 8);
      const auto status = parse(content);
      CAPTURE(bit);
      REQUIRE(!status.ok());
      CHECK(status.error().code == Code::corruption);
      CHECK(status.error().file == "some/path");
      content[bit / 8] ^= std::byte(1 << bit % 8);
    }
    for (size_t size = 0; size < content.size(); ++size) {
      REQUIRE(!parse(base::Bytes(content).first(size)).ok());
    }
    content.push_back(std::byte{0});
    CHECK(!parse(content).ok());
    // Of the other kind, and noise.
    CHECK(!parse(is_manifest ? encode(sample_collection()) : encode(sample_manifest())).ok());
    for (uint64_t seed = 0; seed < 300; ++seed) {
      CHECK(!parse(random_bytes(seed, seed)).ok());
    }
  }
}

TEST_CASE("manifest: a sound checksum over impossible values is refused") {
  const auto refused = [](const Manifest& manifest, size_t fields, size_t stores = 3) {
    const auto parsed = parse_manifest("p", encode(manifest), k_owner, fields, stores);
    REQUIRE(!parsed.ok());
    CHECK(parsed.error().code == Code::corruption);
  };
  refused(sample_manifest(), 1);
  refused(sample_manifest(), 3);
  refused(sample_manifest(), 2, 2);
  refused(sample_manifest(), 2, 4);
  auto manifest = sample_manifest();
  manifest.fields[0][0].rows = 11;  // of at most 10
  refused(manifest, 2);
  manifest = sample_manifest();
  manifest.next_segment = 11;  // exists
  refused(manifest, 2);
  manifest = sample_manifest();
  manifest.fields[0].resize(5000);
  refused(manifest, 2);
  // Sealed is 0 or 1: of the first segment, behind the header and what stands before it.
  auto content = encode(sample_manifest());
  constexpr size_t k_sealed = 16 + 3 * 8 + 3 * 4 + 3 * 4;
  REQUIRE(content[k_sealed] <= std::byte{1});
  content[k_sealed] = std::byte{2};
  const size_t end = content.size() - 4;
  const uint32_t checksum = base::crc32c(base::Bytes(content).first(end));
  std::memcpy(content.data() + end, &checksum, sizeof checksum);
  const auto parsed = parse_manifest("p", content, k_owner, 2, 3);
  REQUIRE(!parsed.ok());
  CHECK(parsed.error().message.find("checksum") == std::string::npos);
  for (const int what : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
    auto collection = sample_collection();
    auto& field = collection.fields[1];
    field.dim = what == 0 ? 0 : what == 1 ? 70'000 : 1;
    auto& codes = field.quantization;
    codes.quantile = what == 2 ? 0.1F : what == 3 ? 2.0F : 1.0F;
    codes.kind = static_cast<quantize::Kind>(what == 5 ? 5 : 0);
    codes.bits = what == 6 ? 3 : 4;
    codes.compression = what == 7 ? 128 : 16;
    codes.encoding = static_cast<quantize::BinaryEncoding>(what == 8 ? 3 : 0);
    codes.query_encoding = static_cast<quantize::QueryEncoding>(what == 9 ? 4 : 0);
    field.distance = static_cast<segment::Distance>(what == 4 ? 9 : 0);
    CHECK(parse_collection("p", encode(collection)).error().code == Code::corruption);
  }
}

TEST_CASE("manifest: a newer format is told apart from damage") {
  for (auto content : {encode(sample_manifest()), encode(sample_collection())}) {
    content[8] = std::byte{2};
    const uint32_t crc = base::crc32c(base::Bytes(content).first(content.size() - 4));
    std::memcpy(content.data() + content.size() - 4, &crc, 4);
    CHECK((content[5] == std::byte{'I'}
               ? parse_manifest("p", content, k_owner, 2, 3).error().code
               : parse_collection("p", content).error().code) == Code::unsupported);
  }
}
