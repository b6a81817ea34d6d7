#include "points/points_file.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "io/checked_file.h"
#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::io_test;
using base::Code;
using points::Location;
using points::PointEntry;
using points::PointId;
using points::PointsBuffer;
using points::PointTable;

namespace {

const std::shared_ptr<io::Storage> g_storage = io::make_posix_storage();
constexpr io::Magic k_magic = {'A', 'S', 'P', 'O', 'I', 'N', 'T', '1'};
constexpr uint64_t k_owner = 77;
constexpr uint64_t k_number = 9;

// Files that all carry the same number.
std::vector<points::PointsFile> files_of(const std::vector<std::string>& paths) {
  std::vector<points::PointsFile> files;
  for (const auto& path : paths) {
    files.push_back({path, k_number});
  }
  return files;
}

using Model = std::map<PointId, std::pair<uint64_t, Location>>;

void check_equal(PointTable& table, const Model& model) {
  REQUIRE(table.live_count() == model.size());
  for (const auto& [id, point] : model) {
    const uint32_t slot = table.find(id);
    REQUIRE(slot != points::k_no_slot);
    CHECK(table.id(slot) == id);
    CHECK(table.version(slot) == point.first);
    CHECK(table.location(slot, 0) == point.second);
    CHECK(table.location(slot, 1) == (id.low % 2 == 0 ? point.second : Location{}));
  }
}

void write_point(PointTable& table, Model& model, const PointId& id, uint64_t version,
                 Location location) {
  REQUIRE(table.reserve(1));
  const uint32_t slot = table.find_or_add(id);
  table.set_location(slot, 0, location);
  table.set_location(slot, 1, id.low % 2 == 0 ? location : Location{});
  table.set_version(slot, version);
  model[id] = {version, location};
}

// A file of entries as they come, which need not make sense.
void write_raw(const std::string& path, const std::vector<PointEntry>& entries, uint32_t slot_count,
               uint32_t fields = 2) {
  PointsBuffer buffer(fields);
  for (const auto& entry : entries) {
    buffer.add(entry);
  }
  REQUIRE(buffer.write(*g_storage, {path, k_number}, k_owner, slot_count).ok());
}

}  // namespace

