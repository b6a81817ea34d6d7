#include "quantize/parameters.h"

#include <cmath>
#include <cstring>
#include <string>

namespace asyncstore::quantize {

using base::Bytes;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {
constexpr uint32_t k_version = 1;
}

ParameterWriter::ParameterWriter(Kind kind, uint32_t dim) {
  writer_.put(k_version);
  writer_.put(static_cast<uint32_t>(kind));
  writer_.put(dim);
  writer_.put(uint32_t{0});
}

void ParameterWriter::put_floats(std::span<const float> values) {
  writer_.put(static_cast<uint32_t>(values.size()));
  writer_.put(uint32_t{0});
  writer_.put_bytes(std::as_bytes(values));
}

Error ParameterReader::impossible() {
  return base::corruption("the parameters of a quantizer", 0, "a value is impossible");
}

Result<ParameterReader> ParameterReader::open(Bytes bytes, Kind kind, uint32_t dim) {
  ParameterReader opened(bytes);
  const auto version = opened.take<uint32_t>();
  if (version > k_version) {
    return Error{Code::unsupported, "the parameters of a quantizer have version " +
                                        std::to_string(version) + "; this asyncstore reads " +
                                        std::to_string(k_version)};
  }
  const auto found_kind = opened.take<uint32_t>();
  const auto found_dim = opened.take<uint32_t>();
  const auto zero = opened.take<uint32_t>();
  if (version != k_version || found_kind != static_cast<uint32_t>(kind) || found_dim != dim ||
      zero != 0) {
    return impossible();
  }
  return opened;
}

Result<std::vector<float>> ParameterReader::take_floats() {
  const auto count = reader_.take<uint32_t>();
  const auto zero = reader_.take<uint32_t>();
  const Bytes bytes = reader_.take_bytes(uint64_t{count} * sizeof(float));
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!bytes.empty()) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
  }
  bool finite = zero == 0 && reader_.ok();
  for (const float value : values) {
    finite = finite && std::isfinite(value);
  }
  if (!finite) {
    return impossible();
  }
  return values;
}

Status ParameterReader::finish() const {
  return reader_.ok() && reader_.remaining() == 0 ? Status() : Status(impossible());
}

}  // namespace asyncstore::quantize
