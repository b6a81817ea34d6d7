// What training has found, as bytes; the same frame for every kind.
//
//   offset  bytes  what
//   0       4      format version, 1
//   4       4      kind
//   8       4      dim
//   12      4      zero
//   16      …      what the kind keeps; floats as a u32 count, a u32 zero and the values
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "quantize/config.h"

namespace asyncstore::quantize {

class ParameterWriter {
 public:
  ParameterWriter(Kind kind, uint32_t dim);

  template <typename T>
  void put(T value) {
    writer_.put(value);
  }
  void put_floats(std::span<const float> values);
  std::vector<std::byte> bytes() { return std::move(writer_.buffer()); }

 private:
  base::ByteWriter writer_;
};

// Reads bytes that may lie. Numbers behind the end are zero, and finish() tells.
class ParameterReader {
 public:
  static base::Result<ParameterReader> open(base::Bytes bytes, Kind kind, uint32_t dim);

  template <typename T>
  T take() {
    return reader_.take<T>();
  }
  // Finite ones; anything else is damage.
  base::Result<std::vector<float>> take_floats();
  // All bytes were there, and none is left.
  base::Status finish() const;

  static base::Error impossible();

 private:
  explicit ParameterReader(base::Bytes bytes) : reader_(bytes) {}

  base::ByteReader reader_;
};

}  // namespace asyncstore::quantize
