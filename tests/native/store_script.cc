#include "store_script.h"

#include <algorithm>

#include "script_steps.h"

namespace asyncstore::engine_test {

namespace {

using AliasKind = engine::AliasAction::Kind;

constexpr int k_rounds = 6;
constexpr int k_calm_round = 2;   // closed behind it, and opened again
constexpr int k_rough_round = 4;  // the same in its midst

class Run {
 public:
  Run(std::string path, std::shared_ptr<io::Storage> storage, const Script& script)
      : path_(std::move(path)),
        storage_(std::move(storage)),
        script_(script),
        steps_(fields_, script.seed) {}

  History run() {
    if (!all() && store_ && collection_ && script_.failed) {
      script_.failed(*store_, collection_, history_);
    }
    close();
    return std::move(history_);
  }

 private:
  bool all() {
    if (!open() || !done(store_->create("c", fields_))) {
      return false;
    }
    history_.created = true;
    collection_ = store_->collection("c");
    for (int round = 0; round < k_rounds; ++round) {
      if (round == k_rough_round ? !interrupted() : !writes()) {
        return false;
      }
      if (script_.group == 1 && !writes()) {
        return false;
      }
      if (!build_indexes() || !change_aliases(round) || !configure(round)) {
        return false;
      }
      const bool last = round + 1 == k_rounds;
      if ((round % 2 == 1 && !done(store_->optimize(collection_))) ||
          (round == 3 && !come_and_go()) || (round == k_calm_round && !reopen()) ||
          (last && script_.damage && !damage())) {
        return false;
      }
    }
    return true;
  }

  bool done(const Completion& completion) {
    if (completion.error && !history_.error) {
      history_.error = completion.error;
    }
    return !completion.error;
  }

  bool open() {
    auto options = small_options();
    options.wal_capacity_bytes = 8 << 10;
    auto opened = Store::open(path_, options, storage_);
    if (!opened.ok()) {
      history_.error = opened.error();
      return false;
    }
    store_ = std::move(opened.value());
    for (const auto& broken : store_->engine().broken()) {
      history_.error = broken.error;
      return false;
    }
    if (const auto aliases = store_->engine().aliases(); !aliases.ok()) {
      history_.error = aliases.error();
      return false;
    }
    collection_ = store_->collection("c");
    return true;
  }
  // When a store opens it begins to make what indexes there are: only then is it known what it
  // does.
  bool reopen() {
    close();
    return open() && build_indexes();
  }
  bool build_indexes() {
    const auto indexes = collection_->indexes().list();
    return std::all_of(indexes->begin(), indexes->end(), [&](const auto& index) {
      return done(store_->build_index(collection_, index->definition().schema.key));
    });
  }
  void close() {
    say_closing(true);
    collection_.reset();
    store_.reset();
    say_closing(false);
  }
  void say_closing(bool closing) {
    if (script_.closing) {
      script_.closing(closing);
    }
  }

  // Writes that go as a group, or as groups, as the writer finds them.
  std::vector<uint64_t> submit(std::vector<std::unique_ptr<Step>>& steps) {
    std::vector<uint64_t> tickets;
    for (int i = 0; i < script_.group; ++i) {
      steps.push_back(steps_.next(history_.states.back()));
      tickets.push_back(store_->submit([&](uint64_t ticket) {
        return store_->engine().write(ticket, collection_, steps.back()->job);
      }));
      history_.states.push_back(steps.back()->after);
    }
    return tickets;
  }
  bool writes() {
    std::vector<std::unique_ptr<Step>> steps;
    bool failed = false;
    for (const uint64_t ticket : submit(steps)) {
      if (!done(store_->wait(ticket))) {
        failed = true;
      } else {
        REQUIRE(!failed);
        ++history_.acknowledged;
      }
    }
    return !failed;
  }

  // Closed in the midst of writes and of sealing, of which nobody hears how they ended.
  bool interrupted() {
    std::vector<std::unique_ptr<Step>> steps;
    say_closing(true);
    static_cast<void>(submit(steps));
    static_cast<void>(store_->submit([&](uint64_t ticket) {
      store_->engine().optimize(ticket, collection_);
      return true;
    }));
    if (!reopen()) {
      return false;
    }
    const Completion scrolled = store_->call([&](uint64_t ticket) {
      return store_->engine().scroll(ticket, collection_, PointId::integer(0), 10 * k_script_ids,
                                     nullptr, Store::everything(*collection_));
    });
    if (!done(scrolled)) {
      return false;
    }
    const auto& rows = std::get<engine::ScrollPage>(scrolled.value).rows;
    Model found;
    for (size_t i = 0; i < rows.ids.size(); ++i) {
      found.emplace(rows.ids[i], point_of(rows, i));
    }
    // From here on it is known how far they came.
    auto& states = history_.states;
    const auto reached = std::find(states.begin() + static_cast<ptrdiff_t>(history_.acknowledged),
                                   states.end(), found);
    REQUIRE(reached != states.end());
    states.erase(reached + 1, states.end());
    history_.acknowledged = states.size() - 1;
    return true;
  }

  // "new" always, "old" but for the first round, each anew or renamed.
  bool change_aliases(int round) {
    engine::AliasMap after = {{"new" + std::to_string(round), "c"}};
    std::vector<engine::AliasAction> actions = {
        {AliasKind::create, "new" + std::to_string(round), "c"}};
    if (round > 0) {
      const std::string before = "new" + std::to_string(round - 1);
      actions.push_back({AliasKind::rename, before, "old"});
      after.emplace("old", "c");
    }
    return aliases_become(std::move(after), [&](uint64_t ticket) {
      return store_->engine().update_aliases(ticket, actions);
    });
  }
  template <typename Submit>
  bool aliases_become(engine::AliasMap after, const Submit& submit) {
    history_.aliases.push_back(std::move(after));
    const bool changed = done(store_->call(submit));
    history_.aliases_acknowledged += changed ? 1 : 0;
    return changed;
  }

