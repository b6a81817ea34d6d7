// Stores whose files were damaged while they were closed.
#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <set>

#include "closed_store.h"
#include "failing_storage.h"
#include "io_temporary_folder.h"
#include "quick_folder.h"
#include "store_fixture.h"
#include "wal/log_format.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using asyncstore::storage_test::FailingStorage;
using asyncstore::storage_test::QuickFolder;
using base::Code;
namespace fs = std::filesystem;

namespace {

// Opens, says what was rebuilt, holds everything; a second open finds nothing left to rebuild.
void check_rebuilt(const ClosedStore& closed, const std::string& path, const std::string& what) {
  for (const bool again : {false, true}) {
    CAPTURE(again);
    auto store = std::move(
        Store::open(path, ClosedStore::options(), std::make_shared<FailingStorage>()).value());
    for (const auto& broken : store->engine().broken()) {
      FAIL(broken.error.message);
    }
    const auto collection = store->collection("c");
    REQUIRE(collection != nullptr);
    const auto rebuilt = collection->statistics().rebuilt;
    if (again) {
      CHECK_MESSAGE(rebuilt.empty(), rebuilt.front());
    } else {
      REQUIRE(!rebuilt.empty());
      CAPTURE(rebuilt.front());
      CHECK(rebuilt.front().find(what) != std::string::npos);
    }
    check_store(*store, collection, closed.model, 1);
    // At first the manifest still names what was damaged.
    const Completion checked = store->check(collection);
    REQUIRE(ok(checked));
    for (const auto& finding : std::get<std::vector<engine::Finding>>(checked.value)) {
      CAPTURE(finding.text);
      CHECK((!again || !finding.error));
    }
    CHECK(store->collection("other")->view()->points == 1);
  }
}

void check_broken(const ClosedStore& closed, const std::string& path, const std::string& file) {
  auto store = std::move(
      Store::open(path, ClosedStore::options(), std::make_shared<FailingStorage>()).value());
  REQUIRE(store->engine().broken().size() == 1);
  const auto broken = store->engine().broken()[0];
  CAPTURE(broken.error.message);
  CHECK(broken.error.code == Code::corruption);
  CHECK(broken.error.file == file);
  CHECK(store->collection("c") == nullptr);
  const auto other = store->collection("other");
  REQUIRE(other != nullptr);
  const Model single = scroll_at_rest(*store, other);
  CHECK(single.size() == 1);
  require_derived(single);
  UpsertBatch batch(closed.fields);
  batch.add(PointId::integer(77), {{0, {1, 2, 3, 4, 5, 6}}});
  CHECK(ok(store->call(
      [&](uint64_t ticket) { return store->engine().write(ticket, other, batch.job()); })));
}

}  // namespace

TEST_CASE("recovery: derived files are rebuilt, and it is said") {
  const ClosedStore closed;
  struct Kind {
    const char* part;
    const char* suffix;
    const char* what;
  };
  for (const Kind kind :
       {Kind{"segments", ".codes", "codes"}, Kind{"segments", ".deleted", "deleted rows"},
        Kind{"points", ".points", "point table"}, Kind{"segments", ".rows", ""},
        Kind{"fields", ".sparse", "index of sparse vector"},
        Kind{"fields", ".multi", "codes of multivector"}}) {
    const auto files = closed.files(closed.folder / "store", kind.part, kind.suffix);
    REQUIRE(!files.empty());
    for (size_t index = 0; index < files.size(); ++index) {
      for (const int how : {0, 1, 2, 3, 4, 5}) {
        CAPTURE(files[index]);
        CAPTURE(how);
        const std::string path = closed.copy();
        const std::string file = closed.files(path, kind.part, kind.suffix)[index];
        const uint64_t size = fs::file_size(file);
        switch (how) {
          case 0:
            flip(file, 9);
            break;
          case 1:
            flip(file, 64);  // the first entry, block or row
            break;
          case 2:
            flip(file, 64 + 57);
            flip(file, 64 + 99);
            break;
          case 3:
            fs::resize_file(file, std::min<uint64_t>(size / 2, 64 + 17 * 40 + 3));
            break;
          case 4:
            fs::resize_file(file, 0);
            break;
          case 5:
            fs::remove(file);
            break;
        }
        check_rebuilt(closed, path, kind.what);
      }
    }
  }
}

TEST_CASE("recovery: entries of rows and deleted rows lost together follow from the table") {
  const ClosedStore closed;
  const std::string path = closed.copy();
  for (const auto& file : closed.files(path, "segments", ".rows")) {
    fs::remove(file);
  }
  for (const auto& file : closed.files(path, "segments", ".deleted")) {
    fs::remove(file);
  }
  for (const auto& file : closed.files(path, "segments", ".codes")) {
    fs::remove(file);
  }
  check_rebuilt(closed, path, "deleted rows");
}

