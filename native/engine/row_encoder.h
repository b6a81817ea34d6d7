// Codes of many rows, made by several threads.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/crew.h"
#include "quantize/quantizer.h"
#include "segment/row_codec.h"

namespace asyncstore::engine {

class RowEncoder {
 public:
  // The quantizer outlives this.
  RowEncoder(const segment::Field& field, const quantize::Quantizer& quantizer, uint32_t threads)
      : quantizer_(quantizer), crew_(threads), codecs_(crew_.size(), segment::RowCodec(field)) {}

  uint32_t code_bytes() const { return quantizer_.code_bytes(); }
  // Of `count` stored rows, one behind the other; `codes` has room for as many codes.
  void encode(base::Bytes rows, uint32_t count, uint8_t* codes) {
    if (count == 0) {
      return;
    }
    const uint64_t row_bytes = rows.size() / count;
    const auto work = [&](uint32_t member, uint32_t begin, uint32_t end) {
      for (uint64_t row = begin; row < end; ++row) {
        quantizer_.encode(codecs_[member].search_vector(rows.data() + row * row_bytes),
                          codes + row * code_bytes());
      }
    };
    crew_.run(count, k_portion, work, [](uint32_t) { return true; });
  }

 private:
  static constexpr uint32_t k_portion = 32;  // rows that a thread takes at a time

  const quantize::Quantizer& quantizer_;
  base::Crew crew_;
  std::vector<segment::RowCodec> codecs_;  // one a thread
};

}  // namespace asyncstore::engine
