#include "quantize/factory.h"

#include <bit>
#include <string>

#include "base/assert.h"
#include "base/limits.h"
#include "quantize/binary_quantizer.h"
#include "quantize/parameters.h"
#include "quantize/product_quantizer.h"
#include "quantize/rabitq_quantizer.h"
#include "quantize/scalar_quantizer.h"

namespace asyncstore::quantize {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {
// On disk in that it makes the codes of rows that no training preceded.
constexpr uint64_t k_seed_untrained = 0x5261426974515F31;

// Elements to a byte.
uint32_t part_dim(const Config& config) {
  return config.compression / sizeof(float);
}

}  // namespace

Status check(const Config& config, uint32_t dim, Metric metric) {
  if (dim < 1 || dim > base::k_dim_max) {
    return base::invalid_argument("size: value " + std::to_string(dim) +
                                  " invalid, must be from 1 to " + std::to_string(base::k_dim_max));
  }
  if (!(config.quantile >= 0.5F && config.quantile <= 1.0F)) {
    return base::invalid_argument("quantile: value " + std::to_string(config.quantile) +
                                  " invalid, must be from 0.5 to 1");
  }
  if (config.bits == 0 || config.bits > 8 || !std::has_single_bit(config.bits)) {
    return base::invalid_argument("bits: value " + std::to_string(config.bits) +
                                  " invalid, must be 1, 2, 4 or 8");
  }
  if (config.compression < 4 || config.compression > 64 ||
      !std::has_single_bit(config.compression)) {
    return base::invalid_argument("compression: value " + std::to_string(config.compression) +
                                  " invalid, must be 4, 8, 16, 32 or 64");
  }
  if (config.encoding > BinaryEncoding::two_bits ||
      config.query_encoding > QueryEncoding::scalar8bits) {
    return base::invalid_argument("encoding: there is no such encoding");
  }
  switch (config.kind) {
    case Kind::none:
    case Kind::scalar_int8:
    case Kind::product:
    case Kind::binary:
      return {};
    case Kind::rabitq:
      if (metric == Metric::manhattan) {
        return Error{Code::unsupported,
                     "rabitq has no codes for the Manhattan distance; scalar has"};
      }
      return {};
  }
  return Error{Code::unsupported, "there is no such kind of codes"};
}

std::shared_ptr<const Quantizer> make(const Config& config, uint32_t dim, Metric metric) {
  ASSERT(check(config, dim, metric).ok());
  switch (config.kind) {
    case Kind::none:
      return nullptr;
    case Kind::product:  // which cannot do without training
    case Kind::scalar_int8:
      return std::make_shared<ScalarQuantizer>(dim, metric, config.quantile);
    case Kind::rabitq:
      return std::make_shared<RabitqQuantizer>(dim, metric, config.bits, k_seed_untrained,
                                               std::vector<float>());
    case Kind::binary:
      return std::make_shared<BinaryQuantizer>(dim, metric, config.encoding, config.query_encoding);
  }
  return nullptr;
}

bool needs_training(const Config& config) {
  return config.kind == Kind::rabitq || config.kind == Kind::product;
}

std::shared_ptr<const Quantizer> train(const Config& config, uint32_t dim, Metric metric,
                                       const Training& training) {
  ASSERT(check(config, dim, metric).ok());
  ASSERT(!training.rows.empty() && training.rows.size() % dim == 0);
  if (config.kind == Kind::rabitq) {
    return RabitqQuantizer::train(dim, metric, config.bits, training);
  }
  if (config.kind == Kind::product) {
    return ProductQuantizer::train(dim, metric, part_dim(config), training);
  }
  return make(config, dim, metric);
}

Result<std::shared_ptr<const Quantizer>> load(const Config& config, uint32_t dim, Metric metric,
                                              base::Bytes parameters) {
  if (parameters.empty()) {
    return make(config, dim, metric);
  }
  if (config.kind == Kind::rabitq) {
    return RabitqQuantizer::load(dim, metric, config.bits, parameters);
  }
  if (config.kind == Kind::product) {
    return ProductQuantizer::load(dim, metric, part_dim(config), parameters);
  }
  return ParameterReader::impossible();
}

}  // namespace asyncstore::quantize