TEST_CASE("recovery: the table and what it could be rebuilt from lost together is corruption") {
  const ClosedStore closed;
  SUBCASE("with the deleted rows") {
    const std::string path = closed.copy();
    const auto deleted = closed.files(path, "segments", ".deleted").front();
    flip(closed.files(path, "points", ".points").front(), 70);
    flip(deleted, 70);
    check_broken(closed, path, deleted);
  }
  SUBCASE("with a row's entry") {
    const std::string path = closed.copy();
    const auto rows = closed.files(path, "segments", ".rows").back();
    flip(closed.files(path, "points", ".points").front(), 70);
    for (uint64_t row = 0; row < 10; ++row) {
      flip(rows, 64 + 40 * row);
    }
    check_broken(closed, path, rows);
  }
}

TEST_CASE("recovery: a damaged original is reported where it is read; the rest stays readable") {
  const ClosedStore closed;
  const std::string path = closed.copy();
  // Row 5 of each segment of field a; whose rows they are is found by trying.
  std::set<std::pair<std::string, uint64_t>> damaged;
  for (const auto& file : closed.files(path, "segments", ".vectors")) {
    const uint64_t offset = 4096 + 5 * segment::RowLayout(24).stride();
    if (fs::file_size(file) > offset + 24) {
      flip(file, offset + 7);
      damaged.emplace(file, offset);
    }
  }
  auto store = std::move(
      Store::open(path, ClosedStore::options(), std::make_shared<FailingStorage>()).value());
  REQUIRE(store->engine().broken().empty());
  const auto collection = store->collection("c");
  REQUIRE(collection != nullptr);
  std::set<std::pair<std::string, uint64_t>> reported;
  for (const auto& [id, point] : closed.model) {
    for (const uint32_t field : {0U, 1U}) {
      const Completion completion = store->call([&](uint64_t ticket) {
        return store->engine().retrieve(ticket, collection, {id}, {{field}, {}});
      });
      if (completion.error) {
        CHECK(completion.error->code == Code::corruption);
        reported.emplace(completion.error->file, completion.error->offset_bytes);
        continue;
      }
      const auto& rows = std::get<engine::Rows>(completion.value);
      REQUIRE(rows.ids == std::vector<PointId>{id});
      REQUIRE((rows.vectors[0].present[0] != 0) == point.vectors.contains(field));
      if (point.vectors.contains(field)) {
        CHECK(rows.vectors[0].values == point.vectors.at(field));
      }
    }
  }
  CHECK(!reported.empty());
  CHECK(reported.size() <= damaged.size() + 3);  // in field b, other rows lie at this place
  for (const auto& [file, offset] : reported) {
    CAPTURE(file);
    CHECK(std::any_of(damaged.begin(), damaged.end(),
                      [&](const auto& one) { return one.first == file; }));
  }
  // Who writes the point again has it back.
  const auto ids = [&] {
    std::vector<PointId> all;
    for (const auto& [id, point] : closed.model) {
      all.push_back(id);
    }
    return all;
  }();
  UpsertBatch batch(closed.fields);
  Model model;
  std::mt19937_64 random(3);
  for (const auto& id : ids) {
    batch.add(id, {{0, random_vector(6, random)}});
  }
  REQUIRE(ok(store->call(
      [&](uint64_t ticket) { return store->engine().write(ticket, collection, batch.job()); })));
  batch.apply(model);
  check_store(*store, collection, model, 4);
}

TEST_CASE("recovery: a file STORE that was cut off, to nothing as well, is corruption") {
  const ClosedStore closed;
  for (const uint64_t size : {0, 1, 11, 19}) {
    CAPTURE(size);
    const std::string path = closed.copy();
    fs::resize_file(path + "/STORE", size);
    const auto opened =
        Store::open(path, ClosedStore::options(), std::make_shared<FailingStorage>());
    REQUIRE(!opened.ok());
    CHECK(opened.error().code == Code::corruption);
    CHECK(opened.error().file == path + "/STORE");
  }
}

