// How near a multivector is to another by its codes, and how wrong that may be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "quantize/quantizer.h"

namespace asyncstore::multivector {

// As MaxSim, by the codes of rows. Not thread-safe.
class CodeMaxSim {
 public:
  // `query` holds rows as MaxSim::query() does.
  CodeMaxSim(std::shared_ptr<const quantize::Quantizer> quantizer, std::span<const float> query);

  // What a row costs, in bytes that are compared at once with others.
  uint64_t bytes() const;
  uint64_t code_bytes() const { return quantizer_->code_bytes(); }
  void begin();
  // The codes of `count` rows.
  void add(const uint8_t* codes, size_t count);
  // The same, for low() and high() too; these take a look at the errors of all rows.
  void add_with_errors(const uint8_t* codes, size_t count);

  float similarity() const;
  // What the exact similarity is not below and not above, but for few in a thousand.
  float low() const;
  float high() const;

 private:
  std::shared_ptr<const quantize::Quantizer> quantizer_;
  std::vector<std::unique_ptr<quantize::EncodedQuery>> queries_;  // its rows
  // Of each of its rows that of the nearest row so far.
  std::vector<float> best_;
  std::vector<float> low_;
  std::vector<float> high_;
};

}  // namespace asyncstore::multivector
