// Makes quantizers: without training, by training on a sample of the rows, or from what a training
// found before.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "quantize/quantizer.h"
#include "quantize/training.h"

namespace asyncstore::quantize {

// Whether there are codes of this kind, with these settings, for this dimension and metric:
// Code::invalid_argument for a value outside its range, Code::unsupported for a combination.
base::Status check(const Config& config, uint32_t dim, Metric metric);

// The functions below take what check() accepts.

// A quantizer that needs no training, for rows as they come in; null for Kind::none. A kind that
// cannot do without is stood in for by scalar_int8.
std::shared_ptr<const Quantizer> make(const Config& config, uint32_t dim, Metric metric);

// Whether train() gives another quantizer than make().
bool needs_training(const Config& config);

// Null when cancelled, and for Kind::none. Kinds that do not train are as from make().
std::shared_ptr<const Quantizer> train(const Config& config, uint32_t dim, Metric metric,
                                       const Training& training);

// From parameters(); `parameters` may hold anything: Code::corruption when it is nothing that this
// configuration's quantizer has written, Code::unsupported when a newer version has.
base::Result<std::shared_ptr<const Quantizer>> load(const Config& config, uint32_t dim,
                                                    Metric metric, base::Bytes parameters);

}  // namespace asyncstore::quantize
