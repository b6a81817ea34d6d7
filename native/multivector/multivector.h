// The stored form of a multivector: its rows one after the other, each as segment::RowCodec stores
// it. How many there are follows from the size; there is one at least.
//
//   rows of 3 dimensions as float16: 6 bytes each; 30 bytes are 5 rows
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "segment/field.h"
#include "segment/row_codec.h"

namespace asyncstore::multivector {

// Numbers of one multivector: what a log record can hold, with room for what is around it.
inline constexpr uint64_t k_elements_max = 1 << 20;

inline uint64_t rows_of(const segment::Field& field, uint64_t stored_bytes) {
  return stored_bytes / segment::row_bytes(field);
}

// Writes rows · row_bytes(field) bytes. Errors name the point by its place in the batch.
base::Status encode(const segment::Field& field, segment::RowCodec& codec, const float* rows,
                    uint64_t count, uint64_t point, std::byte* target);
// Whether encode() may have written it.
bool is_sound(const segment::Field& field, base::Bytes stored);
// Appends the rows, as float32.
void decode(const segment::Field& field, const segment::RowCodec& codec, base::Bytes stored,
            std::vector<float>& target);

}  // namespace asyncstore::multivector
