// Quantizers: a row of float32 as a few bytes, from which the similarity to a query is estimated.
//
// Preselection reads only the codes, so it scans at the bandwidth of memory and lets the exact rows
// stay on disk; rescoring then reads the exact rows of the few candidates that it left.
//
// Every kind passes the suite tests/native/quantizer_conformance.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace asyncstore::quantize {

enum class Kind : uint8_t { none = 0, scalar_int8 = 1 };  // on disk

enum class Metric : uint8_t {
  dot = 0,
  euclid = 1,
  manhattan = 2
};  // cosine is dot of unit vectors

// The most rows of one call to `estimate`, so that its intermediate results fit on the stack.
inline constexpr size_t k_estimate_rows_max = 64;

// What a query needs beside the vector itself: made once per search, read-only afterwards, and so
// shared between threads. Belongs to the quantizer that made it and may outlive it.
class EncodedQuery {
 public:
  virtual ~EncodedQuery() = default;
};

// The codes of consecutive rows, which the caller keeps alive: `codes` holds rows × code_bytes()
// bytes, `terms` holds what else is known of each row as a structure of arrays; term t of row r is
// terms[t * terms_stride + r]. No alignment is needed. A kind without terms ignores them.
struct CodeBlock {
  const uint8_t* codes;
  const float* terms;
  size_t terms_stride;
};

// Immutable; all members may be called from any thread. The same input gives the same bytes and the
// same estimates on every machine.
class Quantizer {
 public:
  virtual ~Quantizer() = default;

  virtual Kind kind() const = 0;
  virtual uint32_t dim() const = 0;
  virtual uint32_t code_bytes() const = 0;  // per row
  virtual uint32_t term_count() const = 0;  // floats per row

  // Encodes one row of dim finite elements, of unit length for cosine: code_bytes() bytes to
  // `code`, term t to terms[t * terms_stride]. Depends on nothing but the row.
  virtual void encode(const float* row, uint8_t* code, float* terms, size_t terms_stride) const = 0;

  // Prepares one query of dim finite elements; `query` is not needed afterwards.
  virtual std::unique_ptr<EncodedQuery> encode_query(const float* query) const = 0;

  // Estimates the similarity of each of the first `rows` rows of the block, at most
  // k_estimate_rows_max; larger is nearer: the dot product, minus the squared Euclidean distance,
  // or minus the Manhattan distance. Never NaN; infinite where float32 overflows. `query` comes
  // from a quantizer of the same kind, dimension and metric. Allocates nothing.
  virtual void estimate(const EncodedQuery& query, const CodeBlock& block, size_t rows,
                        float* similarities) const = 0;
};

}  // namespace asyncstore::quantize
