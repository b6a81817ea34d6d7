// A search by multivectors, as it is asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/point_fetch.h"
#include "engine/query_score.h"
#include "filter/filter.h"
#include "points/point_id.h"

namespace asyncstore::engine {

// Numbers and rows of all examples of a query: a stored row is compared with them in a fraction of
// a millisecond.
inline constexpr uint64_t k_query_elements_max = 1 << 22;
inline constexpr uint64_t k_query_rows_max = 1 << 14;

struct MultivectorQuery {
  std::vector<std::vector<float>> examples;  // rows of dim finite numbers, at least one
};

struct MultivectorSearchRequest {
  uint32_t multivector = 0;  // from 0
  std::vector<MultivectorQuery> queries;
  QueryScore score;                       // of each query, which says how many examples it has
  std::vector<points::PointId> excluded;  // points that are no results
  uint64_t limit = 10;                    // ≥ 1
  uint64_t offset = 0;
  // How to use codes, if there are any; as of SearchRequest.
  double oversampling = 0;
  bool rescore = true;
  bool early_stop = true;
  bool ignore_codes = false;
  std::optional<float> score_threshold;
  std::shared_ptr<const filter::Filter> filter;  // null: all points
  With with;
};

}  // namespace asyncstore::engine
