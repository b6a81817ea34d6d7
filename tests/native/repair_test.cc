// Damage while a store is open: a check finds it, a repair mends it, and reopening finds nothing.
#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>

#include "closed_store.h"
#include "engine/manifest.h"
#include "failing_storage.h"
#include "segment/deleted_rows.h"
#include "store_fixture.h"
#include "wal/log_format.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using asyncstore::storage_test::Call;
using asyncstore::storage_test::FailingStorage;
using engine::Finding;
namespace fs = std::filesystem;

namespace {

// A copy of a store, open.
struct OpenStore {
  explicit OpenStore(const ClosedStore& closed_store) : closed(closed_store), path(closed.copy()) {
    open();
  }
  void open() {
    collection.reset();
    store.reset();
    storage = std::make_shared<FailingStorage>();
    store = std::move(Store::open(path, options, storage).value());
    for (const auto& broken : store->engine().broken()) {
      FAIL(broken.error.message);
    }
    collection = store->collection("c");
    REQUIRE(collection != nullptr);
  }
  std::vector<Finding> check(bool repair = false) {
    const Completion checked = store->check(collection, repair);
    REQUIRE(ok(checked));
    return std::get<std::vector<Finding>>(checked.value);
  }
  void must_be_clean() {
    for (const Finding& finding : check()) {
      FAIL_CHECK(finding.text);
    }
  }
  // Something is found, all of it can be repaired, and is; nothing of it is left.
  void must_be_mended(const Model& model) {
    const auto found = check();
    REQUIRE(!found.empty());
    for (const Finding& finding : found) {
      CAPTURE(finding.text);
      CHECK(finding.error);
      CHECK(finding.repairable);
      CHECK(!finding.repaired);
    }
    const auto repaired = check(true);
    CHECK(repaired.size() == found.size());
    for (const Finding& finding : repaired) {
      CAPTURE(finding.text);
      CHECK(!finding.error);
      CHECK(finding.repaired);
    }
    must_be_clean();
    check_store(*store, collection, model, 1);
    storage->board().die_at(1);  // closing adds nothing
    must_reopen_clean(model);
  }
  void must_reopen_clean(const Model& model) {
    open();
    const auto rebuilt = collection->statistics().rebuilt;
    CHECK_MESSAGE(rebuilt.empty(), rebuilt.front());
    must_be_clean();
    check_store(*store, collection, model, 2);
  }
  void write(UpsertBatch& batch, Model& model) {
    REQUIRE(ok(store->call(
        [&](uint64_t ticket) { return store->engine().write(ticket, collection, batch.job()); })));
    batch.apply(model);
  }
  std::string folder() const { return path + "/collections/1"; }
  std::vector<std::string> files(const std::string& part, const std::string& suffix) const {
    return closed.files(path, part, suffix);
  }

  const ClosedStore& closed;
  std::string path;
  engine::Options options = ClosedStore::options();
  std::shared_ptr<FailingStorage> storage;
  std::unique_ptr<Store> store;
  std::shared_ptr<engine::Collection> collection;
};

enum class How : uint8_t { header, content, scattered, cut, empty, gone };

void damage(const std::string& file, How how) {
  const uint64_t size = fs::file_size(file);
  switch (how) {
    case How::header:
      flip(file, 9);
      break;
    case How::content:
      flip(file, std::min<uint64_t>(size * 2 / 3, 1500));
      break;
    case How::scattered:
      flip(file, 17);
      flip(file, size / 2);
      flip(file, size - 2);
      break;
    case How::cut:
      fs::resize_file(file, std::min<uint64_t>(size / 2, 1000));
      break;
    case How::empty:
      fs::resize_file(file, 0);
      break;
    case How::gone:
      fs::remove(file);
      break;
  }
}

engine::Manifest manifest_of(const std::string& folder, uint64_t identity, size_t fields) {
  const std::string path = folder + "/MANIFEST";
  const auto content = io::read_file(*g_storage, path, 1 << 20).value();
  return engine::parse_manifest(path, content, identity, fields, 3).value();
}

// Files of the log with the places of their frames, those of an earlier life left out.
std::vector<std::pair<std::string, uint64_t>> frames_of(const std::vector<std::string>& logs) {
  std::vector<std::pair<std::string, uint64_t>> frames;
  for (const auto& log : logs) {
    const auto content = io::read_file(*g_storage, log, 1 << 30).value();
    for (uint64_t at = sizeof(wal::FileHeader); at + 32 < content.size();) {
      uint32_t payload = 0;
      std::memcpy(&payload, content.data() + at + 4, 4);
      if (payload == 0 || std::memcmp(content.data() + at + 24, content.data() + 12, 4) != 0) {
        break;
      }
      frames.emplace_back(log, at);
      at += (32 + payload + 7) / 8 * 8;
    }
  }
  return frames;
}

}  // namespace

