// Stores that end in the middle of something: everything acknowledged must be there afterwards.
#include <doctest/doctest.h>

#include <functional>

#include "failing_storage.h"
#include "power_cut_storage.h"
#include "quick_folder.h"
#include "store_fixture.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using asyncstore::storage_test::Call;
using asyncstore::storage_test::Cut;
using asyncstore::storage_test::FailingStorage;
using asyncstore::storage_test::PowerCutStorage;
using asyncstore::storage_test::QuickFolder;
using base::Code;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t k_stride = 15;  // of the places to fail at, sanitizers look at every 15th
#else
constexpr uint64_t k_stride = 1;
#endif

std::vector<segment::Field> script_fields() {
  return {make_field("a", 6), make_field("b", 3, segment::Distance::euclid)};
}

// What was done to a store: the state after each operation that was submitted, in order.
struct History {
  bool created = false;  // acknowledged
  std::vector<Model> states = {{}};
  size_t acknowledged = 0;  // operations; those behind may have happened or not
  bool removed = false;     // the collection "gone", which came and went in between: acknowledged
};

// Makes another collection, writes to it and deletes it; false when something failed.
bool come_and_go(Store& store, const std::vector<segment::Field>& fields, History& history) {
  if (store.create("gone", fields).error) {
    return false;
  }
  const auto collection = store.collection("gone");
  UpsertBatch batch(fields);
  batch.add(PointId::integer(1), {{0, {1, 2, 3, 4, 5, 6}}});
  if (store
          .call([&](uint64_t ticket) {
            return store.engine().write(ticket, collection, batch.job());
          })
          .error ||
      store.call([&](uint64_t ticket) { return store.engine().delete_collection(ticket, "gone"); })
          .error) {
    return false;
  }
  history.removed = true;
  return true;
}

// Upserts, overwrites, deletions, sealing, merging, checkpoints and closing, as far as it gets.
// `group` writes are under way at once. With `damage`, that is done in the midst, and repaired.
History run_script(const std::string& path, const std::shared_ptr<io::Storage>& storage,
                   uint64_t seed, int group = 3,
                   const std::function<void(const engine::Collection&)>& damage = nullptr) {
  History history;
  std::mt19937_64 random(seed);
  auto options = small_options();
  options.wal_capacity_bytes = 8 << 10;
  auto opened = Store::open(path, options, storage);
  if (!opened.ok()) {
    return history;
  }
  auto store = std::move(opened.value());
  const auto fields = script_fields();
  if (store->create("c", fields).error) {
    return history;
  }
  history.created = true;
  const auto collection = store->collection("c");
  for (int round = 0; round < 9; ++round) {
    // A few at once, so that they go as a group.
    std::vector<std::unique_ptr<UpsertBatch>> batches;
    std::vector<std::unique_ptr<std::vector<std::byte>>> texts;
    std::vector<uint64_t> tickets;
    for (int i = 0; i < group; ++i) {
      Model next = history.states.back();
      if (random() % 4 == 0 && !next.empty()) {
        // A payload that is written anew, in two halves of a group or of a flush.
        const auto& [id, vectors] =
            *std::next(next.begin(), static_cast<ptrdiff_t>(random() % next.size()));
        texts.push_back(std::make_unique<std::vector<std::byte>>(payload_of(id, vectors)));
        tickets.push_back(store->submit([&](uint64_t ticket) {
          return store->engine().write(ticket, collection, overwrite_job(id, *texts.back()));
        }));
      } else if (random() % 4 == 0) {
        std::vector<PointId> ids;
        for (int point = 0; point < 10; ++point) {
          ids.push_back(PointId::integer(random() % 60));
          next.erase(ids.back());
        }
        tickets.push_back(store->submit([&](uint64_t ticket) {
          return store->engine().write(ticket, collection, delete_job(ids));
        }));
      } else {
        auto batch = std::make_unique<UpsertBatch>(fields);
        for (int point = 0; point < 25; ++point) {
          Vectors vectors = {{0, random_vector(6, random)}};
          if (random() % 3 > 0) {
            vectors[1] = random_vector(3, random);
          }
          batch->add(PointId::integer(random() % 60), vectors);
        }
        batch->apply(next);
        tickets.push_back(store->submit([&](uint64_t ticket) {
          return store->engine().write(ticket, collection, batch->job());
        }));
        batches.push_back(std::move(batch));
      }
      history.states.push_back(std::move(next));
    }
    bool failed = false;
    for (const uint64_t ticket : tickets) {
      if (store->wait(ticket).error) {
        failed = true;
      } else {
        REQUIRE(!failed);
        ++history.acknowledged;
      }
    }
    if (failed || (round % 2 == 1 && store->optimize(collection).error)) {
      return history;
    }
    if (round == 4 && !come_and_go(*store, fields, history)) {
      return history;
    }
    if (round == 6 && damage) {
      damage(*collection);
      if (store->check(collection, true).error) {
        return history;
      }
    }
  }
  return history;
}

