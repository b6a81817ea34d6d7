// An open store and a plain model of what it must hold.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "failing_storage.h"
#include "io/storage.h"
#include "segment/row_codec.h"
#include "sparse/sparse_vector.h"

namespace asyncstore::engine_test {

using engine::Completion;
using engine::Engine;
using points::PointId;

// The vectors of a point by field, as they were stored; absent: none.
using Vectors = std::map<uint32_t, std::vector<float>>;
using Model = std::map<PointId, Vectors>;

inline segment::Field make_field(std::string name, uint32_t dim,
                                 segment::Distance distance = segment::Distance::dot,
                                 segment::Datatype datatype = segment::Datatype::float32,
                                 quantize::Kind quantization = quantize::Kind::scalar_int8) {
  return {std::move(name), dim, distance, datatype, quantization, 1.0F};
}

// Options under which everything happens that can happen: small files, small segments.
inline engine::Options small_options(engine::Choice async_scorer = engine::Choice::no) {
  engine::Options options;
  options.async_scorer = async_scorer;
  options.workers = 2;
  options.prewarm = false;
  options.wal_capacity_bytes = 16 << 10;
  options.indexing_threshold_bytes = 8 << 10;
  options.vacuum_min_vector_number = 50;
  options.default_segment_number = 2;
  options.flush_interval_s = 3600;  // what goes on behind is asked for
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

  // With one sparse vector besides, which UpsertBatch fills.
  Completion create(const std::string& name, std::vector<segment::Field> fields) {
    return call([&](uint64_t ticket) {
      return engine_->create_collection(ticket, {name, fields, {}, 0, {"words"}});
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
  // All vectors, also sparse ones, and the payload.
  static engine::With everything(const engine::Collection& collection) {
    engine::With with;
    const engine::Schema schema = collection.schema();
    for (uint32_t number = 0; number < schema.dense() + schema.sparse; ++number) {
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

// The payload that every point of these tests has, or has not: it follows from id and vectors, so
// that whoever compares vectors compares payloads as well.
inline std::vector<std::byte> payload_of(const PointId& id, const Vectors& vectors) {
  uint64_t mixed = id.high ^ (id.low + 1) * 0x9E3779B97F4A7C15;
  for (const auto& [field, vector] : vectors) {
    for (const float value : vector) {
      mixed = (mixed ^ std::bit_cast<uint32_t>(value)) * 0x9E3779B97F4A7C15;
      mixed ^= mixed >> 29;
    }
  }
  if (mixed % 4 == 0) {
    return {};
  }
  std::string text =
      "{\"id\":\"" + id.text() + "\",\"mixed\":" + std::to_string(mixed) + ",\"text\":\"";
  for (uint64_t left = mixed >> 8 & 0x3FF; left > 0; --left) {
    text += static_cast<char>('a' + (mixed >> left % 50) % 26);
  }
  text += "\"}";
  const auto bytes = base::bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

// The same for the sparse vector, as stored; nothing: the point has none.
inline std::optional<std::vector<std::byte>> sparse_of(const PointId& id, const Vectors& vectors) {
  const std::vector<std::byte> payload = payload_of(id, vectors);
  if (payload.size() % 3 == 0) {
    return std::nullopt;
  }
  std::vector<uint32_t> indices;
  std::vector<float> values;
  for (size_t at = 0; at < payload.size() % 60; ++at) {
    const auto step = static_cast<uint32_t>(payload[at]);
    indices.push_back((indices.empty() ? 0 : indices.back()) + 1 + step * step);
    values.push_back(static_cast<float>(step) / 4);
  }
  std::vector<std::byte> stored(sparse::stored_bytes(indices.size()));
  REQUIRE(sparse::encode(indices, values, 0, stored.data()).ok());
  return stored;
}

// As it comes back.
inline std::vector<float> as_stored(const segment::Field& field, const std::vector<float>& vector) {
  segment::RowCodec codec(field);
  std::vector<std::byte> row(segment::row_bytes(field));
  std::vector<float> back(vector.size());
  codec.encode(vector.data(), row.data());
  codec.decode(row.data(), back.data());
  return back;
}

// An upsert that owns what its job borrows.
class UpsertBatch {
 public:
  explicit UpsertBatch(const std::vector<segment::Field>& fields) : fields_(fields) {}

  void add(const PointId& id, const Vectors& vectors) {
    points_.emplace_back(id, vectors);
    Vectors stored;
    for (const auto& [field, vector] : vectors) {
      stored[field] = as_stored(fields_[field], vector);
    }
    payloads_.push_back(payload_of(id, stored));
    add_sparse(sparse_of(id, stored));
  }
  // The job borrows from this; call it once everything was added.
  engine::WriteJob job() {
    engine::OperationInput input;
    values_.assign(fields_.size(), {});
    present_.clear();
    for (uint32_t field = 0; field < fields_.size(); ++field) {
      present_.push_back(std::make_unique<bool[]>(points_.size()));
      bool any = false;
      for (size_t i = 0; i < points_.size(); ++i) {
        const auto found = points_[i].second.find(field);
        const bool there = found != points_[i].second.end();
        present_[field][i] = there;
        any = any || there;
        const std::vector<float> nothing(fields_[field].dim);
        const auto& vector = there ? found->second : nothing;
        values_[field].insert(values_[field].end(), vector.begin(), vector.end());
      }
      if (any) {
        input.fields.push_back({field, values_[field].data(), present_[field].get()});
      }
    }
    for (const auto& [id, vectors] : points_) {
      input.ids.push_back(id);
    }
    input.payloads.assign(payloads_.begin(), payloads_.end());
    sparse_present_ = std::make_unique<bool[]>(points_.size());
    std::copy(has_sparse_.begin(), has_sparse_.end(), sparse_present_.get());
    input.sparse.push_back(
        {0, offsets_.data(), indices_.data(), sparse_values_.data(), sparse_present_.get()});
    engine::WriteJob job;
    job.operation = std::move(input);
    return job;
  }
  void apply(Model& model) const {
    for (const auto& [id, vectors] : points_) {
      auto& stored = model[id];
      stored.clear();
      for (const auto& [field, vector] : vectors) {
        stored[field] = as_stored(fields_[field], vector);
      }
    }
  }

 private:
  void add_sparse(const std::optional<std::vector<std::byte>>& stored) {
    has_sparse_.push_back(stored.has_value());
    const uint64_t count = stored ? sparse::elements_of(stored->size()) : 0;
    const uint64_t begin = offsets_.back();
    offsets_.push_back(begin + count);
    indices_.resize(begin + count);
    sparse_values_.resize(begin + count);
    if (count > 0) {
      std::memcpy(indices_.data() + begin, stored->data(), 4 * count);
      std::memcpy(sparse_values_.data() + begin, stored->data() + 4 * count, 4 * count);
    }
  }

  const std::vector<segment::Field>& fields_;
  std::vector<std::pair<PointId, Vectors>> points_;
  std::vector<bool> has_sparse_;
  std::unique_ptr<bool[]> sparse_present_;
  std::vector<uint64_t> offsets_ = {0};
  std::vector<uint32_t> indices_;
  std::vector<float> sparse_values_;
  std::vector<std::vector<std::byte>> payloads_;
  std::vector<std::vector<float>> values_;
  std::vector<std::unique_ptr<bool[]>> present_;
};

inline std::vector<float> random_vector(uint32_t dim, std::mt19937_64& random) {
  std::vector<float> vector(dim);
  for (float& value : vector) {
    value = static_cast<float>(static_cast<int64_t>(random() % 2001) - 1000) / 100.0F;
  }
  return vector;
}

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

// All points by scrolling, with their vectors, as a model.
inline Model scroll_all(Store& store, const std::shared_ptr<engine::Collection>& collection,
                        uint64_t page = 100) {
  Model found;
  PointId from = PointId::integer(0);
  while (true) {
    const Completion completion = store.call([&](uint64_t ticket) {
      return store.engine().scroll(ticket, collection, from, page, Store::everything(*collection));
    });
    REQUIRE(ok(completion));
    const auto& [rows, next] = std::get<engine::ScrollPage>(completion.value);
    for (size_t i = 0; i < rows.ids.size(); ++i) {
      REQUIRE(!(rows.ids[i] < from));
      REQUIRE(rows.versions[i] > 0);
      auto& vectors = found[rows.ids[i]];
      for (const auto& field : rows.vectors) {
        if (field.present[i] != 0) {
          const auto begin = field.values.begin() + static_cast<ptrdiff_t>(i * field.dim);
          vectors[field.field].assign(begin, begin + field.dim);
        }
      }
      REQUIRE(rows.payloads.at(i) == payload_of(rows.ids[i], vectors));
      const auto sparse = sparse_of(rows.ids[i], vectors);
      REQUIRE((rows.sparse.at(0).present.at(i) != 0) == sparse.has_value());
      REQUIRE(rows.sparse.at(0).values.at(i) == sparse.value_or(std::vector<std::byte>()));
    }
    if (!next) {
      return found;
    }
    from = *next;
  }
}

// The nearest of the model: scores by the very scorer of the engine, ties by id.
inline std::vector<std::pair<PointId, float>> nearest(const Model& model,
                                                      const segment::Field& field, uint32_t number,
                                                      const std::vector<float>& query) {
  const segment::ExactScorer scorer(field, query.data());
  segment::Field stored = field;
  stored.distance = segment::Distance::dot;  // the model's vectors have their length already
  segment::RowCodec codec(stored);
  std::vector<std::pair<PointId, float>> all;
  std::vector<std::byte> row(segment::row_bytes(field));
  for (const auto& [id, vectors] : model) {
    if (const auto found = vectors.find(number); found != vectors.end()) {
      codec.encode(found->second.data(), row.data());
      all.emplace_back(id, scorer.similarity(row.data()));
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  for (auto& [id, similarity] : all) {
    similarity = segment::score_of(field.distance, similarity);
  }
  return all;
}

// Everything that can be asked equals the model.
inline void check_store(Store& store, const std::shared_ptr<engine::Collection>& collection,
                        const Model& model, uint64_t seed) {
  REQUIRE(collection != nullptr);
  std::mt19937_64 random(seed);
  REQUIRE(collection->view()->points == model.size());
  REQUIRE(scroll_all(store, collection, 1 + random() % 300) == model);
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