TEST_CASE("repair: a damaged file of any kind that is derived or held twice") {
  const ClosedStore closed;
  struct Kind {
    const char* part;
    const char* suffix;
  };
  for (const Kind kind :
       {Kind{"segments", ".codes"}, Kind{"segments", ".deleted"}, Kind{"points", ".points"},
        Kind{"payload", "/tracker"}, Kind{"payload", ".done"}, Kind{"fields", ".sparse"},
        Kind{"fields", ".multi"}, Kind{"", "/MANIFEST"}, Kind{"", "/COLLECTION"}}) {
    for (const How how :
         {How::header, How::content, How::scattered, How::cut, How::empty, How::gone}) {
      CAPTURE(kind.suffix);
      CAPTURE(static_cast<int>(how));
      OpenStore open(closed);
      const auto files = open.files(kind.part, kind.suffix);
      REQUIRE(!files.empty());
      for (const auto& file : files) {
        damage(file, how);
      }
      open.must_be_mended(closed.model);
    }
  }
}

TEST_CASE("repair: files of another collection and of another segment") {
  const ClosedStore closed;
  for (const auto& [part, suffix] : {std::pair("segments", ".codes"), {"segments", ".deleted"}}) {
    CAPTURE(suffix);
    OpenStore open(closed);
    const auto files = open.files(part, suffix);
    REQUIRE(files.size() > 1);
    fs::copy_file(files[1], files[0], fs::copy_options::overwrite_existing);
    open.must_be_mended(closed.model);
  }
  OpenStore open(closed);
  fs::copy_file(open.path + "/collections/2/MANIFEST", open.folder() + "/MANIFEST",
                fs::copy_options::overwrite_existing);
  fs::copy_file(open.path + "/collections/2/COLLECTION", open.folder() + "/COLLECTION",
                fs::copy_options::overwrite_existing);
  open.must_be_mended(closed.model);
}

TEST_CASE("repair: entries of rows, and headers") {
  const ClosedStore closed;
  OpenStore open(closed);
  SUBCASE("some entries") {
    for (const auto& file : open.files("segments", ".rows")) {
      for (const uint64_t row : {0, 1, 2, 7, 11}) {
        flip(file, 64 + 40 * row + row);
      }
    }
    const auto found = open.check();
    CHECK(found.size() == 3 * open.files("segments", ".rows").size());  // side by side: one finding
  }
  SUBCASE("an entry of another row") {
    for (const auto& file : open.files("segments", ".rows")) {
      const auto opened = std::move(g_storage->open(file, io::Open::read_write).value());
      std::array<std::byte, 40> entry{};
      REQUIRE(opened->read_at(64 + 40 * 3, entry).ok());
      REQUIRE(opened->write_at(64 + 40 * 4, entry).ok());
    }
  }
  SUBCASE("all of them, and the headers") {
    for (const auto& file : open.files("segments", ".rows")) {
      fs::resize_file(file, 0);
    }
  }
  SUBCASE("headers alone") {
    for (const auto* suffix : {".rows", ".vectors"}) {
      for (const auto& file : open.files("segments", suffix)) {
        flip(file, 12);
      }
    }
  }
  open.must_be_mended(closed.model);
}