// Damages all files that are held twice, but only one of each pair, and durably so.
void damage_derived(io::Storage& disk, const engine::Collection& collection) {
  for (const auto& [part, suffix, offset] : {std::tuple("/segments", ".codes", 80),
                                             {"/segments", ".deleted", 80},
                                             {"/segments", ".rows", 64 + 40 * 3 + 9},
                                             {"/payload", "tracker", 100}}) {
    const std::string folder = collection.folder() + part;
    const auto names = disk.list(folder);
    for (const auto& name : names.ok() ? names.value() : std::vector<std::string>()) {
      if (!name.ends_with(suffix)) {
        continue;
      }
      const auto file = std::move(
          disk.open(std::string(folder).append("/").append(name), io::Open::read_write).value());
      const std::byte noise[] = {std::byte{0x5A}, std::byte{0xA5}, std::byte{0x5A}};
      REQUIRE(file->write_at(static_cast<uint64_t>(offset), noise).ok());
      REQUIRE(file->sync().ok());
    }
  }
}

// After a crash amid a repair: what is still damaged is rebuilt, and a repair leaves nothing.
void repair_rest(Store& store, const std::shared_ptr<engine::Collection>& collection) {
  for (const bool again : {false, true}) {
    const Completion checked = store.check(collection, !again);
    REQUIRE(ok(checked));
    for (const auto& finding : std::get<std::vector<engine::Finding>>(checked.value)) {
      REQUIRE_MESSAGE((!again && !finding.error), finding.text);
    }
  }
}

// The store holds a state that the history allows, and goes on working.
void check_history(const std::string& path, const History& history, uint64_t seed,
                   bool damaged = false) {
  const auto storage = std::make_shared<FailingStorage>();
  auto opened = Store::open(path, small_options(), storage);
  if (!opened.ok()) {
    FAIL(opened.error().message);
  }
  auto store = std::move(opened.value());
  for (const auto& broken : store->engine().broken()) {
    FAIL(broken.error.message);
  }
  REQUIRE((!history.removed || store->collection("gone") == nullptr));
  auto collection = store->collection("c");
  if (collection == nullptr) {
    REQUIRE(!history.created);
    REQUIRE(ok(store->create("c", script_fields())));
    return;
  }
  const auto rebuilt = collection->statistics().rebuilt;
  REQUIRE_MESSAGE((damaged || rebuilt.empty()), rebuilt.front());
  Model found = scroll_all(*store, collection);
  const auto allowed =
      std::find(history.states.begin() + static_cast<ptrdiff_t>(history.acknowledged),
                history.states.end(), found);
  REQUIRE(allowed != history.states.end());
  check_store(*store, collection, found, seed);
  if (damaged) {
    repair_rest(*store, collection);
  }
  if (seed % 4 != 0) {
    return;
  }
  // It can be written, optimized and opened again.
  UpsertBatch batch(collection->fields());
  batch.add(PointId::integer(1000), {{0, {1, 2, 3, 4, 5, 6}}});
  REQUIRE(ok(store->call(
      [&](uint64_t ticket) { return store->engine().write(ticket, collection, batch.job()); })));
  batch.apply(found);
  if (seed % 8 == 0) {
    REQUIRE(ok(store->optimize(collection)));
  }
  collection.reset();
  store.reset();
  store = std::move(Store::open(path, small_options(), storage).value());
  collection = store->collection("c");
  REQUIRE(collection != nullptr);
  REQUIRE(collection->statistics().rebuilt.empty());
  check_store(*store, collection, found, seed);
}

}  // namespace

TEST_CASE("crash: the process dies at any call, and nothing acknowledged is lost") {
  constexpr uint64_t k_seed = 1;
  CAPTURE(k_seed);
  uint64_t calls = 0;
  {
    const QuickFolder folder;
    const auto storage = std::make_shared<FailingStorage>();
    const History history = run_script(folder / "store", storage, k_seed);
    REQUIRE(history.acknowledged == history.states.size() - 1);
    calls = storage->board().changes();
    check_history(folder / "store", history, k_seed);
  }
  REQUIRE(calls > 200);
  for (uint64_t k = 1; k <= calls; k += k_stride) {
    CAPTURE(k);
    const QuickFolder folder;
    const auto storage = std::make_shared<FailingStorage>();
    storage->board().die_at(k);
    const History history = run_script(folder / "store", storage, k_seed);
    check_history(folder / "store", history, k);
  }
}

