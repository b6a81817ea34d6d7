// Quantizers: a row of float32 as a few bytes, from which the similarity to a query is estimated.
//
// Preselection reads only the codes, so it scans at the bandwidth of memory and lets the exact rows
// stay on disk; rescoring then reads the exact rows of those candidates whose estimate, with its
// error, may reach a place among the results.
//
// A code stands for itself: what is known of a row beside its elements lies in the same bytes, so
// that a graph, which visits rows at random, waits for one place in memory and not for several.
//
// Every kind passes the suite tests/native/quantizer_conformance.h. factory.h makes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "quantize/config.h"

namespace asyncstore::quantize {

// The most rows of one call, so that its intermediate results fit on the stack.
inline constexpr size_t k_estimate_rows_max = 64;

// What a query needs beside the vector itself: made once per search, read-only afterwards, and so
// shared between threads. Belongs to the quantizer that made it and may outlive it.
class EncodedQuery {
 public:
  virtual ~EncodedQuery() = default;
};

// Immutable; all members may be called from any thread. The same input gives the same bytes and the
// same estimates on every machine.
//
// Codes of rows lie one behind the other, code_bytes() apart, and need no alignment. A similarity
// is larger for what is nearer: the dot product, minus the squared Euclidean distance, or minus the
// Manhattan distance. It is never NaN, and infinite where float32 overflows. A query comes from a
// quantizer of the same kind, dimension, metric and parameters.
class Quantizer {
 public:
  virtual ~Quantizer() = default;

  virtual Kind kind() const = 0;
  virtual uint32_t dim() const = 0;
  virtual uint32_t code_bytes() const = 0;  // per row

  // Encodes one row of dim finite elements, of unit length for cosine: code_bytes() bytes. Depends
  // on nothing but the row.
  virtual void encode(const float* row, uint8_t* code) const = 0;

  // Prepares one query of dim finite elements; `query` is not needed afterwards.
  virtual std::unique_ptr<EncodedQuery> encode_query(const float* query) const = 0;

  // Estimates the similarity of the query to the first `rows` rows, at most k_estimate_rows_max,
  // and prefetches those behind them: for scans. Allocates nothing.
  virtual void estimate(const EncodedQuery& query, const uint8_t* codes, size_t rows,
                        float* similarities) const = 0;

  // The same, to the bit, for the rows of these numbers, at most k_estimate_rows_max, where `codes`
  // are those of row 0: for graphs and filters. Allocates nothing.
  virtual void estimate_rows(const EncodedQuery& query, const uint8_t* codes,
                             std::span<const uint32_t> rows, float* similarities) const = 0;

  // Estimates by the codes alone how similar `row` is to each of at most k_estimate_rows_max
  // others: for building graphs. Symmetric up to rounding. Allocates nothing.
  virtual void similarities(const uint8_t* codes, uint32_t row, std::span<const uint32_t> others,
                            float* similarities) const = 0;

  // One standard deviation of the error of the estimate for the row with this code. Never NaN;
  // infinite where nothing is known.
  virtual float deviation(const EncodedQuery& query, const uint8_t* code) const = 0;
  // Not below it, and quicker to have where it takes a look at each element.
  virtual float deviation_at_most(const EncodedQuery& query, const uint8_t* code) const {
    return deviation(query, code);
  }

  // What training found, to be kept with the codes and given to load(); empty when make() gives the
  // same quantizer.
  virtual std::vector<std::byte> parameters() const = 0;
};

}  // namespace asyncstore::quantize