TEST_CASE("recovery: originals that were cut off are reported where they are read") {
  const ClosedStore closed;
  const std::string path = closed.copy();
  std::set<std::string> cut;
  for (const auto& file : closed.files(path, "segments", ".vectors")) {
    fs::resize_file(file, 4096 + 3 * segment::RowLayout(24).stride() + 5);
    cut.insert(file);
  }
  SUBCASE("with their codes") {}
  SUBCASE("and their codes lost as well") {
    for (const auto& file : closed.files(path, "segments", ".codes")) {
      fs::remove(file);
    }
  }
  auto store = std::move(
      Store::open(path, ClosedStore::options(), std::make_shared<FailingStorage>()).value());
  REQUIRE(store->engine().broken().empty());
  const auto collection = store->collection("c");
  REQUIRE(collection != nullptr);
  size_t read = 0;
  size_t lost = 0;
  for (const auto& [id, point] : closed.model) {
    const Completion completion = store->call([&](uint64_t ticket) {
      return store->engine().retrieve(ticket, collection, {id}, {{0}, {}});
    });
    if (completion.error) {
      CAPTURE(completion.error->message);
      CHECK(completion.error->code == Code::corruption);
      CHECK(cut.contains(completion.error->file));
      ++lost;
    } else if (point.vectors.contains(0)) {
      CHECK(std::get<engine::Rows>(completion.value).vectors[0].values == point.vectors.at(0));
      ++read;
    }
  }
  CHECK(read > 0);
  CHECK(lost > 0);
  // Writing goes on, and merging leaves the segment alone.
  UpsertBatch batch(closed.fields);
  Model model = closed.model;
  std::mt19937_64 random(4);
  for (uint64_t id = 90'000; id < 90'010; ++id) {
    batch.add(PointId::integer(id), {{0, random_vector(6, random)}});
  }
  REQUIRE(ok(store->call(
      [&](uint64_t ticket) { return store->engine().write(ticket, collection, batch.job()); })));
  store.reset();
  for (const auto& file : cut) {
    CHECK(fs::exists(file));
  }
}

TEST_CASE("recovery: a row's entry and its original damaged together are not taken for sound") {
  const ClosedStore closed;
  const std::string path = closed.copy();
  for (const auto& file : closed.files(path, "segments", ".rows")) {
    flip(file, 64 + 40 * 5 + 9);
  }
  for (const auto& file : closed.files(path, "segments", ".vectors")) {
    const uint64_t offset = 4096 + 5 * segment::RowLayout(24).stride();
    if (fs::file_size(file) > offset + 24) {
      flip(file, offset + 7);
    }
  }
  auto store = std::move(
      Store::open(path, ClosedStore::options(), std::make_shared<FailingStorage>()).value());
  REQUIRE(store->engine().broken().empty());
  const auto collection = store->collection("c");
  size_t lost = 0;
  for (const auto& [id, point] : closed.model) {
    const Completion completion = store->call([&](uint64_t ticket) {
      return store->engine().retrieve(ticket, collection, {id}, {{0}, {}});
    });
    if (completion.error) {
      CHECK(completion.error->code == Code::corruption);
      ++lost;
    } else if (point.vectors.contains(0)) {
      CHECK(std::get<engine::Rows>(completion.value).vectors[0].values == point.vectors.at(0));
    }
  }
  CHECK(lost > 0);
}

TEST_CASE("recovery: the files of another collection are found out") {
  const ClosedStore first;
  const ClosedStore second;
  for (const auto& [part, suffix] :
       {std::pair("points", ".points"), {"segments", ".codes"}, {"segments", ".deleted"}}) {
    CAPTURE(suffix);
    const std::string path = first.copy();
    const auto own = first.files(path, part, suffix);
    const auto foreign = second.files(second.folder / "store", part, suffix);
    REQUIRE(!own.empty());
    REQUIRE(own.size() == foreign.size());
    for (size_t i = 0; i < own.size(); ++i) {
      fs::copy_file(foreign[i], own[i], fs::copy_options::overwrite_existing);
    }
    auto store = std::move(
        Store::open(path, ClosedStore::options(), std::make_shared<FailingStorage>()).value());
    REQUIRE(store->engine().broken().empty());
    const auto rebuilt = store->collection("c")->statistics().rebuilt;
    REQUIRE(!rebuilt.empty());
    CHECK(rebuilt.front().find("another collection") != std::string::npos);
    check_store(*store, store->collection("c"), first.model, 1);
  }
  const std::string path = first.copy();
  const auto own = first.files(path, "segments", ".vectors").front();
  fs::copy_file(second.files(second.folder / "store", "segments", ".vectors").front(), own,
                fs::copy_options::overwrite_existing);
  check_broken(first, path, own);
}

TEST_CASE("recovery: headers of segments are written anew") {
  const ClosedStore closed;
  for (const std::string suffix : {".vectors", ".rows"}) {
    CAPTURE(suffix);
    const std::string path = closed.copy();
    for (const auto& file : closed.files(path, "segments", suffix)) {
      flip(file, 12);
    }
    check_rebuilt(closed, path, "headers");
  }
}

