// A search by sparse vectors, as it is asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/point_fetch.h"
#include "engine/query_score.h"
#include "filter/filter.h"
#include "points/point_id.h"
#include "sparse/query.h"

namespace asyncstore::engine {

struct SparseSearchRequest {
  uint32_t sparse = 0;  // the number of the sparse vector, from 0
  std::vector<sparse::Query> queries;
  // The similarity to each query; else the queries are the examples of one.
  QueryScore score;
  bool idf = false;                       // weights count by how rare their indices are
  std::vector<points::PointId> excluded;  // points that are no results
  uint64_t limit = 10;                    // ≥ 1
  uint64_t offset = 0;
  std::optional<float> score_threshold;
  std::shared_ptr<const filter::Filter> filter;  // null: all points
  With with;
};

}  // namespace asyncstore::engine
