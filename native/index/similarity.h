// What the graph asks of the world: how near rows are, and which of them may be results.
//
// One virtual call answers for a list of rows, never for a pair, so that whoever implements it can
// prefetch the codes of the whole list before the first is compared.
#pragma once

#include <cstdint>
#include <span>

namespace asyncstore::index {

// The most rows of one call, so that intermediate results fit on the stack.
inline constexpr uint32_t k_list_rows_max = 64;

// How near the rows of a segment are to one of them; larger is nearer. Used to build. Called by
// several threads at once; the same arguments give the same values always. Never NaN; -inf may be.
class RowSimilarity {
 public:
  virtual ~RowSimilarity() = default;
  // out[i] tells of others[i]; at most k_list_rows_max, at least one.
  virtual void similarities(uint32_t row, std::span<const uint32_t> others, float* out) const = 0;
};

// The same to a query.
class QuerySimilarity {
 public:
  virtual ~QuerySimilarity() = default;
  virtual void similarities(std::span<const uint32_t> rows, float* out) const = 0;
};

// Which rows may be results: those that are live and match the filter.
class RowFilter {
 public:
  virtual ~RowFilter() = default;
  // Bit i tells of rows[i]; at most k_list_rows_max, at least one.
  virtual uint64_t admitted(std::span<const uint32_t> rows) const = 0;
};

}  // namespace asyncstore::index
