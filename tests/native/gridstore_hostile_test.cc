// Files that were damaged, cut short or exchanged: what is read is right or an error, and nothing
// crashes.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "failing_storage.h"
#include "gridstore/flush_journal.h"
#include "gridstore_fixture.h"
#include "io_temporary_folder.h"
#include "quick_folder.h"

using namespace asyncstore;
using namespace asyncstore::gridstore_test;
using asyncstore::storage_test::FailingStorage;
using asyncstore::storage_test::QuickFolder;
using base::Code;
using gridstore::Entry;
using gridstore::TrackerPage;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t k_rounds = 40;
#else
constexpr uint64_t k_rounds = 300;
#endif

constexpr uint32_t k_slots = 900;
const std::shared_ptr<io::Storage> g_storage = io::make_posix_storage();

// A store with four tracker pages, several page files, a dictionary and a journal that is finished
// or not.
void make_store(Fixture& fixture, bool finished) {
  std::mt19937_64 random(1);
  REQUIRE(fixture.open().ok());
  for (int round = 0; round < 2; ++round) {
    for (uint32_t slot = 0; slot < k_slots; slot += round == 0 ? 1 : 7) {
      REQUIRE(fixture.put(slot, some_value(random)).ok());
    }
    if (round == 0 || finished) {
      REQUIRE(fixture.flush().ok());
      continue;
    }
    REQUIRE(fixture.write_out().ok());
    const auto plan = fixture.store().plan_flush();
    const uint64_t number = fixture.next_number();
    REQUIRE(fixture.store().prepare(*plan, number).ok());
    fixture.set_committed(number, fixture.now());
  }
  REQUIRE(fixture.store().statistics().dictionaries > 0);
  fixture.close();
}

Value content_of(const std::string& path) {
  return std::move(io::read_file(*g_storage, path, UINT64_MAX).value());
}

struct Found {
  bool opened = false;
  uint64_t absent = 0;  // that must be there
  uint64_t wrong = 0;   // a value that was never put there
  uint64_t errors = 0;
};

// Opens the folder and reads all; then goes on writing, which must not crash either.
Found look(const std::string& folder, const Fixture& fixture) {
  Found found;
  auto opened = gridstore::Gridstore::open(std::make_shared<FailingStorage>(), folder,
                                           fixture.options(), fixture.committed());
  if (!opened.ok()) {
    const Code code = opened.error().code;
    REQUIRE((code == Code::corruption || code == Code::unsupported || code == Code::io));
    return found;
  }
  found.opened = true;
  auto& store = *opened.value();
  REQUIRE(store.space_is_sound());
  const auto read_all = [&] {
    for (uint32_t slot = 0; slot < k_slots; ++slot) {
      const auto read = store.read(slot);
      const auto expected = fixture.durable().find(slot);
      if (!read.ok()) {
        ++found.errors;
      } else if (!read.value()) {
        found.absent += expected != fixture.durable().end() ? 1 : 0;
      } else if (expected == fixture.durable().end() || *read.value() != expected->second) {
        ++found.wrong;
      }
    }
  };
  read_all();
  uint64_t reported = 0;
  REQUIRE(store.check(0, UINT32_MAX, [&](uint32_t, const base::Error&) { ++reported; }).ok());
  REQUIRE(reported >= found.errors);
  for (uint32_t i = 0; i < 30; ++i) {
    REQUIRE(store.put(k_slots + i, Value(uint64_t{100} * i)).ok());
  }
  REQUIRE(store.write_out().ok());
  store.release(nullptr);
  auto plan = store.plan_flush();
  const uint64_t number = fixture.committed() + 100;
  REQUIRE(store.prepare(*plan, number).ok());
  REQUIRE(store.finish(*plan).ok());
  store.committed(std::move(plan));
  REQUIRE(store.space_is_sound());
  const uint64_t errors = found.errors;
  found.errors = 0;
  read_all();
  REQUIRE(found.errors == errors);
  // Damage is neither forgotten by the flush nor healed.
  opened.value().reset();
  auto again = gridstore::Gridstore::open(std::make_shared<FailingStorage>(), folder,
                                          fixture.options(), number);
  REQUIRE(again.ok());
  for (uint32_t slot = 0; slot < k_slots; ++slot) {
    REQUIRE((again.value()->read(slot).ok() || errors > 0));
  }
  return found;
}

void change_file(const std::string& path, std::mt19937_64& random) {
  Value content = content_of(path);
  switch (random() % 5) {
    case 0:  // one bit
    case 1:
      if (!content.empty()) {
        content[random() % content.size()] ^= std::byte{1} << random() % 8;
      }
      break;
    case 2:  // a torn or lost sector
      for (size_t at = content.empty() ? 0 : random() % content.size() / 512 * 512, i = 0;
           i < 512 && at + i < content.size(); ++i) {
        content[at + i] = std::byte{};
      }
      break;
    case 3:  // cut short
      content.resize(content.empty() ? 0 : random() % content.size());
      break;
    default:  // rubbish at the end
      for (uint64_t i = random() % 9000; i > 0; --i) {
        content.push_back(static_cast<std::byte>(random()));
      }
  }
  io_test::write_file(path, content);
}

}  // namespace

