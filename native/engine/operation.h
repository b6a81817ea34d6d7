// Operations as they stand in the log: one encoding, made once, applied live and on replay.
//
//   upsert (kind 1)                              delete (kind 2)
//   0    4  number of points N                   0    4  number of points N
//   4    4  number of field sections             4    4  zero
//   8    …  ids                                  8    …  ids
//        …  field sections
//
//   ids: N × 16 bytes (high, low), then a bitmap of which are UUIDs, in whole 8-byte words
//   field section: u32 field, u32 rows R; a bitmap of which points have the vector, in whole words;
//                  R stored rows, then zeros up to a multiple of 8
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "points/point_id.h"
#include "segment/field.h"
#include "segment/row_codec.h"

namespace asyncstore::engine {

inline constexpr uint32_t k_upsert = 1;
inline constexpr uint32_t k_delete = 2;

// Vectors of one field as the user gave them; borrowed until the job completes.
struct FieldInput {
  uint32_t field = 0;
  const float* values = nullptr;  // n · dim
  const bool* present = nullptr;  // n; null: all
};

struct UpsertInput {
  std::vector<points::PointId> ids;
  std::vector<FieldInput> fields;
};

uint64_t upsert_bytes(std::span<const segment::Field> fields, const UpsertInput& input);
// Checks and stores the vectors on the way: NaN and infinity are errors that name point and
// element.
base::Status encode_upsert(std::span<const segment::Field> fields,
                           std::span<segment::RowCodec> codecs, const UpsertInput& input,
                           base::MutableBytes target);

uint64_t delete_bytes(std::span<const points::PointId> ids);
void encode_delete(std::span<const points::PointId> ids, base::MutableBytes target);

// A parsed payload; points into it.
struct FieldRows {
  uint32_t field = 0;
  uint32_t rows = 0;
  base::Bytes present;  // bitmap over the points
  base::Bytes stored;   // rows · row_bytes
  bool has(uint32_t point) const {
    return (static_cast<uint8_t>(present[point / 8]) >> (point % 8) & 1) != 0;
  }
};
struct Operation {
  uint32_t kind = 0;
  std::vector<points::PointId> ids;
  std::vector<FieldRows> fields;
};
// Sizes and numbers are verified: a payload that passed its checksum but does not parse is an
// error.
base::Result<Operation> parse_operation(std::span<const segment::Field> fields, uint32_t kind,
                                        base::Bytes payload);

// Finds the first row that is not finite; ok when there is none. The error counts rows from
// `first_row`.
base::Status check_finite(const float* values, uint64_t rows, uint32_t dim, const bool* present,
                          uint64_t first_row = 0);

}  // namespace asyncstore::engine
