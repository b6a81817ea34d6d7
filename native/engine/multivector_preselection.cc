#include "engine/multivector_preselection.h"

#include <algorithm>
#include <utility>

namespace asyncstore::engine {

using multivector::CodeMaxSim;
using multivector::CodeWindow;

namespace {
// One step compares this many bytes of codes: about a tenth of a millisecond.
constexpr uint64_t k_slice_bytes = 1 << 20;
// What it costs, in such bytes, to pass over a point; and each byte whose error is looked at.
constexpr uint64_t k_look_bytes = 64;
constexpr uint64_t k_error_cost = 8;
}  // namespace

void MultivectorPreselection::add(std::vector<CodeMaxSim> examples, uint64_t candidates) {
  Query& query =
      queries_.emplace_back(Query{std::move(examples), 0, {candidates, Nearer(snapshot_, table_)}});
  for (const CodeMaxSim& example : query.examples) {
    query.row_bytes += example.bytes();
  }
}

bool MultivectorPreselection::step(bool with_reach) {
  uint64_t budget_bytes = k_slice_bytes;
  if (!scan(budget_bytes)) {
    return false;
  }
  for (; query_ < queries_.size(); ++query_) {
    if (with_reach && !look_closer(queries_[query_], budget_bytes)) {
      return false;
    }
  }
  return true;
}

MultivectorPreselection::Found MultivectorPreselection::take(size_t query) {
  Found found = std::move(queries_[query].found);
  for (Candidate& candidate : found.candidates) {
    candidate = {candidate.similarity, 0, Nearer(snapshot_, table_).slot(candidate)};
  }
  return found;
}

// --- estimates ---

// Also takes what the queries keep, when all is done.
bool MultivectorPreselection::scan(uint64_t& budget_bytes) {
  for (; window_ < snapshot_.windows.size(); ++window_) {
    const CodeWindow& window = *snapshot_.windows[window_];
    for (; point_ < window.points; ++point_) {
      if (budget_bytes == 0 || (is_admitted(window, point_) && !scan_point(budget_bytes))) {
        return false;
      }
      budget_bytes -= std::min(budget_bytes, k_look_bytes);
    }
    point_ = 0;
    if (window_ + 1 == snapshot_.windows.size()) {
      for (Query& query : queries_) {
        query.found.candidates = query.kept.take_unsorted();
      }
    }
  }
  return true;
}

bool MultivectorPreselection::is_admitted(const CodeWindow& window, uint32_t point) const {
  const uint32_t slot = window.slot(point);
  return window.is_live(point) && passing_.contains(slot) &&
         !std::binary_search(excluded_.begin(), excluded_.end(), slot);
}

bool MultivectorPreselection::scan_point(uint64_t& budget_bytes) {
  for (; query_ < queries_.size(); ++query_) {
    Query& query = queries_[query_];
    const auto add = [](CodeMaxSim& example, const uint8_t* codes, size_t count) {
      example.add(codes, count);
    };
    if (!compare(query, {0, window_, point_}, budget_bytes, add)) {
      return false;
    }
    for (size_t e = 0; e < query.examples.size(); ++e) {
      high_[e] = query.examples[e].similarity();
    }
    query.kept.push({score_.of(high_.data()), window_, point_});
  }
  query_ = 0;
  return true;
}

// --- how wrong they may be ---

bool MultivectorPreselection::look_closer(Query& query, uint64_t& budget_bytes) {
  Found& found = query.found;
  const auto add = [](CodeMaxSim& example, const uint8_t* codes, size_t count) {
    example.add_with_errors(codes, count);
  };
  while (found.reaches.size() < found.candidates.size()) {
    uint64_t left = budget_bytes / k_error_cost;
    const bool is_done = compare(query, found.candidates[found.reaches.size()], left, add);
    budget_bytes = left * k_error_cost;
    if (!is_done) {
      return false;
    }
    for (size_t e = 0; e < query.examples.size(); ++e) {
      low_[e] = query.examples[e].low();
      high_[e] = query.examples[e].high();
    }
    found.reaches.push_back(score_.at_most(low_.data(), high_.data()));
  }
  return true;
}

// Compares the rows of a point with a query; false when the budget ends before them.
template <typename Add>
bool MultivectorPreselection::compare(Query& query, const Candidate& place, uint64_t& budget_bytes,
                                      const Add& add) {
  const CodeWindow& window = *snapshot_.windows[place.segment];
  const uint32_t rows = window.rows(place.row);
  const uint64_t code_bytes = query.examples[0].code_bytes();
  while (row_ < rows) {
    if (budget_bytes == 0) {
      return false;
    }
    const auto count = static_cast<uint32_t>(
        std::min<uint64_t>(rows - row_, std::max<uint64_t>(1, budget_bytes / query.row_bytes)));
    const uint64_t first = window.first_row(place.row) + uint64_t{row_};
    for (CodeMaxSim& example : query.examples) {
      if (row_ == 0) {
        example.begin();
      }
      add(example, window.codes.get() + first * code_bytes, count);
    }
    row_ += count;
    budget_bytes -= std::min(budget_bytes, count * query.row_bytes);
  }
  row_ = 0;
  return true;
}

}  // namespace asyncstore::engine
