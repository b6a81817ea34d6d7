// An open store and a plain model of what it must hold.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "failing_storage.h"
#include "filter/matcher.h"
#include "io/storage.h"
#include "multivector_codes_check.h"
#include "sparse_index_check.h"
#include "store_model.h"
#include "upsert_batch.h"

namespace asyncstore::engine_test {

using engine::Completion;
using engine::Engine;

inline segment::Field make_field(std::string name, uint32_t dim,
                                 segment::Distance distance = segment::Distance::dot,
                                 segment::Datatype datatype = segment::Datatype::float32,
                                 quantize::Kind quantization = quantize::Kind::scalar_int8) {
  // Every sealed segment gets a graph.
  return {std::move(name),
          dim,
          distance,
          datatype,
          {.kind = quantization},
          {.m = 8, .ef_construct = 20, .full_scan_threshold_bytes = 0}};
}

// Options under which everything happens that can happen: small files, small segments.
inline engine::Options small_options(engine::Choice async_scorer = engine::Choice::no) {
  engine::Options options;
  options.async_scorer = async_scorer;
  options.workers = 2;
  options.prewarm = false;
  options.wal_capacity_bytes = 16 << 10;
  options.optimizers.indexing_threshold_bytes = 8 << 10;
  options.optimizers.vacuum_min_vector_number = 50;
  options.optimizers.default_segment_number = 2;
  options.writer_part_points = 16;
  options.optimizers.flush_interval_s = 3600;  // what goes on behind is asked for
  return options;
}

// Runs one store on the calling thread: every call submits, waits and returns what came.
class Store {
 public:
  static base::Result<std::unique_ptr<Store>> open(const std::string& path,
                                                   const engine::Options& options,
                                                   std::shared_ptr<io::Storage> storage = nullptr) {
    TRY_ASSIGN(auto opened,
               Engine::open(storage ? storage : std::make_shared<storage_test::FailingStorage>(),
                            path, options));
    return std::make_unique<Store>(std::move(opened));
  }
  explicit Store(std::unique_ptr<Engine> opened) : engine_(std::move(opened)) {}

  Engine& engine() { return *engine_; }

  std::shared_ptr<engine::Collection> collection(const std::string& name) {
    for (const auto& one : engine_->collections()) {
      if (one->name() == name) {
        return one;
      }
    }
    return nullptr;
  }

  // Submits with a new ticket, again while the inbox is full.
  template <typename Submit>
  uint64_t submit(Submit call) {
    const uint64_t ticket = engine_->next_ticket();
    while (!call(ticket)) {
      gather(20);
    }
    return ticket;
  }
  Completion wait(uint64_t ticket) {
    for (int tries = 0; !arrived_.contains(ticket); ++tries) {
      REQUIRE_MESSAGE(tries < 1500, "no answer within 30 seconds");
      gather(20);
    }
    Completion completion = std::move(arrived_.at(ticket));
    arrived_.erase(ticket);
    return completion;
  }
  bool has_arrived(uint64_t ticket) {
    gather(0);
    return arrived_.contains(ticket);
  }
  template <typename Submit>
  Completion call(Submit submitted) {
    return wait(submit(submitted));
  }

  // With one sparse vector and one multivector besides, which UpsertBatch fills.
  Completion create(const std::string& name, std::vector<segment::Field> fields) {
    return call([&](uint64_t ticket) {
      return engine_->create_collection(ticket,
                                        {name, fields, {}, 0, {"words"}, {multivector_field()}});
    });
  }
  Completion optimize(const std::shared_ptr<engine::Collection>& collection) {
    return call([&](uint64_t ticket) {
      engine_->optimize(ticket, collection);
      return true;
    });
  }
  Completion check(const std::shared_ptr<engine::Collection>& collection, bool repair = false) {
    return call([&](uint64_t ticket) {
      engine_->check(ticket, collection, repair);
      return true;
    });
  }
  Completion search(const std::shared_ptr<engine::Collection>& collection,
                    engine::SearchRequest request) {
    return call([&](uint64_t ticket) { return engine_->search(ticket, collection, request); });
  }
  Completion retrieve(const std::shared_ptr<engine::Collection>& collection,
                      std::vector<PointId> ids) {
    return call([&](uint64_t ticket) {
      return engine_->retrieve(ticket, collection, ids, everything(*collection));
    });
  }
  Completion build_index(const std::shared_ptr<engine::Collection>& collection,
                         const std::string& field) {
    return call([&](uint64_t ticket) {
      engine().build_index(ticket, collection, field);
      return true;
    });
  }
  // All vectors, of all kinds, and the payload.
  static engine::With everything(const engine::Collection& collection) {
    engine::With with;
    const engine::Schema schema = collection.schema();
    for (uint32_t number = 0; number < schema.vectors(); ++number) {
      with.fields.push_back(number);
    }
    with.payload.kind = engine::PayloadSelection::Kind::all;
    return with;
  }