TEST_CASE("repair: damage in the log to operations that no checkpoint includes") {
  const ClosedStore closed(true);
  for (const int where : {0, 1, 2, 3, 4}) {
    CAPTURE(where);
    OpenStore open(closed);
    Model model = closed.model;
    std::mt19937_64 random(5);
    UpsertBatch batch(closed.fields);
    for (uint64_t id = 500; id < 520; ++id) {
      batch.add(PointId::integer(id), {{0, random_vector(6, random)}});
    }
    open.write(batch, model);
    const auto frames = frames_of(open.files("wal", ".wal"));
    REQUIRE(frames.size() >= 3);
    const auto& [file, place] = frames[frames.size() - (where == 1 ? 1 : 2)];
    switch (where) {
      case 0:  // before others, which prove it
      case 1:  // the last, which a crash could have torn
        flip(file, place + 40);
        break;
      case 2:
        flip(file, 3);  // the mark of the file, without which it cannot be opened
        break;
      case 3:
        fs::remove(file);
        break;
      case 4:
        fs::resize_file(file, place);
        break;
    }
    const auto found = open.check();
    REQUIRE(found.size() == 1);
    CHECK(found[0].error);
    for (const Finding& finding : open.check(true)) {
      CHECK(finding.repaired);
    }
    open.must_be_clean();
    // What is written now depends on nothing that was damaged, however the process ends.
    UpsertBatch later(closed.fields);
    later.add(PointId::integer(900), {{0, random_vector(6, random)}});
    open.write(later, model);
    open.must_be_clean();
    open.storage->board().die_at(1);
    open.must_reopen_clean(model);
  }
}

TEST_CASE("repair: rows that are live or deleted against the point table") {
  const ClosedStore closed;
  OpenStore open(closed);
  const uint64_t identity = open.collection->identity();
  open.collection.reset();
  open.store.reset();
  const auto manifest = manifest_of(open.folder(), identity, closed.fields.size());
  size_t changed = 0;
  for (const auto& saved : manifest.fields[0]) {
    const std::string path =
        segment::Segment::deleted_path(open.folder() + "/segments", saved.id, saved.deleted_lsn);
    const auto deleted =
        segment::DeletedRows::read(*g_storage, path, identity, saved.id, saved.rows);
    if (!deleted.ok()) {
      continue;
    }
    segment::DeletedRowsBuilder builder(deleted.value());
    for (const bool is_deleted : {false, true}) {
      for (uint32_t row = 0; row < saved.rows; ++row) {
        if (deleted.value()->contains(row) == is_deleted) {
          is_deleted ? builder.unmark(row) : builder.mark(row);
          ++changed;
          break;
        }
      }
    }
    REQUIRE(builder.build()->write(*g_storage, path, identity, saved.id).ok());
  }
  REQUIRE(changed >= 4);
  open.open();
  CHECK(open.check().size() == changed);
  open.must_be_mended(closed.model);
}

TEST_CASE("repair: values without a point are removed") {
  const ClosedStore closed;
  OpenStore open(closed);
  const uint64_t identity = open.collection->identity();
  open.collection.reset();
  open.store.reset();
  auto manifest = manifest_of(open.folder(), identity, closed.fields.size());
  {
    auto payload = std::move(gridstore::Gridstore::open(g_storage, open.folder() + "/payload",
                                                        {identity}, manifest.flushes[0])
                                 .value());
    const uint32_t slots = payload->slot_count();
    for (const uint32_t slot : {slots + 300, slots + 900}) {
      REQUIRE(payload->put(slot, base::bytes_of(std::string_view(R"({"whose":"?"})"))).ok());
    }
    REQUIRE(payload->write_out().ok());
    auto plan = payload->plan_flush();
    ++manifest.flushes[0];
    REQUIRE(payload->prepare(*plan, manifest.flushes[0]).ok());
    REQUIRE(io::replace_file(*g_storage, open.folder() + "/MANIFEST", encode(manifest)).ok());
    REQUIRE(payload->finish(*plan).ok());
    payload->committed(std::move(plan));
  }
  open.open();
  CHECK(open.check().size() == 2);
  open.must_be_mended(closed.model);
}