TEST_CASE("recovery: what names all else cannot be rebuilt, and keeps one collection closed") {
  const ClosedStore closed;
  for (const std::string name : {"MANIFEST", "COLLECTION"}) {
    const uint64_t size = fs::file_size(closed.folder / "store/collections/1/" + name);
    for (uint64_t at = 0; at < size; at += 5) {
      CAPTURE(at);
      const std::string path = closed.copy();
      flip(path + "/collections/1/" + name, at);
      check_broken(closed, path, path + "/collections/1/" + name);
    }
    const std::string path = closed.copy();
    fs::resize_file(path + "/collections/1/" + name, size / 2);
    check_broken(closed, path, path + "/collections/1/" + name);
  }
}

TEST_CASE(
    "recovery: a lost manifest or description is an error, and nothing is taken for an orphan") {
  const ClosedStore closed;
  for (const std::string name : {"MANIFEST", "COLLECTION"}) {
    CAPTURE(name);
    const std::string path = closed.copy();
    const std::string lost = path + "/collections/1/" + name;
    fs::rename(lost, closed.folder / "aside");
    for (int i = 0; i < 2; ++i) {
      auto store = std::move(Store::open(path, ClosedStore::options()).value());
      REQUIRE(store->engine().broken().size() == 1);
      CHECK(store->engine().broken()[0].error.file == lost);
      CHECK(store->engine().broken()[0].name == (name == "MANIFEST" ? "c" : "1"));
    }
    fs::rename(closed.folder / "aside", lost);
    auto store = std::move(Store::open(path, ClosedStore::options()).value());
    check_store(*store, store->collection("c"), closed.model, 1);
  }
}

TEST_CASE("recovery: the log is replayed, and damage in its middle is corruption") {
  const ClosedStore closed(true);
  {
    const std::string path = closed.copy();
    auto store = std::move(Store::open(path, ClosedStore::options()).value());
    REQUIRE(store->engine().broken().empty());
    CHECK(store->collection("c")->statistics().rebuilt.empty());
    check_store(*store, store->collection("c"), closed.model, 1);
  }
  const auto files = closed.files(closed.folder / "store", "wal", ".wal");
  REQUIRE(!files.empty());
  // The last two operations are in the log alone; damage of the first of them is proven by the
  // other.
  const std::string path = closed.copy();
  std::vector<std::pair<std::string, uint64_t>> frames;  // file and offset
  for (const auto& log : closed.files(path, "wal", ".wal")) {
    const auto content = io::read_file(*g_storage, log, 1 << 30).value();
    for (uint64_t at = sizeof(wal::FileHeader); at + 32 < content.size();) {
      uint32_t payload = 0;
      std::memcpy(&payload, content.data() + at + 4, 4);
      const bool of_earlier_life =
          std::memcmp(content.data() + at + 24, content.data() + 12, 4) != 0;
      if (payload == 0 || of_earlier_life) {
        break;
      }
      frames.emplace_back(log, at);
      at += (32 + payload + 7) / 8 * 8;
    }
  }
  REQUIRE(frames.size() >= 2);
  const auto& [file, last_frame] = frames[frames.size() - 2];
  flip(file, last_frame + 40);
  check_broken(closed, path, file);
  auto store = std::move(Store::open(path, ClosedStore::options()).value());
  CHECK(store->engine().broken()[0].error.offset_bytes == last_frame);
}

TEST_CASE("recovery: noise in place of any file never crashes") {
  const ClosedStore closed(true);
  std::vector<std::string> all;
  for (const auto& entry :
       fs::recursive_directory_iterator(closed.folder / "store/collections/1")) {
    if (entry.is_regular_file()) {
      all.push_back(entry.path().string().substr((closed.folder / "store").size()));
    }
  }
  REQUIRE(all.size() > 8);
  for (uint64_t seed = 0; seed < 3 * all.size(); ++seed) {
    CAPTURE(seed);
    const std::string path = closed.copy();
    const std::string file = path + all[seed % all.size()];
    CAPTURE(file);
    io_test::write_file(file, io_test::random_bytes(
                                  seed < all.size() ? fs::file_size(file) : 77 * (seed % 9), seed));
    auto store = std::move(
        Store::open(path, ClosedStore::options(), std::make_shared<FailingStorage>()).value());
    if (const auto collection = store->collection("c")) {
      // Whatever is readable is right; what is not is told.
      for (const auto& [id, point] : closed.model) {
        const Completion completion = store->retrieve(collection, {id});
        if (!completion.error && std::get<engine::Rows>(completion.value).ids.size() == 1) {
          const auto& rows = std::get<engine::Rows>(completion.value);
          for (const auto& field : rows.vectors) {
            if (field.present[0] != 0) {
              const auto expected = point.vectors.find(field.field);
              // After a torn log an older value may be what was durable.
              REQUIRE((expected == point.vectors.end() ||
                       expected->second.size() == field.values.size()));
            }
          }
        }
      }
    } else {
      CHECK(store->engine().broken().size() == 1);
    }
  }
}