 private:
  void gather(int timeout_ms) {
    pollfd waited{engine_->completions().fd(), POLLIN, 0};
    ::poll(&waited, 1, timeout_ms);
    for (auto& completion : engine_->completions().drain()) {
      const uint64_t ticket = completion.ticket;
      REQUIRE_MESSAGE(arrived_.emplace(ticket, std::move(completion)).second, "answered twice");
    }
  }

  std::map<uint64_t, Completion> arrived_;
  std::unique_ptr<Engine> engine_;
};

inline engine::SearchRequest search_request(std::vector<float> query, uint64_t limit) {
  engine::SearchRequest request;
  request.queries = std::move(query);
  request.limit = limit;
  return request;
}

inline engine::WriteJob delete_job(std::vector<PointId> ids) {
  engine::WriteJob job;
  job.operation.kind = engine::Kind::remove;
  job.operation.ids = std::move(ids);
  return job;
}

// `text` is borrowed; empty: no payload.
inline engine::WriteJob overwrite_job(const PointId& id, base::Bytes text) {
  engine::WriteJob job;
  job.operation.kind = engine::Kind::set_payload;
  job.operation.ids = {id};
  job.must_exist = true;
  job.change.emplace();
  job.change->action = engine::PayloadChange::Action::replace;
  job.change->value = text.empty() ? base::bytes_of(std::string_view("{}")) : text;
  return job;
}

inline bool ok(const Completion& completion) {
  if (completion.error) {
    MESSAGE(completion.error->message);
  }
  return !completion.error.has_value();
}

// Row `i` of an answer, with everything.
inline Point point_of(const engine::Rows& rows, size_t i) {
  Point point;
  for (const auto& field : rows.vectors) {
    if (field.present[i] != 0) {
      const auto begin = field.values.begin() + static_cast<ptrdiff_t>(i * field.dim);
      point.vectors[field.field].assign(begin, begin + field.dim);
    }
  }
  point.payload = rows.payloads.at(i);
  if (rows.sparse.at(0).present.at(i) != 0) {
    point.sparse = rows.sparse.at(0).values.at(i);
  }
  const engine::Multivectors& multi = rows.multivectors.at(0);
  if (multi.present.at(i) != 0) {
    const auto at = [&](size_t point_at) {
      return multi.rows.begin() + static_cast<ptrdiff_t>(multi.offsets[point_at] * multi.dim);
    };
    point.rows.emplace(at(i), at(i + 1));
  }
  return point;
}

// All points by scrolling, with everything, as a model.
inline Model scroll_all(Store& store, const std::shared_ptr<engine::Collection>& collection,
                        uint64_t page = 100) {
  Model found;
  PointId from = PointId::integer(0);
  while (true) {
    const Completion completion = store.call([&](uint64_t ticket) {
      return store.engine().scroll(ticket, collection, from, page, nullptr,
                                   Store::everything(*collection));
    });
    REQUIRE(ok(completion));
    const auto& [rows, next] = std::get<engine::ScrollPage>(completion.value);
    for (size_t i = 0; i < rows.ids.size(); ++i) {
      REQUIRE(!(rows.ids[i] < from));
      REQUIRE(rows.versions[i] > 0);
      REQUIRE(found.emplace(rows.ids[i], point_of(rows, i)).second);
    }
    if (!next) {
      return found;
    }
    from = *next;
  }
}

// The same of a collection to which nobody writes: the indexes of vectors that are kept as values
// agree with the points. (Windows of an index change in place, so beside writes nothing is sure.)
inline Model scroll_at_rest(Store& store, const std::shared_ptr<engine::Collection>& collection,
                            uint64_t page = 100) {
  Model found = scroll_all(store, collection, page);
  const auto view = collection->view();
  require_indexed(*collection, *view->sparse.at(0), found);
  require_codes(*collection, *view->multivectors.at(0), found);
  return found;
}

// Filters that payload indexes answer say the same as the payloads of the model.
inline void check_indexes(Store& store, const std::shared_ptr<engine::Collection>& collection,
                          const Model& model) {
  class NoFacts final : public filter::PointFacts {
    PointId id() const override { return {}; }
    bool has_vector(uint32_t) const override { return false; }
  };
  for (const auto& index : *collection->indexes().list()) {
    const auto& schema = index->definition().schema;
    REQUIRE(ok(store.build_index(collection, schema.key)));
    REQUIRE(index->content() != nullptr);
    std::vector<filter::Test> tests = {
        filter::IsEmpty{}, filter::IsNull{false},
        filter::NumberRange{{int64_t{1} << 61, {}, {}, {}}},
        filter::MatchExcept{filter::ValueSet({std::string("short")})},
        filter::MatchAny{filter::ValueSet({std::string("short"), std::string("7"), int64_t{5}})}};
    if (schema.analyzer) {
      using Kind = text::Query::Kind;
      for (const Kind kind : {Kind::all, Kind::any, Kind::phrase}) {
        tests.push_back(filter::MatchTokens::of(*schema.analyzer, kind, "Short"));
        tests.push_back(filter::MatchTokens::of(*schema.analyzer, kind, "lorem ipsum dolor"));
      }
    }
    for (const filter::Test& test : tests) {
      const auto wanted = std::make_shared<const filter::Filter>(
          filter::Filter{{{filter::FieldCondition{schema.path, {test}}}}, {}, {}, {}});
      const Completion completion = store.call(
          [&](uint64_t ticket) { return store.engine().matching_ids(ticket, collection, wanted); });
      REQUIRE(ok(completion));
      auto found = std::get<engine::Ids>(completion.value).ids;
      std::sort(found.begin(), found.end());
      std::vector<PointId> expected;
      filter::Matcher matcher(*wanted);
      for (const auto& [id, point] : model) {
        const auto passes = matcher.matches(point.payload, NoFacts());
        REQUIRE(passes.ok());
        if (passes.value()) {
          expected.push_back(id);
        }
      }
      REQUIRE(found == expected);
    }
  }
}

// Everything that can be asked equals the model.
inline void check_store(Store& store, const std::shared_ptr<engine::Collection>& collection,
                        const Model& model, uint64_t seed) {
  REQUIRE(collection != nullptr);
  std::mt19937_64 random(seed);
  REQUIRE(collection->view()->points == model.size());
  REQUIRE(scroll_at_rest(store, collection, 1 + random() % 300) == model);
  check_indexes(store, collection, model);
  for (uint32_t number = 0; number < collection->fields().size(); ++number) {
    const auto& field = collection->fields()[number];
    for (const bool exact : {true, false}) {
      const auto query = random_vector(field.dim, random);
      const auto expected = nearest(model, field, number, query);
      engine::SearchRequest request;
      request.field = number;
      request.queries = query;
      // Everything is asked for, so that codes leave nothing out.
      request.limit = exact ? 1 + random() % 50 : expected.size() + 10;
      request.offset = exact ? random() % 10 : 0;
      request.exact = exact;
      const Completion completion = store.search(collection, request);
      REQUIRE(ok(completion));
      const auto& rows = std::get<engine::Rows>(completion.value);
      const size_t begin = std::min<size_t>(request.offset, expected.size());
      REQUIRE(rows.ids.size() == std::min<size_t>(request.limit, expected.size() - begin));
      for (size_t i = 0; i < rows.ids.size(); ++i) {
        REQUIRE(rows.ids[i] == expected[begin + i].first);
        REQUIRE(rows.scores[i] == expected[begin + i].second);
        REQUIRE(rows.versions[i] > 0);
      }
    }
  }
}

}  // namespace asyncstore::engine_test
