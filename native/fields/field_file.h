// A field index on disk: what each slot holds. Which slots have a key is found anew when loaded.
//
// Payload of a checked file (io/checked_file.h) with the magic "ASFIELD1" and the header fields
// lsn, number of slots S, kind (schema.h) | 256 with lookup | 512 with range, 0:
//
//   u32 size and bytes of the path, as the user wrote it
//   for texts: text::version() and the parameters (text/parameters.h), each with its u32 size
//   for keywords, uuids and texts: the terms in ascending order, each a u32 size and its bytes
//     (UTF-8; of a uuid its 16 bytes), then u32 0xFFFFFFFF; they are numbered from 0
//   S times: a byte, flags (values.h: bit 0 is Flag::present, and so on) | number of keys << 6,
//     where 2 means two or more; then, for 2, u32 number of keys; then the keys, ascending: where
//     there are terms u32 numbers of them, for the others u64 (keys.h, geo_cell.h)
//
// Example: slot 7 with the term 300 is 41 2C 01 00 00; without a point it is 00.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "fields/field_index.h"
#include "io/storage.h"

namespace asyncstore::fields {

struct LoadedField {
  std::unique_ptr<FieldIndex> index;
  uint64_t lsn = 0;  // as it was written
};

// A file that is damaged, or of another owner, is Code::corruption; so is one of texts whose tokens
// would be others today.
base::Result<LoadedField> load_field(io::Storage& storage, const std::string& path, uint64_t owner);

}  // namespace asyncstore::fields
