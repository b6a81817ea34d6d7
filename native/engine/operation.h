// Operations as they stand in the log: one encoding, made once, applied live and on replay.
//
//   0    4  number of points N
//   4    4  number of sections
//   8    …  ids: N × 16 bytes (high, low), then a bitmap of which are UUIDs, in whole 8-byte words
//        …  sections
//
//   section of a field     u32 field, u32 rows R; a bitmap of which points have the vector, in
//   whole
//                          words; R stored rows, then zeros up to a multiple of 8
//   section of values      u32 what: 0xFFFFFFFF payload, else the number of a sparse vector or a
//                          multivector; u32 values R; a bitmap of which points have one; R × u32
//                          sizes, zeros up to a multiple of 8; the values, zeros likewise
//
//   kind               what it does to each point                         sections
//   1 upsert           has these vectors and this payload, and no others  vectors, payload
//   2 delete           is no more                                         none
//   3 set_vectors      gets these vectors; others stay                    vectors
//   4 delete_vectors   loses these vectors                                vectors, without rows
//   5 set_payload      has this payload, or none                          payload
//
// Kinds 3 to 5 pass over points that are not there.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/index_definition.h"
#include "points/point_id.h"
#include "segment/field.h"
#include "segment/row_codec.h"

namespace asyncstore::engine {

// The vectors that an operation may name, by number: dense fields first, then sparse vectors, then
// multivectors. The last two kinds are kept as values, one a point (value_stores.h).
struct Schema {
  std::span<const segment::Field> fields;
  uint32_t sparse = 0;
  std::span<const segment::Field> multivectors;

  Schema(std::span<const segment::Field> the_fields, uint32_t sparse_count,
         std::span<const segment::Field> the_multivectors = {})
      : fields(the_fields), sparse(sparse_count), multivectors(the_multivectors) {}
  // Of dense vectors alone.
  Schema(const std::vector<segment::Field>& the_fields) : fields(the_fields) {}
  uint32_t dense() const { return static_cast<uint32_t>(fields.size()); }
  // Vectors that are kept as values; they are counted from 0 among themselves, too.
  uint32_t kept() const { return sparse + static_cast<uint32_t>(multivectors.size()); }
  uint32_t vectors() const { return dense() + kept(); }
};

enum class Kind : uint32_t {
  upsert = 1,
  remove = 2,
  set_vectors = 3,
  delete_vectors = 4,
  set_payload = 5,
  create_index = 6,
  drop_index = 7,
};

// Vectors of one field as the user gave them; borrowed until the job completes.
struct FieldInput {
  uint32_t field = 0;
  const float* values = nullptr;  // n · dim; null for delete_vectors
  const bool* present = nullptr;  // n; null: all
};

// Sparse vectors of one name as the user gave them; borrowed until the job completes. Vector i is
// elements offsets[i] … offsets[i + 1] - 1; its indices ascend.
struct SparseInput {
  uint32_t sparse = 0;                // from 0
  const uint64_t* offsets = nullptr;  // n + 1; null for delete_vectors
  const uint32_t* indices = nullptr;
  const float* values = nullptr;
  const bool* present = nullptr;  // n; null: all
};

// Multivectors of one name as the user gave them; borrowed until the job completes. That of point i
// is rows offsets[i] … offsets[i + 1] - 1.
struct MultivectorInput {
  uint32_t multivector = 0;           // from 0
  const uint64_t* offsets = nullptr;  // n + 1; null for delete_vectors
  const float* rows = nullptr;        // of dim elements each
  const bool* present = nullptr;      // n; null: all
};

// What goes into one frame of the log.
struct OperationInput {
  Kind kind = Kind::upsert;
  std::vector<points::PointId> ids;
  std::vector<FieldInput> fields;
  std::vector<SparseInput> sparse = {};
  std::vector<MultivectorInput> multivectors = {};
  std::vector<base::Bytes> payloads;  // JSON texts, borrowed; one an id, or none at all
  std::vector<uint32_t> picked;       // indices of the ids that count
  bool pick = false;                  // false: all count
  std::optional<IndexDefinition> payload_index =
      {};  // of create_index and drop_index, which has no more

  size_t count() const { return pick ? picked.size() : ids.size(); }
  uint32_t index(size_t at) const { return pick ? picked[at] : static_cast<uint32_t>(at); }
};

uint64_t operation_bytes(const Schema& schema, const OperationInput& input);
// Checks and stores the vectors on the way: NaN and infinity are errors that name point and
// element. `target` is zeroed; `codecs` are those of the fields, then of the multivectors.
base::Status encode_operation(const Schema& schema, std::span<segment::RowCodec> codecs,
                              const OperationInput& input, base::MutableBytes target);

// A bit for each point of an operation; points into its payload.
class PointBits {
 public:
  PointBits() = default;
  explicit PointBits(base::Bytes bits) : bits_(bits) {}
  bool has(uint32_t point) const {
    return (static_cast<uint8_t>(bits_[point / 8]) >> (point % 8) & 1) != 0;
  }

 private:
  base::Bytes bits_;
};

// Sections of a parsed operation; they point into it.
struct FieldRows {
  uint32_t field = 0;
  uint32_t rows = 0;
  PointBits present;
  base::Bytes stored;  // rows · row_bytes
  bool has(uint32_t point) const { return present.has(point); }
};
struct Values {  // payloads, as JSON texts, or vectors that are kept as values
  uint32_t count = 0;
  PointBits present;
  std::vector<base::Bytes> value;  // of those that are present, in order
  uint64_t bytes = 0;              // of all
};
struct KeptVectors {
  uint32_t number = 0;  // among those that are kept as values
  Values values;
};
struct Operation {
  Kind kind = Kind::upsert;
  std::vector<points::PointId> ids;
  std::vector<FieldRows> fields;
  std::vector<KeptVectors> kept;
  std::optional<Values> payload;
  std::optional<IndexDefinition> payload_index;  // of drop_index only the field counts
};
// What an operation does to the vectors of one name that are kept as values; a slot a point.
// `set(slot, stored)` is called for each point that gets one, `remove(slot)` for those that have
// none any more.
template <typename Set, typename Remove>
void change_kept(const Operation& operation, uint32_t number, std::span<const uint32_t> slots,
                 const Set& set, const Remove& remove) {
  const Values* given = nullptr;
  for (const KeptVectors& kept : operation.kept) {
    given = kept.number == number ? &kept.values : given;
  }
  const bool whole = operation.kind == Kind::upsert;
  const bool removes = whole || (given != nullptr && operation.kind == Kind::delete_vectors);
  size_t next = 0;
  for (uint32_t i = 0; i < slots.size() && (given != nullptr || removes); ++i) {
    if (given != nullptr && given->present.has(i)) {
      set(slots[i], given->value[next++]);
    } else if (removes) {
      remove(slots[i]);
    }
  }
}

// Sizes and numbers are verified: a payload that passed its checksum but does not parse is an
// error.
base::Result<Operation> parse_operation(const Schema& schema, uint32_t kind, base::Bytes payload);

// Finds the first row that is not finite; ok when there is none. The error counts rows from
// `first_row`.
base::Status check_finite(const float* values, uint64_t rows, uint32_t dim, const bool* present,
                          uint64_t first_row = 0);

}  // namespace asyncstore::engine