TEST_CASE("gridstore hostile: what is read from damaged files is right or an error") {
  for (const bool finished : {true, false}) {
    const QuickFolder folder;
    Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
    make_store(fixture, finished);
    std::filesystem::copy(folder / "grid", folder / "sound");
    const Found sound = look(folder / "sound", fixture);
    REQUIRE(sound.opened);
    REQUIRE(sound.errors + sound.wrong + sound.absent == 0);
    const uint64_t rounds = number_from_environment("ASYNCSTORE_TEST_OPERATIONS", k_rounds);
    uint64_t errors = 0;
    uint64_t opened = 0;
    for (uint64_t seed = 1; seed <= rounds; ++seed) {
      CAPTURE(finished);
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      const std::string copy = folder / "copy";
      std::filesystem::copy(folder / "grid", copy);
      const auto names = g_storage->list(copy).value();
      const std::string path = copy + "/" + names[random() % names.size()];
      CAPTURE(path);
      random() % 12 == 0 ? static_cast<void>(std::filesystem::remove(path))
                         : change_file(path, random);
      const Found found = look(copy, fixture);
      REQUIRE(found.wrong + found.absent == 0);
      errors += found.errors;
      opened += found.opened ? 1 : 0;
      std::filesystem::remove_all(copy);
    }
    CHECK(errors > 0);
    CHECK(opened > rounds / 2);
  }
}

TEST_CASE("gridstore hostile: pointers that lie behind checksums that hold") {
  const QuickFolder folder;
  Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
  make_store(fixture, true);
  for (uint64_t seed = 1; seed <= k_rounds / 2; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const std::string copy = folder / "copy";
    std::filesystem::copy(folder / "grid", copy);
    auto file = std::move(g_storage->open(copy + "/tracker", io::Open::read_write).value());
    TrackerPage page;
    const auto number = static_cast<uint32_t>(random() % 4);
    const auto bytes = std::as_writable_bytes(std::span(&page, 1));
    REQUIRE(file->read_at(gridstore::page_offset(number), bytes).ok());
    for (int i = 0; i < 20; ++i) {
      Entry& entry = page.entries[random() % gridstore::k_page_entries];
      switch (random() % 5) {
        case 0:
          entry = page.entries[random() % gridstore::k_page_entries];  // claimed twice
          break;
        case 1:
          entry.page = static_cast<uint32_t>(random());
          break;
        case 2:
          entry.block = static_cast<uint32_t>(random() >> random() % 32);
          break;
        case 3:
          entry.length_word = static_cast<uint32_t>(random());
          break;
        default:
          entry = {static_cast<uint32_t>(random() % 3 + UINT32_MAX - 2), 5, 6, 7};
      }
    }
    seal(page, fixture.options().owner);
    REQUIRE(file->write_at(gridstore::page_offset(number), bytes).ok());
    const Found found = look(copy, fixture);
    REQUIRE(found.opened);
    CHECK(found.wrong == 0);
    std::filesystem::remove_all(copy);
  }
}

TEST_CASE("gridstore hostile: files of another collection are refused") {
  const QuickFolder folder;
  Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
  make_store(fixture, true);
  gridstore::Options other = fixture.options();
  other.owner += 1;
  const auto opened =
      gridstore::Gridstore::open(g_storage, folder / "grid", other, fixture.committed());
  // The finished journal is not needed, so what remains are pointers that nobody believes.
  REQUIRE(opened.ok());
  CHECK(opened.value()->damaged().size() > 4);
  for (uint32_t slot = 0; slot < k_slots; ++slot) {
    REQUIRE(!opened.value()->read(slot).ok());
  }
}

TEST_CASE("gridstore hostile: a journal that promises more than there is") {
  const QuickFolder folder;
  Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
  make_store(fixture, false);
  const std::string path = gridstore::flush_path(folder / "grid", fixture.committed());
  for (const uint32_t slots : {gridstore::k_slots_max, uint32_t{200'000'000}}) {
    REQUIRE(gridstore::write_journal(*g_storage, path, fixture.options().owner,
                                     {fixture.committed(), slots, 0, 24 << 10}, {})
                .ok());
    const auto opened = gridstore::Gridstore::open(g_storage, folder / "grid", fixture.options(),
                                                   fixture.committed());
    REQUIRE(!opened.ok());
    CHECK(opened.error().code == Code::corruption);
  }
}

TEST_CASE("gridstore hostile: a damaged pointer is healed by a new value") {
  const QuickFolder folder;
  Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
  make_store(fixture, true);
  auto file = std::move(g_storage->open(folder / "grid/tracker", io::Open::read_write).value());
  const std::byte wrong[1] = {std::byte{77}};
  REQUIRE(file->write_at(gridstore::page_offset(0) + 5, wrong).ok());
  const auto journal = gridstore::done_path(folder / "grid", fixture.committed());
  const auto read = gridstore::FlushJournal::open(*g_storage, journal, fixture.options().owner,
                                                  fixture.committed());
  gridstore::FlushInfo info = read.value().info();
  info.images = 0;
  REQUIRE(gridstore::write_journal(*g_storage, journal, fixture.options().owner, info, {}).ok());
  REQUIRE(fixture.open().ok());
  auto& store = fixture.store();
  REQUIRE(store.damaged().size() == 1);
  CHECK(store.damaged()[0].offset_bytes == 0);
  REQUIRE(!store.read(3).ok());
  CHECK(store.read(3).error().code == Code::corruption);
  REQUIRE(store.read(300).ok());
  REQUIRE(fixture.put(3, Value(500)).ok());
  fixture.remove(4);
  REQUIRE(fixture.flush().ok());
  REQUIRE(fixture.open().ok());
  CHECK(*fixture.store().read(3).value() == Value(500));
  CHECK(!fixture.store().read(4).value());
  CHECK(!fixture.store().read(5).ok());  // the others are still known to be lost
}
