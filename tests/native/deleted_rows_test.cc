#include "segment/deleted_rows.h"

#include <doctest/doctest.h>

#include <random>
#include <set>

#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::io_test;
using base::Code;
using segment::DeletedRows;
using segment::DeletedRowsBuilder;

namespace {

constexpr uint64_t k_owner = 77;

const std::shared_ptr<io::Storage> g_storage = io::make_posix_storage();

void check_equal(const DeletedRows& deleted, const std::set<uint32_t>& model, uint32_t rows) {
  REQUIRE(deleted.count() == model.size());
  for (uint32_t index = 0; index <= rows / 64; ++index) {
    uint64_t expected = 0;
    for (uint32_t bit = 0; bit < 64; ++bit) {
      expected |= static_cast<uint64_t>(model.contains(index * 64 + bit)) << bit;
    }
    REQUIRE(deleted.word(index) == expected);
  }
}

}  // namespace

TEST_CASE("deleted rows: versions equal sets, and old versions stay as they were") {
  constexpr uint32_t k_rows = 30'000;
  for (const uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    const TemporaryFolder folder;
    std::mt19937_64 random(seed);
    std::shared_ptr<const DeletedRows> now;
    std::set<uint32_t> model;
    std::vector<std::pair<std::shared_ptr<const DeletedRows>, std::set<uint32_t>>> history;
    for (int version = 0; version < 30; ++version) {
      DeletedRowsBuilder builder(now);
      const uint64_t marks = random() % 3 == 0 ? 0 : random() % 500;
      // Near the end of the rows, or near the beginning, or anywhere.
      const uint32_t from = version % 3 == 0 ? 29'000 : 0;
      const uint32_t range = version % 3 == 1 ? 5000 : k_rows - from;
      for (uint64_t i = 0; i < marks; ++i) {
        const auto row = static_cast<uint32_t>(from + random() % range);
        builder.mark(row);
        builder.mark(row);
        model.insert(row);
      }
      const auto next = builder.build();
      CHECK((marks > 0 || next == now));
      if (next) {
        history.emplace_back(next, model);
        now = next;
      }
    }
    for (const auto& [version, set] : history) {
      check_equal(*version, set, k_rows);
    }
    REQUIRE(now != nullptr);
    CHECK(now->ram_bytes() >= 512);
    for (uint32_t row = 0; row < k_rows; ++row) {
      REQUIRE(now->contains(row) == model.contains(row));
    }
    REQUIRE(now->write(*g_storage, folder / "a", k_owner, 3).ok());
    const auto read = DeletedRows::read(*g_storage, folder / "a", k_owner, 3, k_rows);
    REQUIRE(read.ok());
    check_equal(*read.value(), model, k_rows);
  }
}

TEST_CASE("deleted rows: damaged and foreign files are corruption") {
  const TemporaryFolder folder;
  DeletedRowsBuilder builder(nullptr);
  builder.mark(5000);
  REQUIRE(builder.build()->write(*g_storage, folder / "a", k_owner, 3).ok());
  CHECK(DeletedRows::read(*g_storage, folder / "a", k_owner, 3, 5001).ok());
  CHECK(DeletedRows::read(*g_storage, folder / "a", k_owner, 4, 5001).error().code ==
        Code::corruption);
  CHECK(DeletedRows::read(*g_storage, folder / "a", k_owner, 3, 4000).error().code ==
        Code::corruption);
  // A row that the segment does not have.
  CHECK(DeletedRows::read(*g_storage, folder / "a", k_owner, 3, 5000).error().code ==
        Code::corruption);
  auto content = io::read_file(*g_storage, folder / "a", 4096).value();
  for (size_t at = 0; at < content.size(); at += at < 64 ? 1 : 13) {
    content[at] ^= std::byte{2};
    write_file(folder / "a", content);
    const auto read = DeletedRows::read(*g_storage, folder / "a", k_owner, 3, 5001);
    CAPTURE(at);
    REQUIRE(!read.ok());
    CHECK(read.error().code == Code::corruption);
    CHECK(read.error().file == folder / "a");
    content[at] ^= std::byte{2};
  }
}