  bool configure(int round) {
    const Text before = history_.configs.back();
    const Text after(static_cast<size_t>(round) + 1, std::byte{'x'});
    history_.configs.push_back(after);
    const Completion changed = store_->call([&](uint64_t ticket) {
      return store_->engine().configure_collection(ticket, collection_, before, after,
                                                   optimizers_of(after));
    });
    if (!done(changed)) {
      return false;
    }
    REQUIRE(std::get<bool>(changed.value));
    ++history_.configs_acknowledged;
    return true;
  }

  // Another collection is made, written to and deleted.
  bool come_and_go() {
    if (!done(store_->create("gone", fields_))) {
      return false;
    }
    const auto collection = store_->collection("gone");
    UpsertBatch batch(fields_);
    batch.add(PointId::integer(1), {{0, {1, 2, 3, 4, 5, 6}}});
    const engine::AliasMap before = history_.aliases.back();
    engine::AliasMap with_alias = before;
    with_alias.emplace("gone too", "gone");
    const std::vector<engine::AliasAction> actions = {{AliasKind::create, "gone too", "gone"}};
    history_.removed = done(store_->call([&](uint64_t ticket) {
                         return store_->engine().write(ticket, collection, batch.job());
                       })) &&
                       aliases_become(std::move(with_alias),
                                      [&](uint64_t ticket) {
                                        return store_->engine().update_aliases(ticket, actions);
                                      }) &&
                       aliases_become(before, [&](uint64_t ticket) {
                         return store_->engine().delete_collection(ticket, "gone");
                       });
    return history_.removed;
  }

  bool damage() {
    script_.damage(*collection_);
    return done(store_->check(collection_, true));
  }

  const std::string path_;
  const std::shared_ptr<io::Storage> storage_;
  const Script& script_;
  const std::vector<segment::Field> fields_ = script_fields();
  Steps steps_;
  History history_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<engine::Collection> collection_;
};

// What the history allows, and none of a collection that is no more.
void check_aliases(Store& store, const History& history) {
  const auto found = store.engine().aliases();
  REQUIRE(found.ok());
  const auto begin = history.aliases.begin() + static_cast<ptrdiff_t>(history.aliases_acknowledged);
  REQUIRE(std::find(begin, history.aliases.end(), found.value()) != history.aliases.end());
  for (const auto& [alias, collection] : found.value()) {
    REQUIRE(store.collection(collection) != nullptr);
  }
}

void check_config(const engine::Collection& collection, const History& history) {
  const auto begin = history.configs.begin() + static_cast<ptrdiff_t>(history.configs_acknowledged);
  REQUIRE(std::find(begin, history.configs.end(), collection.config()) != history.configs.end());
  REQUIRE(collection.file().optimizers == optimizers_of(collection.config()));
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

// It can be written, optimized and opened again.
void go_on(std::unique_ptr<Store> store, const std::string& path, Model model, uint64_t seed) {
  auto collection = store->collection("c");
  UpsertBatch batch(collection->fields());
  batch.add(PointId::integer(1000), {{0, {1, 2, 3, 4, 5, 6}}});
  REQUIRE(ok(store->call(
      [&](uint64_t ticket) { return store->engine().write(ticket, collection, batch.job()); })));
  batch.apply(model);
  if (seed % 8 == 0) {
    REQUIRE(ok(store->optimize(collection)));
  }
  collection.reset();
  store.reset();
  store = std::move(Store::open(path, small_options()).value());
  collection = store->collection("c");
  REQUIRE(collection != nullptr);
  REQUIRE(collection->statistics().rebuilt.empty());
  check_store(*store, collection, model, seed);
}

}  // namespace

std::vector<segment::Field> script_fields() {
  return {make_field("a", 6), make_field("b", 3, segment::Distance::euclid)};
}

engine::OptimizerOverrides optimizers_of(const Text& config) {
  engine::OptimizerOverrides optimizers;
  if (!config.empty()) {
    optimizers.vacuum_min_vector_number = config.size() + 40;
  }
  return optimizers;
}

History run_script(const std::string& path, const std::shared_ptr<io::Storage>& storage,
                   const Script& script) {
  return Run(path, storage, script).run();
}

void check_history(const std::string& path, const History& history, uint64_t seed, bool damaged) {
  auto opened = Store::open(path, small_options());
  if (!opened.ok()) {
    FAIL(opened.error().message);
  }
  auto store = std::move(opened.value());
  for (const auto& broken : store->engine().broken()) {
    FAIL(broken.error.message);
  }
  REQUIRE((!history.removed || store->collection("gone") == nullptr));
  check_aliases(*store, history);
  auto collection = store->collection("c");
  if (collection == nullptr) {
    REQUIRE(!history.created);
    REQUIRE(ok(store->create("c", script_fields())));
    return;
  }
  check_config(*collection, history);
  const auto rebuilt = collection->statistics().rebuilt;
  REQUIRE_MESSAGE((damaged || rebuilt.empty()), rebuilt.front());
  Model found = scroll_at_rest(*store, collection);
  const auto allowed =
      std::find(history.states.begin() + static_cast<ptrdiff_t>(history.acknowledged),
                history.states.end(), found);
  REQUIRE(allowed != history.states.end());
  check_store(*store, collection, found, seed);
  if (damaged) {
    repair_rest(*store, collection);
  }
  if (seed % 4 == 0) {
    collection.reset();
    go_on(std::move(store), path, std::move(found), seed);
  }
}

}  // namespace asyncstore::engine_test