TEST_CASE("repair: places of payloads that are lost stay lost until they are written again") {
  const ClosedStore closed;
  OpenStore open(closed);
  open.collection.reset();
  open.store.reset();
  flip(open.files("payload", "/tracker").front(), 100);
  flip(open.files("payload", ".done").front(), 100);
  open.open();
  std::set<std::string> lost;
  for (const Finding& finding : open.check(true)) {
    CAPTURE(finding.text);
    CHECK(finding.error == !finding.repaired);
    CHECK(finding.repairable == finding.repaired);
    if (finding.error) {
      const auto begin = finding.text.find("the payload of point ");
      REQUIRE(begin != std::string::npos);
      lost.insert(finding.text.substr(begin + 21, finding.text.find(' ', begin + 21) - begin - 21));
    }
  }
  size_t known = 0;  // behind the last slot that ever had a payload, none can be lost
  for (const auto& [id, point] : closed.model) {
    known += open.collection->table().find(id) < open.collection->values().payload().slot_count()
                 ? 1
                 : 0;
  }
  CHECK(lost.size() == known);
  open.open();
  const auto again = open.check();
  CHECK(again.size() == lost.size());
  for (const Finding& finding : again) {
    CHECK(finding.error);
    CHECK(!finding.repairable);
  }
  for (const auto& [id, point] : closed.model) {
    const Text& payload = point.payload;
    REQUIRE(ok(open.store->call([&](uint64_t ticket) {
      return open.store->engine().write(ticket, open.collection, overwrite_job(id, payload));
    })));
  }
  open.must_be_clean();
  open.must_reopen_clean(closed.model);
}

TEST_CASE("repair: a damaged original is an error that names the point, until it is gone") {
  const ClosedStore closed;
  OpenStore open(closed);
  const PointId id = closed.model.begin()->first;
  const auto view = open.collection->view();
  uint32_t slot = 0;
  {
    const auto lock = open.collection->table().read_lock();
    slot = open.collection->table().find(id);
  }
  const auto place = open.collection->table().location(slot, 0);
  REQUIRE(place.present());
  const auto& segment = *view->fields[0].find(place.segment)->segment;
  flip(segment.path("vectors"), segment.layout().offset(place.row) + 2);
  for (const bool repair : {false, true}) {
    const auto found = open.check(repair);
    REQUIRE(found.size() == 1);
    CAPTURE(found[0].text);
    CHECK(found[0].error);
    CHECK(!found[0].repairable);
    CHECK(!found[0].repaired);
    CHECK(found[0].file == segment.path("vectors"));
    CHECK(found[0].text.find("the vector 'a' of point " + id.text() + " is lost") !=
          std::string::npos);
  }
  REQUIRE(ok(open.store->call([&](uint64_t ticket) {
    return open.store->engine().write(ticket, open.collection, delete_job({id}));
  })));
  for (const Finding& finding : open.check()) {
    CAPTURE(finding.text);
    CHECK(!finding.error);
    CHECK(finding.text.find("belongs to no point any more") != std::string::npos);
  }
  // Nor does it keep the segment from being vacuumed.
  open.options.optimizers.vacuum_min_vector_number = 1;
  open.options.optimizers.deleted_threshold = 0.0;
  open.open();
  REQUIRE(ok(open.store->optimize(open.collection)));
  CHECK(open.collection->statistics().rows_deleted == 0);
  Model rest = closed.model;
  rest.erase(id);
  open.must_reopen_clean(rest);
}

