// Stores that end in the middle of something: everything acknowledged must be there afterwards.
#include <doctest/doctest.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "failing_storage.h"
#include "power_cut_storage.h"
#include "quick_folder.h"
#include "store_script.h"

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

uint64_t number_from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Calls of a script that change something. Threads take turns as they like, so that from run to run
// it is a few more or less.
uint64_t calls_of(const Script& script) {
  const QuickFolder folder;
  const auto storage = std::make_shared<FailingStorage>(std::make_shared<PowerCutStorage>());
  const History history = run_script(folder / "store", storage, script);
  REQUIRE(history.acknowledged + 1 == history.states.size());
  REQUIRE(history.removed);
  check_history(folder / "store", history, script.seed);
  REQUIRE(storage->board().changes() > 200);
  return storage->board().changes();
}

// Runs the script up to its k-th call, and opens all that the power cut may leave.
void cut_power(const Script& script, uint64_t k) {
  const QuickFolder folder;
  const auto disk = std::make_shared<PowerCutStorage>();
  const auto storage = std::make_shared<FailingStorage>(disk);
  storage->board().die_at(k);
  const History history = run_script(folder / "store", storage, script);
  const auto check = [&](const char* image) {
    INFO("image: " << image << "; repeat with: ASYNCSTORE_POWER=" << script.seed << ":" << k << ":"
                   << script.group
                   << " build/tests/native_tests -tc='*random calls of other scripts'");
    check_history(folder / image, history, k);
  };
  disk->cut(folder / "store", folder / "synced", Cut::synced, k);
  disk->cut(folder / "store", folder / "mixture", Cut::mixture, k);
  check("synced");
  check("mixture");
  check("store");  // the process died only
}

}  // namespace

TEST_CASE("crash: the process dies or the power is cut at any call, and nothing is lost") {
  const Script script{.seed = 2};
  const uint64_t calls = calls_of(script);
  for (uint64_t k = 1; k <= calls + 1; k += k_stride) {
    cut_power(script, k);
  }
}

TEST_CASE("crash: the power is cut at random calls of other scripts") {
  // ASYNCSTORE_POWER=SEED:K:GROUP repeats one case; ASYNCSTORE_POWER_SEEDS=N runs so many scripts.
  uint64_t seed = 0;
  uint64_t k = 0;
  const char* repeated = std::getenv("ASYNCSTORE_POWER");
  if (repeated != nullptr) {
    int group = 0;
    REQUIRE(std::sscanf(repeated, "%" SCNu64 ":%" SCNu64 ":%d", &seed, &k, &group) == 3);
    cut_power({.seed = seed, .group = group}, k);
    return;
  }
  const uint64_t seeds = number_from_environment("ASYNCSTORE_POWER_SEEDS", 3);
  const uint64_t first = number_from_environment("ASYNCSTORE_POWER_FROM", 1000);
  for (seed = first; seed < first + seeds; ++seed) {
    std::mt19937_64 random(seed);
    const Script script{.seed = seed, .group = 1 + static_cast<int>(seed % 4)};
    const uint64_t calls = calls_of(script);
    for (uint64_t i = 0; i < std::max<uint64_t>(40 / k_stride, 2); ++i) {
      cut_power(script, 1 + random() % (calls + 1));
    }
  }
}

TEST_CASE("crash: the power is cut at any call, with damage and a repair in the midst") {
  const auto run = [&](const std::string& path, const std::shared_ptr<PowerCutStorage>& disk,
                       const std::shared_ptr<FailingStorage>& storage) {
    uint64_t begin = 0;
    const Script script{.seed = 4, .damage = [&](const auto& collection) {
                          damage_derived(*disk, collection);
                          begin = storage->board().changes();
                        }};
    const History history = run_script(path, storage, script);
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
    for (const auto how : {Cut::synced, Cut::prefix, Cut::mixture}) {
      CAPTURE(k);
      CAPTURE(static_cast<int>(how));
      const std::string image = folder / std::to_string(static_cast<int>(how));
      disk->cut(folder / "store", image, how, k);
      check_history(image, history, k, true);
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
    const Model found = scroll_at_rest(*store, collection);
    require_derived(found);
    for (const auto& [id, point] : model) {
      REQUIRE(found.contains(id));
      CHECK(found.at(id) == point);
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
  // Sealing writes a new segment: its header, but no rows.
  storage->board().arm({Call::write, 2, ENOSPC, 0, ".vectors", true});
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
