// A disk that fails one call, any call, of everything that a store does: the caller hears of it,
// the store that is open can be read, and nothing acknowledged is lost.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string>

#include "failing_storage.h"
#include "quick_folder.h"
#include "store_script.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using asyncstore::storage_test::Call;
using asyncstore::storage_test::FailingStorage;
using asyncstore::storage_test::Fault;
using asyncstore::storage_test::QuickFolder;
using asyncstore::storage_test::Torn;
using base::Code;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t k_stride = 15;
#else
constexpr uint64_t k_stride = 1;
#endif

constexpr std::array k_names = {"read", "write",  "sync",   "truncate",   "allocate",
                                "open", "rename", "remove", "sync_folder"};

// After the fault: what was acknowledged can be read, and only that; writes go on, or say that they
// do not until the store is opened again.
void use_further(Store& store, const std::shared_ptr<engine::Collection>& collection,
                 History& history) {
  const Model& before = history.states[history.acknowledged];
  check_store(store, collection, before, 1);
  UpsertBatch batch(collection->fields());
  batch.add(PointId::integer(2000), {{0, {1, 2, 3, 4, 5, 6}}});
  const Completion written = store.call(
      [&](uint64_t ticket) { return store.engine().write(ticket, collection, batch.job()); });
  if (written.error) {
    REQUIRE(written.error->code == Code::failed);
  } else {
    // What failed is not there, not even after reopening: its place in the log is taken.
    history.states.resize(history.acknowledged + 1);
    history.states.push_back(history.states.back());
    batch.apply(history.states.back());
    ++history.acknowledged;
  }
  const Completion optimized = store.optimize(collection);
  REQUIRE((!optimized.error || optimized.error->code == Code::failed));
  REQUIRE((!optimized.error || written.error));
  check_store(store, collection, history.states[history.acknowledged], 2);
}

// Work that is done another way, or again later: its failure is no error to anyone.
bool is_silent(Call call, const std::string& path) {
  const auto ends = [&](const char* suffix) { return path.ends_with(suffix); };
  const std::string name = path.substr(path.rfind('/') + 1);
  // Of the aliases of a collection that was deleted: passed over at the next open, and written
  // before they could mislead.
  if (name == "ALIASES.new" || (name == "ALIASES" && call == Call::rename) ||
      (name == "collections" && call == Call::sync_folder)) {
    return true;
  }
  // Derived: made anew from originals and point table when the store is opened; a graph, or an
  // index of the payloads, after that.
  const bool derived = ends(".codes") || ends(".deleted") || ends(".graph") || ends(".field") ||
                       ends(".sparse") || ends(".multi");
  // Which files nobody needs, and whether a folder is the rest of a deletion: looked for again at
  // the next open.
  const bool orphans =
      name == "segments" || name == "points" || name == "fields" || path.ends_with("collections/2");
  const bool of_collection = name == "COLLECTION" || orphans;
  switch (call) {
    case Call::read:
      return derived || of_collection;
    case Call::open:  // a file of values is tried again with the space that is needed at once
      return derived || of_collection || ends(".page") || name == "tracker";
    case Call::allocate:  // space ahead of need: tried again with what is needed
      return ends(".vectors") || ends(".rows") || ends(".page") || name == "tracker";
    case Call::remove:  // files that no manifest names any more, and the rest of a deletion
      return name != "MANIFEST" && name != "DELETED";
    case Call::rename:  // a flush that is finished, a log file to be used again
      return ends(".flush") || ends(".wal");
    case Call::write:  // finishes a flush that counts already: no write is taken after that, and
    case Call::sync:   // opening finishes it from the journal
      return name == "tracker";
    default:
      return false;
  }
}

// Runs the script with the fault at its every place.
void fail_everywhere(Fault fault) {
  const char* from = std::getenv("ASYNCSTORE_FAULT_AT");
  uint64_t met = 1;
  for (uint64_t at = from ? std::strtoull(from, nullptr, 10) : 1; met > 0; at += k_stride) {
    fault.at = at;
    INFO("the fault is " << k_names[static_cast<size_t>(fault.call)] << " " << at << ", error "
                         << fault.os_errno << ", torn " << static_cast<int>(fault.torn)
                         << "; begin there: ASYNCSTORE_FAULT_AT=" << at
                         << " build/tests/native_tests -tc='fault:*'");
    const QuickFolder folder;
    const auto storage = std::make_shared<FailingStorage>();
    storage->board().arm(fault);
    std::optional<uint64_t> met_before;
    bool while_closing = false;
    const Script script{.seed = 3,
                        .group = 1,
                        .failed = [&](auto& store, const auto& collection,
                                      auto& history) { use_further(store, collection, history); },
                        .closing =
                            [&](bool closing) {
                              const uint64_t so_far = storage->board().faults_met();
                              if (closing) {
                                met_before = met_before.value_or(so_far);
                              } else {
                                while_closing = while_closing || so_far > *met_before;
                                met_before.reset();
                              }
                            }};
    const History history = run_script(folder / "store", storage, script);
    met = storage->board().faults_met();
    const std::string path = storage->board().last_path_met();
    INFO("it was met at " << path);
    REQUIRE((history.error || met == 0 || while_closing || is_silent(fault.call, path)));
    check_history(folder / "store", history, at);
    if (met == 0) {
      REQUIRE((at > k_stride || from));
    }
  }
}

}  // namespace

