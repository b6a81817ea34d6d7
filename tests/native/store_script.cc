#include "store_script.h"

#include <algorithm>
#include <array>
#include <set>

#include "payload/payload.h"

namespace asyncstore::engine_test {

using engine::Kind;
using engine::PayloadChange;
using engine::UpdateMode;
using engine::WriteJob;

namespace {

constexpr uint64_t k_ids = 60;
constexpr int k_rounds = 6;
constexpr int k_calm_round = 2;   // closed behind it, and opened again
constexpr int k_rough_round = 4;  // the same in its midst

// A job, what it borrows, and what it makes of the points.
struct Step {
  WriteJob job;
  std::unique_ptr<UpsertBatch> batch = nullptr;
  std::unique_ptr<Text> text = nullptr;
  Model after;
};

Text text_of(std::string_view text) {
  const auto bytes = base::bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

class Steps {
 public:
  Steps(const std::vector<segment::Field>& fields, uint64_t seed) : fields_(fields), random_(seed) {
    std::shuffle(order_.begin(), order_.end(), random_);
  }

  // Each kind has its turn.
  std::unique_ptr<Step> next(const Model& before) {
    auto step = std::make_unique<Step>();
    step->after = before;
    const Verb verb = before.empty() ? Verb::upsert : order_[turn_++ % order_.size()];
    switch (verb) {
      case Verb::upsert:
        upsert(*step, UpdateMode::upsert, 25);
        break;
      case Verb::insert_only:
        upsert(*step, UpdateMode::insert_only, 8);
        break;
      case Verb::update_only:
        upsert(*step, UpdateMode::update_only, 8);
        break;
      case Verb::set_vectors:
        set_vectors(*step);
        break;
      case Verb::delete_vectors:
        delete_vectors(*step);
        break;
      case Verb::remove:
        remove(*step);
        break;
      case Verb::change:
        change(*step);
        break;
    }
    return step;
  }

 private:
  enum class Verb : uint8_t {
    upsert,
    insert_only,
    update_only,
    set_vectors,
    delete_vectors,
    remove,
    change,
  };

  PointId some_id() { return PointId::integer(random_() % k_ids); }
  std::vector<PointId> some_of(const Model& model, size_t count) {
    std::set<PointId> ids;
    for (size_t i = 0; i < count; ++i) {
      ids.insert(std::next(model.begin(), static_cast<ptrdiff_t>(random_() % model.size()))->first);
    }
    return {ids.begin(), ids.end()};
  }
  Vectors some_vectors(uint64_t one_in) {
    Vectors vectors;
    for (uint32_t field = 0; field < fields_.size(); ++field) {
      if (random_() % one_in != 0) {
        vectors[field] = random_vector(fields_[field].dim, random_);
      }
    }
    return vectors;
  }
  // Of some other point: values that say nothing of the vectors beside them.
  Point some_values() {
    return derived_point(PointId::integer(random_()), {{0, random_vector(2, random_)}});
  }

  void upsert(Step& step, UpdateMode mode, int points) {
    step.batch = std::make_unique<UpsertBatch>(fields_, Kind::upsert, mode);
    for (int i = 0; i < points; ++i) {
      const PointId id = some_id();
      const Vectors vectors = some_vectors(4);
      step.batch->add(id, vectors, some_values());
    }
    step.batch->apply(step.after);
    step.job = step.batch->job();
  }
  void set_vectors(Step& step) {
    step.batch = std::make_unique<UpsertBatch>(fields_, Kind::set_vectors);
    for (const PointId& id : some_of(step.after, 8)) {
      const Vectors vectors = some_vectors(2);
      step.batch->add(id, vectors, random_() % 2 == 0 ? some_values() : Point());
    }
    step.batch->apply(step.after);
    step.job = step.batch->job();
  }
  void delete_vectors(Step& step) {
    auto& operation = step.job.operation;
    operation.kind = Kind::delete_vectors;
    operation.ids = some_of(step.after, 6);
    step.job.must_exist = true;
    const auto field = static_cast<uint32_t>(random_() % fields_.size());
    operation.fields = {{field, nullptr, nullptr}};
    const bool sparse = random_() % 2 == 0;
    if (sparse) {
      operation.sparse = {{0, nullptr, nullptr, nullptr, nullptr}};
    }
    for (const PointId& id : operation.ids) {
      Point& point = step.after.at(id);
      point.vectors.erase(field);
      point.sparse = sparse ? std::nullopt : point.sparse;
    }
  }
  void remove(Step& step) {
    std::vector<PointId> ids;
    for (int i = 0; i < 10; ++i) {
      ids.push_back(some_id());
      step.after.erase(ids.back());
    }
    step.job = delete_job(std::move(ids));
  }

  // Of the payload: overwritten, merged into, also at a path, replaced at a path, keys removed.
  void change(Step& step) {
    using Action = PayloadChange::Action;
    step.job.operation.kind = Kind::set_payload;
    step.job.operation.ids = some_of(step.after, 4);
    step.job.must_exist = true;
    PayloadChange& change = step.job.change.emplace();
    const auto path = [](std::string_view text) { return payload::Path::parse(text).value(); };
    const std::string number = std::to_string(random_());
    switch (changes_++ % 5) {
      case 0:
        change.action = Action::merge;
        step.text = std::make_unique<Text>(text_of(R"({"k":)" + number + R"(,"text":"short"})"));
        break;
      case 1:
        change.action = Action::replace;
        change.path = path("list");
        step.text = std::make_unique<Text>(text_of("[{\"x\":" + number + "},{}]"));
        break;
      case 2:
        change.action = Action::merge;
        change.path = path(random_() % 2 == 0 ? "list[].deep" : "new.deep");
        step.text = std::make_unique<Text>(text_of("{\"y\":" + number + "}"));
        break;
      case 3:
        change.action = Action::remove;
        change.keys = {path("text"), path("list[].x"), path("new")};
        step.text = std::make_unique<Text>();
        break;
      default:
        change.action = Action::replace;
        step.text =
            std::make_unique<Text>(random_() % 4 == 0 ? text_of("{}") : some_values().payload);
        step.text->empty() ? * step.text = text_of("{}") : *step.text;
        break;
    }
    change.value = *step.text;
    for (const PointId& id : step.job.operation.ids) {
      Text& payload = step.after.at(id).payload;
      payload = changed(change, payload);
    }
  }
  // By the functions that payload_model_test.cc compares with a model of their own.
  static Text changed(const PayloadChange& change, const Text& before) {
    const auto after = [&] {
      switch (change.action) {
        case PayloadChange::Action::remove:
          return payload::remove(before, change.keys);
        case PayloadChange::Action::merge:
          return change.path ? payload::merge_at(before, *change.path, change.value)
                             : payload::merge(before, change.value);
        default:
          return change.path ? payload::replace_at(before, *change.path, change.value)
                             : payload::merge({}, change.value);
      }
    }();
    REQUIRE(after.ok());
    return after.value().size() > 2 ? after.value() : Text();  // {} is no payload
  }

  const std::vector<segment::Field>& fields_;
  std::mt19937_64 random_;
  std::array<Verb, 8> order_ = {Verb::upsert,      Verb::insert_only,    Verb::update_only,
                                Verb::set_vectors, Verb::delete_vectors, Verb::remove,
                                Verb::change,      Verb::change};
  size_t turn_ = 0;
  uint64_t changes_ = 0;
};

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
    collection_ = store_->collection("c");
    return true;
  }
  bool reopen() {
    close();
    return open();
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
      return store_->engine().scroll(ticket, collection_, PointId::integer(0), 10 * k_ids,
                                     Store::everything(*collection_));
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

  // Another collection is made, written to and deleted.
  bool come_and_go() {
    if (!done(store_->create("gone", fields_))) {
      return false;
    }
    const auto collection = store_->collection("gone");
    UpsertBatch batch(fields_);
    batch.add(PointId::integer(1), {{0, {1, 2, 3, 4, 5, 6}}});
    history_.removed = done(store_->call([&](uint64_t ticket) {
                         return store_->engine().write(ticket, collection, batch.job());
                       })) &&
                       done(store_->call([&](uint64_t ticket) {
                         return store_->engine().delete_collection(ticket, "gone");
                       }));
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
  if (seed % 4 == 0) {
    collection.reset();
    go_on(std::move(store), path, std::move(found), seed);
  }
}

}  // namespace asyncstore::engine_test