TEST_CASE("crash: the power is cut at any call, and nothing acknowledged is lost") {
  constexpr uint64_t k_seed = 2;
  CAPTURE(k_seed);
  uint64_t calls = 0;
  {
    const QuickFolder folder;
    const auto storage = std::make_shared<FailingStorage>(std::make_shared<PowerCutStorage>());
    run_script(folder / "store", storage, k_seed);
    calls = storage->board().changes();
  }
  REQUIRE(calls > 200);
  for (uint64_t k = 1; k <= calls + 1; k += 3 * k_stride) {
    const QuickFolder folder;
    const auto disk = std::make_shared<PowerCutStorage>();
    const auto storage = std::make_shared<FailingStorage>(disk);
    storage->board().die_at(k);
    const History history = run_script(folder / "store", storage, k_seed);
    for (const auto how : {Cut::nothing, Cut::any}) {
      CAPTURE(k);
      CAPTURE(static_cast<int>(how));
      const std::string image = folder / (how == Cut::nothing ? "durable" : "mixed");
      disk->cut(folder / "store", image, how, k);
      check_history(image, history, k);
    }
  }
}

TEST_CASE("crash: the power is cut at any call, with damage and a repair in the midst") {
  constexpr uint64_t k_seed = 4;
  CAPTURE(k_seed);
  const auto run = [&](const std::string& path, const std::shared_ptr<PowerCutStorage>& disk,
                       const std::shared_ptr<FailingStorage>& storage) {
    uint64_t begin = 0;
    const History history = run_script(path, storage, k_seed, 3, [&](const auto& collection) {
      damage_derived(*disk, collection);
      begin = storage->board().changes();
    });
    return std::pair(history, begin);
  };
  uint64_t begin = 0;
  uint64_t end = 0;
  {
    const QuickFolder folder;
    const auto disk = std::make_shared<PowerCutStorage>();
    const auto storage = std::make_shared<FailingStorage>(disk);
    begin = run(folder / "store", disk, storage).second;
    end = storage->board().changes();
  }
  REQUIRE(begin > 0);
  REQUIRE(end > begin + 50);
  for (uint64_t k = begin + 1; k <= end + 1; k += k_stride) {
    const QuickFolder folder;
    const auto disk = std::make_shared<PowerCutStorage>();
    const auto storage = std::make_shared<FailingStorage>(disk);
    storage->board().die_at(k);
    const History history = run(folder / "store", disk, storage).first;
    for (const auto how : {Cut::nothing, Cut::any}) {
      CAPTURE(k);
      CAPTURE(static_cast<int>(how));
      const std::string image = folder / (how == Cut::nothing ? "durable" : "mixed");
      disk->cut(folder / "store", image, how, k);
      check_history(image, history, k, true);
    }
  }
}

TEST_CASE("crash: a disk that fails one call, and then works again") {
  // The store goes on or refuses to write; what it acknowledged is there in any case.
  constexpr uint64_t k_seed = 3;
  CAPTURE(k_seed);
  for (const Call call :
       {Call::write, Call::sync, Call::allocate, Call::sync_folder, Call::rename, Call::open}) {
    uint64_t met = 1;
    for (uint64_t at = 1; met > 0; at += k_stride * (call == Call::write ? 4 : 2)) {
      CAPTURE(static_cast<int>(call));
      CAPTURE(at);
      const QuickFolder folder;
      const auto storage = std::make_shared<FailingStorage>();
      storage->board().arm({call, at, call == Call::allocate ? ENOSPC : EIO, 100});
      const History history = run_script(folder / "store", storage, k_seed, 1);
      met = storage->board().faults_met();
      check_history(folder / "store", history, at);
    }
  }
}

