// What a store must hold: points with all their values, and the answers that follow from them.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "points/point_id.h"
#include "segment/row_codec.h"
#include "sparse/sparse_vector.h"

namespace asyncstore::engine_test {

using points::PointId;

// The vectors of a point by field, as they were stored; absent: none.
using Vectors = std::map<uint32_t, std::vector<float>>;
using Text = std::vector<std::byte>;

struct Point {
  Vectors vectors = {};
  Text payload = {};                            // a JSON text; empty: none
  std::optional<Text> sparse = {};              // as stored
  std::optional<std::vector<float>> rows = {};  // of its multivector

  friend bool operator==(const Point&, const Point&) = default;
};
using Model = std::map<PointId, Point>;

inline std::vector<float> random_vector(uint32_t dim, std::mt19937_64& random) {
  std::vector<float> vector(dim);
  for (float& value : vector) {
    value = static_cast<float>(static_cast<int64_t>(random() % 2001) - 1000) / 100.0F;
  }
  return vector;
}

// The payload that a point has, or has not, when nothing else is said: it follows from id and
// vectors, so that a point that is put together from two states is found out by itself.
inline Text payload_of(const PointId& id, const Vectors& vectors) {
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
inline std::optional<Text> sparse_of(const PointId& id, const Vectors& vectors) {
  const Text payload = payload_of(id, vectors);
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
  Text stored(sparse::stored_bytes(indices.size()));
  REQUIRE(sparse::encode(indices, values, 0, stored.data()).ok());
  return stored;
}

// What the multivector of a store's collection is like.
inline segment::Field multivector_field() {
  return {"rows",
          2,
          segment::Distance::dot,
          segment::Datatype::float32,
          {.kind = quantize::Kind::scalar_int8},
          {.m = 0}};
}

// The same for the rows of the multivector.
inline std::optional<std::vector<float>> rows_of(const PointId& id, const Vectors& vectors) {
  const Text payload = payload_of(id, vectors);
  if (payload.size() % 4 == 1) {
    return std::nullopt;
  }
  std::vector<float> rows(2 * (1 + payload.size() % 6));
  for (size_t at = 0; at < rows.size() && at < payload.size(); ++at) {
    rows[at] = static_cast<float>(payload[at]) / 4 - 20;
  }
  return rows;
}

inline Point derived_point(const PointId& id, const Vectors& vectors) {
  return {vectors, payload_of(id, vectors), sparse_of(id, vectors), rows_of(id, vectors)};
}

// Of a model that holds nothing but such points.
inline void require_derived(const Model& model) {
  for (const auto& [id, point] : model) {
    REQUIRE(point == derived_point(id, point.vectors));
  }
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
  for (const auto& [id, point] : model) {
    if (const auto found = point.vectors.find(number); found != point.vectors.end()) {
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

}  // namespace asyncstore::engine_test