TEST_CASE("points file: base, changes and merged base load to the same table") {
  for (const uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    const TemporaryFolder folder;
    std::mt19937_64 random(seed);
    PointTable table(2);
    Model model;
    std::vector<points::PointsFile> files;
    for (uint64_t file = 0; file < 6; ++file) {
      // The first is larger than a part of the file that is read at once.
      const uint64_t steps = file == 0 ? 60'000 : 3000;
      for (uint64_t step = 0; step < steps; ++step) {
        const PointId id = random() % 4 > 0 ? PointId::integer(random() % 40'000)
                                            : PointId{true, random() % 3, random() % 1000};
        if (random() % 5 > 0) {
          write_point(table, model, id, file + 1,
                      {static_cast<uint32_t>(file), static_cast<uint32_t>(step)});
        } else if (model.erase(id) > 0) {
          table.erase(table.find(id));
        }
        if (step % 20 == 0) {
          table.release(std::make_shared<int>(0));  // slots go from one id to another
        }
      }
      PointsBuffer buffer(2);
      table.begin_changes([&](const PointEntry& entry) { buffer.add(entry); });
      while (table.take_changes(UINT32_MAX)) {
      }
      files.push_back({folder / std::to_string(file), file});
      REQUIRE(buffer.write(*g_storage, files.back(), k_owner, table.slot_count()).ok());
      PointTable loaded(2);
      REQUIRE(points::load_points(*g_storage, files, k_owner, loaded).ok());
      loaded.load_finish();
      check_equal(loaded, model);
      CHECK(loaded.slot_count() == table.slot_count());
      if (file == 2 || file == 5) {
        const points::PointsFile target{folder / "merged" + std::to_string(file), 100 + file};
        const auto merged = points::merge_points(*g_storage, files, k_owner, 2, target);
        REQUIRE(merged.ok());
        CHECK(merged.value() == model.size());
        PointTable again(2);
        files = {target};
        REQUIRE(points::load_points(*g_storage, files, k_owner, again).ok());
        again.load_finish();
        check_equal(again, model);
        CHECK(again.slot_count() == table.slot_count());
      }
    }
  }
}

TEST_CASE("points file: ids that exchange their slots") {
  const TemporaryFolder folder;
  const auto a = PointId::integer(1);
  const auto b = PointId::integer(2);
  const std::vector<Location> place = {Location{1, 1}, Location{}};
  write_raw(folder / "base", {{0, true, a, 1, place}, {1, true, b, 1, place}}, 2);
  write_raw(folder / "change", {{0, true, b, 2, place}, {1, true, a, 2, place}}, 2);
  PointTable table(2);
  const auto files = files_of({folder / "base", folder / "change"});
  REQUIRE(points::load_points(*g_storage, files, k_owner, table).ok());
  CHECK(table.find(a) == 1);
  CHECK(table.find(b) == 0);
  CHECK(table.live_count() == 2);
  const points::PointsFile target{folder / "merged", 10};
  REQUIRE(points::merge_points(*g_storage, files, k_owner, 2, target).ok());
  PointTable merged(2);
  REQUIRE(points::load_points(*g_storage, {target}, k_owner, merged).ok());
  CHECK(merged.find(a) == 1);
  CHECK(merged.version(1) == 2);
}

TEST_CASE("points file: slots at the end that have no point any more are slots still") {
  // Indexes that were saved earlier may name them.
  const TemporaryFolder folder;
  const std::vector<Location> place = {Location{1, 1}, Location{}};
  const auto dead = PointId::integer(9);
  write_raw(folder / "base", {{0, true, PointId::integer(1), 1, place}, {1, true, dead, 1, place}},
            8);
  write_raw(folder / "change", {{1, false, dead, 1, place}}, 8);
  const points::PointsFile target{folder / "merged", 10};
  const auto files = files_of({folder / "base", folder / "change"});
  REQUIRE(points::merge_points(*g_storage, files, k_owner, 2, target).ok());
  PointTable table(2);
  REQUIRE(points::load_points(*g_storage, {target}, k_owner, table).ok());
  table.load_finish();
  CHECK(table.live_count() == 1);
  CHECK(table.slot_count() == 8);
  Model model;
  write_point(table, model, PointId::integer(2), 2, {1, 2});
  CHECK(table.find(PointId::integer(2)) == 1);
}

TEST_CASE("points file: an empty table") {
  const TemporaryFolder folder;
  write_raw(folder / "a", {}, 0);
  PointTable table(2);
  CHECK(points::load_points(*g_storage, files_of({folder / "a"}), k_owner, table).ok());
  CHECK(points::load_points(*g_storage, {}, k_owner, table).ok());
  table.load_finish();
  CHECK(table.live_count() == 0);
  const auto merged = points::merge_points(*g_storage, files_of({folder / "a", folder / "a"}),
                                           k_owner, 2, {folder / "b", 10});
  REQUIRE(merged.ok());
  CHECK(merged.value() == 0);
}

TEST_CASE("points file: contradictions and hostile files are corruption") {
  const TemporaryFolder folder;
  const auto a = PointId::integer(1);
  const std::vector<Location> place = {Location{1, 1}, Location{}};
  const auto load = [&](std::vector<std::string> paths) {
    PointTable table(2);
    auto status = points::load_points(*g_storage, files_of(paths), k_owner, table);
    REQUIRE(!status.ok());
    CHECK(status.error().code == Code::corruption);
    CHECK(status.error().file == paths.back());
  };
  SUBCASE("one id in two slots") {
    write_raw(folder / "base", {}, 0);  // a base is not searched for its own ids
    write_raw(folder / "a", {{0, true, a, 1, place}, {1, true, a, 1, place}}, 2);
    load({folder / "base", folder / "a"});
  }
  SUBCASE("one slot twice") {
    write_raw(folder / "a", {{0, true, a, 1, place}, {0, true, PointId::integer(2), 1, place}}, 2);
    load({folder / "a"});
  }
  SUBCASE("one slot twice in the changes") {
    write_raw(folder / "base", {{0, true, a, 1, place}}, 2);
    write_raw(folder / "a",
              {{1, true, PointId::integer(2), 1, place}, {1, true, PointId::integer(3), 1, place}},
              2);
    load({folder / "base", folder / "a"});
  }
  SUBCASE("an id of the base that the changes give to another slot") {
    write_raw(folder / "base", {{0, true, a, 1, place}}, 2);
    write_raw(folder / "a", {{1, true, a, 2, place}}, 2);
    load({folder / "base", folder / "a"});
  }
  SUBCASE("a slot beyond the count") {
    write_raw(folder / "a", {{5, true, a, 1, place}}, 2);
    load({folder / "a"});
  }
  SUBCASE("another number of fields") {
    write_raw(folder / "a", {{0, true, a, 1, {Location{1, 1}}}}, 2, 1);
    load({folder / "a"});
  }
  SUBCASE("counts that do not fit") {
    for (const io::Fields fields :
         {io::Fields{k_number, 2, 3, 2}, io::Fields{k_number, UINT64_MAX, 1, 2},
          io::Fields{k_number, 2, UINT64_MAX, 2}, io::Fields{k_number, UINT32_MAX, UINT32_MAX, 2},
          io::Fields{k_number, 2, 1, UINT64_MAX}}) {
      auto writer =
          io::CheckedFileWriter::create(*g_storage, folder / "a", {k_magic, k_owner}, fields);
      REQUIRE(writer.ok());
      REQUIRE(writer.value().append(random_bytes(48, 1)).ok());
      REQUIRE(writer.value().finish().ok());
      load({folder / "a"});
    }
  }
  SUBCASE("a file of another collection, or under another name") {
    write_raw(folder / "a", {{0, true, a, 1, place}}, 2);
    PointTable table(2);
    CHECK(points::load_points(*g_storage, {{folder / "a", k_number}}, k_owner, table).ok());
    for (const auto& [number, owner] :
         {std::pair{k_number + 1, k_owner}, {k_number, k_owner + 1}}) {
      PointTable other(2);
      const auto status = points::load_points(*g_storage, {{folder / "a", number}}, owner, other);
      REQUIRE(!status.ok());
      CHECK(status.error().code == Code::corruption);
    }
  }
  SUBCASE("a damaged file") {
    write_raw(folder / "a", {{0, true, a, 1, place}}, 2);
    auto content = io::read_file(*g_storage, folder / "a", 4096).value();
    for (size_t at = 0; at < content.size(); ++at) {
      content[at] ^= std::byte{16};
      write_file(folder / "a", content);
      load({folder / "a"});
      content[at] ^= std::byte{16};
    }
  }
}