TEST_CASE("crash: after a failed sync writing has ended, reading goes on, reopening helps") {
  for (const bool of_log : {true, false}) {
    CAPTURE(of_log);
    const QuickFolder folder;
    const auto storage = std::make_shared<FailingStorage>();
    auto store = std::move(Store::open(folder / "store", small_options(), storage).value());
    const auto fields = script_fields();
    REQUIRE(ok(store->create("c", fields)));
    auto collection = store->collection("c");
    std::mt19937_64 random(4);
    Model model;
    const auto write = [&](uint64_t id) {
      UpsertBatch batch(fields);
      batch.add(PointId::integer(id), {{0, random_vector(6, random)}});
      const Completion completion = store->call(
          [&](uint64_t ticket) { return store->engine().write(ticket, collection, batch.job()); });
      if (!completion.error) {
        batch.apply(model);
      }
      return completion.error ? completion.error->code : Code::unsupported;
    };
    for (uint64_t i = 0; i < 50; ++i) {
      REQUIRE(write(i) == Code::unsupported);
    }
    storage->board().arm({Call::sync, 1, EIO, 0, of_log ? ".wal" : ".vectors"});
    if (of_log) {
      CHECK(write(100) == Code::io);
    } else {
      CHECK(store->optimize(collection).error->code == Code::io);
    }
    REQUIRE(storage->board().faults_met() == 1);
    for (uint64_t i = 0; i < 3; ++i) {
      CHECK(write(200 + i) == Code::failed);
    }
    if (!of_log) {
      // The rows may be lost to the disk: no later checkpoint may count on them.
      CHECK(store->optimize(collection).error->code == Code::failed);
    }
    check_store(*store, collection, model, 5);
    collection.reset();
    store.reset();
    store = std::move(Store::open(folder / "store", small_options(), storage).value());
    collection = store->collection("c");
    const Model found = scroll_all(*store, collection);
    for (const auto& [id, vectors] : model) {
      REQUIRE(found.contains(id));
      CHECK(found.at(id) == vectors);
    }
    CHECK(found.size() <= model.size() + 1);
    CHECK(write(300) == Code::unsupported);
  }
}

TEST_CASE("crash: half an applied operation is neither seen nor checkpointed") {
  for (const std::string file : {".vectors", ".rows"}) {
    CAPTURE(file);
    const QuickFolder folder;
    const auto storage = std::make_shared<FailingStorage>();
    auto store = std::move(Store::open(folder / "store", small_options(), storage).value());
    const auto fields = script_fields();
    REQUIRE(ok(store->create("c", fields)));
    auto collection = store->collection("c");
    std::mt19937_64 random(6);
    Model model;
    UpsertBatch first(fields);
    UpsertBatch second(fields);
    for (uint64_t i = 0; i < 40; ++i) {
      first.add(PointId::integer(i),
                {{0, random_vector(6, random)}, {1, random_vector(3, random)}});
      second.add(PointId::integer(i + 20),
                 {{0, random_vector(6, random)}, {1, random_vector(3, random)}});
    }
    REQUIRE(ok(store->call(
        [&](uint64_t ticket) { return store->engine().write(ticket, collection, first.job()); })));
    first.apply(model);
    // The rows of field a are appended, those of field b are not.
    storage->board().arm({Call::write, 2, EIO, 10, file});
    const Completion failed = store->call(
        [&](uint64_t ticket) { return store->engine().write(ticket, collection, second.job()); });
    REQUIRE(failed.error);
    CHECK(failed.error->os_errno == EIO);
    check_store(*store, collection, model, 7);
    CHECK(store->optimize(collection).error->code == Code::failed);
    check_store(*store, collection, model, 8);
    collection.reset();
    store.reset();
    // It is in the log, so it happens now.
    second.apply(model);
    store = std::move(Store::open(folder / "store", small_options(), storage).value());
    check_store(*store, store->collection("c"), model, 9);
  }
}

TEST_CASE("crash: a full disk does not fill further, and room helps") {
  const QuickFolder folder;
  const auto storage = std::make_shared<FailingStorage>();
  auto store = std::move(Store::open(folder / "store", small_options(), storage).value());
  const std::vector<segment::Field> fields = {make_field("a", 6)};
  REQUIRE(ok(store->create("c", fields)));
  auto collection = store->collection("c");
  std::mt19937_64 random(10);
  Model model;
  for (int part = 0; part < 4; ++part) {
    UpsertBatch batch(fields);
    for (uint64_t i = 0; i < 50; ++i) {
      batch.add(PointId::integer(random() % 200), {{0, random_vector(6, random)}});
    }
    REQUIRE(ok(store->call(
        [&](uint64_t ticket) { return store->engine().write(ticket, collection, batch.job()); })));
    batch.apply(model);
    if (part < 2) {
      REQUIRE(ok(store->optimize(collection)));
    }
  }
  const std::string segments = collection->segments_folder();
  const auto files = [&] {
    const auto names = storage->list(segments);
    return std::count_if(names.value().begin(), names.value().end(),
                         [](const auto& name) { return name.ends_with(".vectors"); });
  };
  const auto before = files();
  // The third sealed segment makes a merge due, which cannot write its rows.
  storage->board().arm({Call::write, 3, ENOSPC, 0, ".vectors", true});
  for (int i = 0; i < 5; ++i) {
    CHECK(store->optimize(collection).error->os_errno == ENOSPC);
  }
  CHECK(files() == before);
  check_store(*store, collection, model, 11);
  storage->board().disarm();
  CHECK(ok(store->optimize(collection)));
  check_store(*store, collection, model, 12);
  collection.reset();
  store.reset();
  store = std::move(Store::open(folder / "store", small_options(), storage).value());
  check_store(*store, store->collection("c"), model, 13);
}