TEST_CASE("repair: under writes") {
  const ClosedStore closed;
  OpenStore open(closed);
  Model model = closed.model;
  std::mt19937_64 random(6);
  for (int round = 0; round < 6; ++round) {
    CAPTURE(round);
    for (const auto& [part, suffix] : {std::pair("segments", ".codes"),
                                       {"segments", ".deleted"},
                                       {"points", ".points"},
                                       {"payload", "/tracker"},
                                       {"payload", ".done"},
                                       {"fields", ".multi"},
                                       {"", "/MANIFEST"},
                                       {"", "/COLLECTION"}}) {
      for (const auto& file : open.files(part, suffix)) {
        damage(file, round % 2 == 0 ? How::scattered : How::cut);
      }
    }
    for (const auto& file : open.files("segments", ".rows")) {
      flip(file, 64 + 40 * (random() % 8) + 5);
    }
    std::vector<std::unique_ptr<UpsertBatch>> batches;
    std::vector<uint64_t> tickets;
    uint64_t repair = 0;
    for (int i = 0; i < 40; ++i) {
      auto& batch = batches.emplace_back(std::make_unique<UpsertBatch>(closed.fields));
      for (int point = 0; point < 20; ++point) {
        batch->add(PointId::integer(random() % 300),
                   {{0, random_vector(6, random)}, {1, random_vector(3, random)}});
      }
      tickets.push_back(open.store->submit([&](uint64_t ticket) {
        return open.store->engine().write(ticket, open.collection, batch->job());
      }));
      batch->apply(model);
      if (i == 5) {
        repair = open.store->submit([&](uint64_t ticket) {
          open.store->engine().check(ticket, open.collection, true);
          return true;
        });
      }
    }
    for (const uint64_t ticket : tickets) {
      REQUIRE(ok(open.store->wait(ticket)));
    }
    const Completion repaired = open.store->wait(repair);
    REQUIRE(ok(repaired));
    const auto findings = std::get<std::vector<Finding>>(repaired.value);
    CHECK(findings.size() >= 6);
    for (const Finding& finding : findings) {
      CAPTURE(finding.text);
      CHECK(finding.repaired);
    }
    open.must_be_clean();
    check_store(*open.store, open.collection, model, 7);
  }
  open.must_reopen_clean(model);
}

TEST_CASE("repair: a full disk is an error, nothing is lost, and room helps") {
  const ClosedStore closed;
  for (const std::string file : {".codes.new", ".deleted", ".points", ".flush", ".multi",
                                 "COLLECTION.new", "MANIFEST.new"}) {
    CAPTURE(file);
    OpenStore open(closed);
    for (const auto& [part, suffix] : {std::pair("segments", ".codes"),
                                       {"segments", ".deleted"},
                                       {"points", ".points"},
                                       {"payload", ".done"},
                                       {"fields", ".multi"},
                                       {"", "/COLLECTION"},
                                       {"", "/MANIFEST"}}) {
      for (const auto& damaged : open.files(part, suffix)) {
        damage(damaged, How::scattered);
      }
    }
    open.storage->board().arm({Call::write, 1, ENOSPC, 20, file, true});
    for (int i = 0; i < 2; ++i) {
      const Completion repaired = open.store->check(open.collection, true);
      REQUIRE(repaired.error);
      CHECK(repaired.error->os_errno == ENOSPC);
      CHECK(repaired.error->file.find(file) != std::string::npos);
    }
    check_store(*open.store, open.collection, closed.model, 8);
    CHECK(!open.check().empty());
    CHECK(open.files("segments", ".new").empty());
    open.storage->board().disarm();
    for (const Finding& finding : open.check(true)) {
      CHECK(finding.repaired);
    }
    open.must_be_clean();
    open.must_reopen_clean(closed.model);
  }
}

TEST_CASE("repair: after a failed sync it does not begin") {
  const ClosedStore closed;
  OpenStore open(closed);
  damage(open.files("segments", ".rows").front(), How::header);
  open.storage->board().arm({Call::sync, 1, EIO, 0, ".rows"});
  CHECK(open.store->check(open.collection, true).error->code == base::Code::io);
  damage(open.files("segments", ".rows").front(), How::header);
  CHECK(open.store->check(open.collection, true).error->code == base::Code::failed);
  CHECK(open.check().size() == 1);
  check_store(*open.store, open.collection, closed.model, 9);
  open.open();
  check_store(*open.store, open.collection, closed.model, 10);
  for (const Finding& finding : open.check(true)) {
    CHECK(finding.repaired);
  }
  open.must_reopen_clean(closed.model);
}
