// Rows for the tests of the graph, and what is exactly so.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "index/graph.h"
#include "index/traversal.h"

namespace asyncstore::index {

enum class TestMetric : uint8_t { dot, euclid, manhattan };

// Float rows; a query is one more row.
class TestRows final : public RowSimilarity {
 public:
  TestRows(uint32_t dim, TestMetric metric) : dim_(dim), metric_(metric) {}

  // Gathered around 50 centres, as real rows are.
  static TestRows random(uint32_t rows, uint32_t dim, TestMetric metric, uint64_t seed) {
    TestRows made(dim, metric);
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal(0, 1);
    std::vector<float> centres(50 * dim);
    for (float& value : centres) {
      value = normal(random);
    }
    for (uint32_t row = 0; row < rows; ++row) {
      const float* centre = centres.data() + random() % 50 * dim;
      for (uint32_t i = 0; i < dim; ++i) {
        made.values_.push_back(centre[i] + normal(random));
      }
    }
    return made;
  }

  void add(const std::vector<float>& row) { values_.insert(values_.end(), row.begin(), row.end()); }
  uint32_t count() const { return static_cast<uint32_t>(values_.size() / dim_); }
  const float* row(uint32_t number) const { return values_.data() + size_t{number} * dim_; }

  float similarity(const float* a, const float* b) const {
    float sum = 0;
    for (uint32_t i = 0; i < dim_; ++i) {
      const float difference = a[i] - b[i];
      sum += metric_ == TestMetric::dot      ? a[i] * b[i]
             : metric_ == TestMetric::euclid ? -difference * difference
                                             : -std::fabs(difference);
    }
    return sum;
  }
  void similarities(uint32_t row_number, std::span<const uint32_t> others,
                    float* out) const override {
    for (size_t i = 0; i < others.size(); ++i) {
      out[i] = similarity(row(row_number), row(others[i]));
    }
  }

 private:
  uint32_t dim_;
  TestMetric metric_;
  std::vector<float> values_;
};

class TestQuery final : public QuerySimilarity {
 public:
  TestQuery(const TestRows& rows, const float* query) : rows_(rows), query_(query) {}
  void similarities(std::span<const uint32_t> rows, float* out) const override {
    for (size_t i = 0; i < rows.size(); ++i) {
      out[i] = rows_.similarity(query_, rows_.row(rows[i]));
    }
  }

 private:
  const TestRows& rows_;
  const float* query_;
};

class TestFilter final : public RowFilter {
 public:
  explicit TestFilter(std::vector<bool> admits) : admits_(std::move(admits)) {}
  uint64_t admitted(std::span<const uint32_t> rows) const override {
    uint64_t mask = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      mask |= uint64_t{admits_[rows[i]]} << i;
    }
    return mask;
  }
  bool admits(uint32_t row) const { return admits_[row]; }

 private:
  std::vector<bool> admits_;
};

inline std::unique_ptr<Graph> build_graph(const TestRows& rows, Graph::Options options = {}) {
  auto built = Graph::build(rows.count(), rows, options, {});
  return built.ok() ? std::move(built.value()) : nullptr;
}

// The rows that a search finds, the nearest first.
inline std::vector<uint32_t> found_rows(const Graph& graph, const QuerySimilarity& query,
                                        const RowFilter* filter, uint32_t ef,
                                        uint32_t slice = UINT32_MAX) {
  LevelWalk walk;
  Traversal traversal(graph, query, filter, ef, walk);
  while (!traversal.step(slice)) {
  }
  std::vector<uint32_t> rows;
  for (uint32_t i = 0; i < walk.nearest().size(); ++i) {
    rows.push_back(walk.nearest().row(i));
  }
  return rows;
}

inline std::vector<uint32_t> exact_rows(const TestRows& rows, const float* query,
                                        const TestFilter* filter, size_t limit) {
  std::vector<std::pair<float, uint32_t>> all;
  for (uint32_t row = 0; row < rows.count(); ++row) {
    if (filter == nullptr || filter->admits(row)) {
      all.emplace_back(-rows.similarity(query, rows.row(row)), row);
    }
  }
  std::sort(all.begin(), all.end());
  std::vector<uint32_t> nearest;
  for (size_t i = 0; i < std::min(limit, all.size()); ++i) {
    nearest.push_back(all[i].second);
  }
  return nearest;
}

// The share of the exact 10 nearest that searches find.
inline double recall(const Graph& graph, const TestRows& rows, const TestRows& queries,
                     const TestFilter* filter, uint32_t ef) {
  size_t found = 0;
  size_t wanted = 0;
  for (uint32_t q = 0; q < queries.count(); ++q) {
    const auto exact = exact_rows(rows, queries.row(q), filter, 10);
    const auto candidates = found_rows(graph, TestQuery(rows, queries.row(q)), filter, ef);
    const std::set<uint32_t> set(candidates.begin(), candidates.end());
    wanted += exact.size();
    for (const uint32_t row : exact) {
      found += set.count(row);
    }
  }
  return static_cast<double>(found) / static_cast<double>(wanted);
}

}  // namespace asyncstore::index
