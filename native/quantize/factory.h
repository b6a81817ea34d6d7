// Makes quantizers: without training, by training on a sample of the rows, or from what a training
// found before.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "quantize/quantizer.h"

namespace asyncstore::quantize {

// Whether there are codes of this kind, with these settings, for this dimension and metric:
// Code::invalid_argument for a value outside its range, Code::unsupported for a combination.
base::Status check(const Config& config, uint32_t dim, Metric metric);

// The functions below take what check() accepts.

// A quantizer that needs no training, for rows as they come in; null for Kind::none. A kind that
// cannot do without is stood in for by scalar_int8.
std::shared_ptr<const Quantizer> make(const Config& config, uint32_t dim, Metric metric);

struct Training {
  std::span<const float> rows;  // a sample of at least one row, dim finite elements each
  uint64_t seed = 0;            // the same seed and rows give the same quantizer
  uint32_t threads = 1;         // at most so many, for this call; they do not change the result
  // Called on the calling thread now and then; false cancels.
  std::function<bool(uint64_t done, uint64_t total)> progress = nullptr;
};

// Null when cancelled, and for Kind::none. Kinds that do not train are as from make().
std::shared_ptr<const Quantizer> train(const Config& config, uint32_t dim, Metric metric,
                                       const Training& training);

// From parameters(); `parameters` may hold anything: Code::corruption when it is nothing that this
// configuration's quantizer has written, Code::unsupported when a newer version has.
base::Result<std::shared_ptr<const Quantizer>> load(const Config& config, uint32_t dim,
                                                    Metric metric, base::Bytes parameters);

}  // namespace asyncstore::quantize
