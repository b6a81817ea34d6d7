// Dictionaries on disk: there before a value needs them, twice, and gone when nothing does.
#include <doctest/doctest.h>

#include <filesystem>
#include <random>

#include "failing_storage.h"
#include "gridstore_fixture.h"
#include "io_temporary_folder.h"
#include "quick_folder.h"

using namespace asyncstore;
using namespace asyncstore::gridstore_test;
using asyncstore::storage_test::Call;
using asyncstore::storage_test::FailingStorage;
using asyncstore::storage_test::QuickFolder;
using base::Code;

namespace {

constexpr uint32_t k_slots = 600;
// Where no dictionary can be in force yet: these stay readable without.
constexpr uint32_t k_plain = 20;

void put_texts(Fixture& fixture, uint32_t begin, uint32_t end, uint64_t dialect = 0) {
  std::mt19937_64 random(begin);
  for (uint32_t slot = begin; slot < end; ++slot) {
    REQUIRE(fixture.put(slot, some_text(random, dialect)).ok());
  }
  REQUIRE(fixture.write_out().ok());
}

std::vector<std::string> dictionary_files(const std::string& folder) {
  std::vector<std::string> found;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const auto kind = file.path().extension();
    if (kind == ".dictionary" || kind == ".mirror") {
      found.push_back(file.path().filename());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

using Names = std::vector<std::string>;
const Names k_first = {"1.dictionary", "1.mirror"};

uint64_t findings(const Gridstore& store) {
  uint64_t count = 0;
  store.check_dictionaries([&](uint32_t, const base::Error&) { ++count; });
  return count;
}

void flip(const std::string& path) {
  Value content = std::move(io::read_file(*io::make_posix_storage(), path, UINT64_MAX).value());
  content[content.size() / 2] ^= std::byte{8};
  io_test::write_file(path, content);
}

}  // namespace

TEST_CASE("gridstore dictionary: saved with the flush whose values need it, and used again") {
  const QuickFolder folder;
  Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
  REQUIRE(fixture.open().ok());
  put_texts(fixture, 0, k_slots);
  REQUIRE(fixture.store().statistics().dictionaries == 1);
  CHECK(fixture.store().statistics().live_blocks < 2 * k_slots);
  CHECK(dictionary_files(folder / "grid").empty());
  REQUIRE(fixture.flush().ok());
  CHECK(dictionary_files(folder / "grid") == k_first);
  CHECK(findings(fixture.store()) == 0);
  REQUIRE(fixture.open().ok());
  CHECK(fixture.store().statistics().dictionaries == 1);
  check_equal(fixture.store(), fixture.durable());
  // From the first value on, and without another dictionary of the kind.
  const uint64_t blocks = fixture.store().statistics().live_blocks;
  put_texts(fixture, k_slots, k_slots + 400);
  CHECK(fixture.store().statistics().live_blocks - blocks <= 800);
  CHECK(fixture.store().statistics().dictionaries == 1);
  put_texts(fixture, k_slots + 400, k_slots + 3000, 1);
  CHECK(fixture.store().statistics().dictionaries == 2);
  REQUIRE(fixture.flush().ok());
  REQUIRE(fixture.open().ok());
  CHECK(fixture.store().statistics().dictionaries == 2);
  check_equal(fixture.store(), fixture.durable());
}

TEST_CASE("gridstore dictionary: one that no flush committed is gone at open") {
  const QuickFolder folder;
  Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
  REQUIRE(fixture.open().ok());
  put_texts(fixture, 0, k_plain);
  REQUIRE(fixture.flush().ok());
  put_texts(fixture, k_plain, k_slots);
  auto plan = fixture.store().plan_flush();
  REQUIRE(fixture.store().prepare(*plan, fixture.next_number()).ok());
  CHECK(dictionary_files(folder / "grid") == k_first);
  SUBCASE("after a crash") {}
  SUBCASE("given up, then a crash") {
    fixture.store().abandon(std::move(plan));
  }
  plan.reset();
  REQUIRE(fixture.open().ok());
  CHECK(dictionary_files(folder / "grid").empty());
  CHECK(fixture.store().statistics().dictionaries == 0);
  check_equal(fixture.store(), fixture.durable());
  // The number is used again, for other text.
  put_texts(fixture, k_plain, k_slots, 1);
  REQUIRE(fixture.flush().ok());
  REQUIRE(fixture.open().ok());
  check_equal(fixture.store(), fixture.durable());
}

TEST_CASE("gridstore dictionary: a flush that is given up leaves it to the next") {
  for (const auto& [call, part] : {std::pair<Call, std::string>{Call::write, ".mirror"},
                                   {Call::open, ".dictionary"},
                                   {Call::write, ".flush"}}) {
    CAPTURE(part);
    const QuickFolder folder;
    const auto storage = std::make_shared<FailingStorage>();
    Fixture fixture(storage, folder / "grid");
    REQUIRE(fixture.open().ok());
    put_texts(fixture, 0, k_slots);
    storage->board().arm({call, 1, ENOSPC, 100, part});
    REQUIRE(!fixture.flush().ok());
    REQUIRE(storage->board().faults_met() == 1);
    REQUIRE(fixture.flush().ok());
    CHECK(findings(fixture.store()) == 0);
    REQUIRE(fixture.open().ok());
    CHECK(dictionary_files(folder / "grid") == k_first);
    check_equal(fixture.store(), fixture.durable());
  }
}

TEST_CASE("gridstore dictionary: one file is made anew from the other") {
  for (const std::string& name : k_first) {
    for (const bool gone : {true, false}) {
      CAPTURE(name);
      CAPTURE(gone);
      const QuickFolder folder;
      const auto storage = std::make_shared<FailingStorage>();
      Fixture fixture(storage, folder / "grid");
      REQUIRE(fixture.open().ok());
      put_texts(fixture, 0, k_slots);
      REQUIRE(fixture.flush().ok());
      const std::string path = folder / "grid/" + name;
      if (gone) {
        std::filesystem::remove(path);
      } else {
        flip(path);
      }
      CHECK(findings(fixture.store()) == 1);
      // A disk that is full meanwhile: all can be read, and the damage is told of.
      storage->board().arm({Call::write, 1, ENOSPC, 10, name});
      REQUIRE(fixture.open().ok());
      REQUIRE(fixture.store().damaged().size() == 1);
      CHECK(fixture.store().damaged()[0].file == path);
      REQUIRE(fixture.store().read(k_slots - 1).ok());
      REQUIRE(fixture.open().ok());
      CHECK(findings(fixture.store()) == 0);
      check_equal(fixture.store(), fixture.durable());
    }
  }
}

TEST_CASE("gridstore dictionary: without both files, the values that need it are damaged") {
  const QuickFolder folder;
  Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
  REQUIRE(fixture.open().ok());
  put_texts(fixture, 0, k_slots);
  REQUIRE(fixture.flush().ok());
  std::filesystem::remove(folder / "grid/1.dictionary");
  flip(folder / "grid/1.mirror");
  REQUIRE(fixture.open().ok());
  CHECK(fixture.store().damaged().size() == 1);
  CHECK(findings(fixture.store()) == 2);
  uint64_t lost = 0;
  for (uint32_t slot = 0; slot < k_slots; ++slot) {
    const auto read = fixture.store().read(slot);
    REQUIRE((read.ok() || read.error().code == Code::corruption));
    REQUIRE((!read.ok() || *read.value() == fixture.durable().at(slot)));
    lost += read.ok() ? 0 : 1;
    REQUIRE((slot >= k_plain || read.ok()));
  }
  CHECK(lost > k_slots / 2);
  CHECK(lost < k_slots);
  // New values get a dictionary with another number.
  put_texts(fixture, 0, k_slots);
  CHECK(fixture.store().statistics().dictionaries == 2);
  REQUIRE(fixture.flush().ok());
  REQUIRE(fixture.open().ok());
  for (uint32_t slot = 0; slot < k_slots; ++slot) {
    REQUIRE(*fixture.store().read(slot).value() == fixture.durable().at(slot));
  }
}

TEST_CASE("gridstore dictionary: known without the journal that tells of it") {
  const QuickFolder folder;
  Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
  REQUIRE(fixture.open().ok());
  put_texts(fixture, 0, k_slots);
  REQUIRE(fixture.flush().ok());
  flip(gridstore::done_path(folder / "grid", fixture.committed()));
  REQUIRE(fixture.open().ok());
  CHECK(fixture.store().damaged().size() <= 1);
  for (uint32_t slot = 0; slot < k_slots; ++slot) {
    REQUIRE(*fixture.store().read(slot).value() == fixture.durable().at(slot));
  }
}
