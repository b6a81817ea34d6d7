// A store that was closed, or that died, with every kind of file; tests damage copies of it.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "failing_storage.h"
#include "quick_folder.h"
#include "store_fixture.h"

namespace asyncstore::engine_test {

inline const std::shared_ptr<io::Storage> g_storage = io::make_posix_storage();

inline void flip(const std::string& path, uint64_t offset, int bit = 3) {
  const auto file = std::move(g_storage->open(path, io::Open::read_write).value());
  std::byte byte{};
  REQUIRE(file->read_at(offset, {&byte, 1}).ok());
  byte ^= std::byte(1 << bit);
  REQUIRE(file->write_at(offset, {&byte, 1}).ok());
}

// A closed store with sealed segments, deleted rows, an appendable segment and two collections, and
// what "c" must hold; "other" holds one point.
struct ClosedStore {
  explicit ClosedStore(bool die = false) {
    std::mt19937_64 random(1);
    const auto storage = std::make_shared<storage_test::FailingStorage>();
    auto store = std::move(Store::open(folder / "store", options(), storage).value());
    REQUIRE(ok(store->create("c", fields)));
    REQUIRE(ok(store->create("other", fields)));
    for (const std::string name : {"other", "c"}) {
      const auto collection = store->collection(name);
      for (int part = 0; part < (name == "c" ? 5 : 1); ++part) {
        UpsertBatch batch(fields);
        for (uint64_t i = 0; i < (name == "c" ? 60U : 1U); ++i) {
          Vectors vectors = {{0, random_vector(6, random)}};
          if (random() % 2 == 0) {
            vectors[1] = random_vector(3, random);
          }
          batch.add(PointId::integer(random() % 200), vectors);
        }
        REQUIRE(ok(store->call([&](uint64_t ticket) {
          return store->engine().write(ticket, collection, batch.job());
        })));
        if (name == "c") {
          batch.apply(model);
          if (part == 1 || part == 2) {
            REQUIRE(ok(store->optimize(collection)));
          }
        }
      }
    }
    if (die) {
      storage->board().die_at(1);  // the last parts stay in the log
    }
  }
  static engine::Options options() {
    auto made = small_options();
    made.optimizers.indexing_threshold_bytes = 0;
    made.optimizers.vacuum_min_vector_number = 1'000'000;
    made.optimizers.default_segment_number = 10;
    return made;
  }

  // The files of "c" whose name ends so, in the folder `part`.
  std::vector<std::string> files(const std::string& root, const std::string& part,
                                 const std::string& suffix) const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(root + "/collections/1/" + part)) {
      if (entry.path().string().ends_with(suffix)) {
        found.push_back(entry.path().string());
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  std::string copy() const {
    std::filesystem::remove_all(folder / "copy");
    std::filesystem::copy(folder / "store", folder / "copy",
                          std::filesystem::copy_options::recursive);
    return folder / "copy";
  }

  storage_test::QuickFolder folder;
  std::vector<segment::Field> fields = {make_field("a", 6),
                                        make_field("b", 3, segment::Distance::euclid)};
  Model model;
};

}  // namespace asyncstore::engine_test