TEST_CASE("fault: a read fails, at once or in its midst, or finds the end too early") {
  fail_everywhere({.call = Call::read});
  fail_everywhere({.call = Call::read, .torn = Torn::half});
  fail_everywhere({.call = Call::read, .os_errno = 0, .torn = Torn::half});
}

TEST_CASE("fault: a write fails, after nothing, a half, all but a byte") {
  fail_everywhere({.call = Call::write});
  fail_everywhere({.call = Call::write, .os_errno = ENOSPC, .torn = Torn::half});
  fail_everywhere({.call = Call::write, .torn = Torn::all_but_one});
}

TEST_CASE("fault: a sync fails") {
  fail_everywhere({.call = Call::sync});
  fail_everywhere({.call = Call::sync, .os_errno = ENOSPC});
  fail_everywhere({.call = Call::sync_folder});
}

TEST_CASE("fault: no space, or an error, for allocations, truncations, files and names") {
  for (const int os_errno : {EIO, ENOSPC}) {
    fail_everywhere({.call = Call::allocate, .os_errno = os_errno});
    fail_everywhere({.call = Call::open, .os_errno = os_errno});
    fail_everywhere({.call = Call::rename, .os_errno = os_errno});
  }
  fail_everywhere({.call = Call::truncate});
  fail_everywhere({.call = Call::remove});
}

TEST_CASE("fault: a read of a search or a retrieval fails, and the next one is right") {
  const QuickFolder folder;
  const auto fields = script_fields();
  std::mt19937_64 random(5);
  Model model;
  {
    const auto store = std::move(Store::open(folder / "store", small_options()).value());
    REQUIRE(ok(store->create("c", fields)));
    const auto collection = store->collection("c");
    for (int part = 0; part < 3; ++part) {
      UpsertBatch batch(fields);
      for (uint64_t i = 0; i < 6; ++i) {
        batch.add(PointId::integer(random() % 15),
                  {{0, random_vector(6, random)}, {1, random_vector(3, random)}});
      }
      REQUIRE(ok(store->call([&](uint64_t ticket) {
        return store->engine().write(ticket, collection, batch.job());
      })));
      batch.apply(model);
      REQUIRE((part != 1 || ok(store->optimize(collection))));
    }
  }
  std::vector<PointId> ids;
  for (const auto& [id, point] : model) {
    ids.push_back(id);
  }
  // Retrieves and searches everything; false when one of both said that it failed.
  const auto look = [&](Store& store) {
    const auto collection = store.collection("c");
    uint64_t failed = 0;
    const Completion retrieved = store.retrieve(collection, ids);
    failed += retrieved.error ? 1 : 0;
    for (size_t i = 0; !retrieved.error && i < ids.size(); ++i) {
      REQUIRE(point_of(std::get<engine::Rows>(retrieved.value), i) == model.at(ids[i]));
    }
    for (uint32_t number = 0; number < fields.size(); ++number) {
      auto request = search_request(random_vector(fields[number].dim, random), ids.size());
      request.field = number;
      request.exact = number == 1;
      request.with = Store::everything(*collection);
      const auto expected = nearest(model, fields[number], number, request.queries);
      const Completion searched = store.search(collection, request);
      failed += searched.error ? 1 : 0;
      for (size_t i = 0; !searched.error && i < expected.size(); ++i) {
        const auto& rows = std::get<engine::Rows>(searched.value);
        REQUIRE(rows.ids.size() == expected.size());
        REQUIRE(rows.ids[i] == expected[i].first);
        REQUIRE(rows.scores[i] == expected[i].second);
        REQUIRE(point_of(rows, i) == model.at(rows.ids[i]));
      }
    }
    return failed;
  };
  for (const auto reader : {engine::Choice::no, engine::Choice::automatic}) {
    uint64_t places = 400;  // that a read may fail at, and more
    for (const std::string kind : {"io_error", "end_of_file", "delay"}) {
      uint64_t failures = 0;
      uint64_t last = 0;
      for (uint64_t k = 0; k < places; k += k_stride) {
        CAPTURE(static_cast<int>(reader));
        CAPTURE(kind);
        CAPTURE(k);
        auto options = small_options(reader);
        options.workers = 1;
        options.fault = kind + "@" + std::to_string(k) + ",reorder@" + std::to_string(k);
        const auto store = std::move(Store::open(folder / "store", options).value());
        REQUIRE(store->engine().broken().empty());
        const uint64_t failed = look(*store);
        REQUIRE(failed <= (kind == "delay" ? 0 : 1));
        // Later places are met the second time.
        REQUIRE((look(*store) == 0 || (failed == 0 && kind != "delay")));
        failures += failed;
        last = failed > 0 ? k : last;
      }
      places = kind == "io_error" ? last + 10 : places;
      CHECK((failures > 20 / k_stride) == (kind != "delay"));
    }
  }
}
