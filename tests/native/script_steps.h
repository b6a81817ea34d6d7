// The writes of a script: what is written, and what it makes of the points.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "payload/payload.h"
#include "store_fixture.h"

namespace asyncstore::engine_test {

using engine::Kind;
using engine::PayloadChange;
using engine::UpdateMode;
using engine::WriteJob;

inline constexpr uint64_t k_script_ids = 60;

// A job, what it borrows, and what it makes of the points.
struct Step {
  WriteJob job;
  std::unique_ptr<UpsertBatch> batch = nullptr;
  std::unique_ptr<Text> text = nullptr;
  Model after;
};

inline Text text_of(std::string_view text) {
  const auto bytes = base::bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

// The writes of a script, one after the other, by its seed.
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
      case Verb::index:
        index(*step);
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
    index,
  };

  PointId some_id() { return PointId::integer(random_() % k_script_ids); }
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
    const bool rows = random_() % 2 == 0;
    if (rows) {
      operation.multivectors = {{0, nullptr, nullptr, nullptr}};
    }
    for (const PointId& id : operation.ids) {
      Point& point = step.after.at(id);
      point.vectors.erase(field);
      point.sparse = sparse ? std::nullopt : point.sparse;
      point.rows = rows ? std::nullopt : point.rows;
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

  // A payload index is made, or in place of another one, or dropped.
  void index(Step& step) {
    using fields::Kind;
    static const std::pair<const char*, Kind> k_indexes[] = {
        {"id", Kind::keyword},       {"mixed", Kind::real},   {"mixed", Kind::integer},
        {"list[].x", Kind::integer}, {"text", Kind::keyword}, {"text", Kind::text}};
    const auto& [field, kind] = k_indexes[indexes_ % std::size(k_indexes)];
    const bool drop = indexes_++ % 4 == 3;
    step.job.operation.kind = drop ? engine::Kind::drop_index : engine::Kind::create_index;
    fields::Schema schema{payload::Path::parse(field).value(), field, kind};
    if (kind == Kind::text) {
      schema.analyzer = text::Analyzer::make({.ascii_folding = true, .stopwords = {"a"}}).value();
    }
    step.job.operation.payload_index = {std::move(schema), {}};
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
  std::array<Verb, 10> order_ = {
      Verb::upsert, Verb::insert_only, Verb::update_only, Verb::set_vectors, Verb::delete_vectors,
      Verb::remove, Verb::change,      Verb::change,      Verb::index,       Verb::index};
  size_t turn_ = 0;
  uint64_t changes_ = 0;
  uint64_t indexes_ = 0;
};

}  // namespace asyncstore::engine_test
