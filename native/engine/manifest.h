// What a collection consists of, as of one operation.
//
// Two small files in the collection's folder, each replaced as a whole:
//   COLLECTION  name, fields, the configuration of the Python side and what it says of the
//               optimizer; these two alone may change
//   MANIFEST    written by each checkpoint: segments, point tables, the operation they include
// Both in a frame (framed_file.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/index_definition.h"
#include "engine/optimizer_settings.h"
#include "segment/field.h"

namespace asyncstore::engine {

struct CollectionFile {
  std::string name;
  std::vector<segment::Field> fields;
  std::vector<std::byte> config;
  uint64_t identity = 0;                 // random; every file of the collection carries it
  std::vector<std::string> sparse = {};  // names of the sparse vectors
  std::vector<segment::Field> multivectors = {};
  OptimizerOverrides optimizers = {};
  uint64_t log_file_bytes = 0;  // of the write-ahead log; 0: as the store has it
};

struct ManifestSegment {
  uint32_t id = 0;
  uint32_t rows = 0;
  uint32_t rows_max = 0;
  bool sealed = false;
  uint64_t deleted_lsn = 0;  // names N.L.deleted; 0: no row is deleted
};

// A payload index, and where it was saved (fields/field_file.h).
struct ManifestIndex {
  IndexDefinition definition;
  uint64_t number = 0;  // fields/N.field; 0: it is made of the payloads when the collection opens
  uint64_t lsn = 0;     // that it holds; payloads of later versions are read again
};

// The index of a vector that is kept as a value, where it was saved (sparse/index_file.h,
// multivector/code_file.h).
struct ManifestKept {
  uint64_t number = 0;  // fields/N.sparse, N.multi; 0: opening makes it of the vectors
  uint64_t lsn = 0;     // that it holds; vectors of points of later versions are read again
};

struct Manifest {
  uint64_t owner = 0;
  uint64_t lsn = 0;  // everything up to it is in the files named here
  uint64_t point_count = 0;
  uint32_t next_segment = 1;
  std::vector<std::vector<ManifestSegment>> fields;  // oldest first
  std::vector<uint64_t> points;   // number of the base, then of each change: points/N.points
  std::vector<uint64_t> flushes;  // of the Gridstores, payload first (value_stores.h); 0: none yet
  std::vector<ManifestIndex> indexes;
  std::vector<ManifestKept> kept;  // of each sparse vector, then of each multivector
};

std::vector<std::byte> encode(const CollectionFile& collection);
std::vector<std::byte> encode(const Manifest& manifest);
base::Result<CollectionFile> parse_collection(const std::string& path, base::Bytes content);
// `owner` is the identity of the collection that has so many fields and Gridstores.
base::Result<Manifest> parse_manifest(const std::string& path, base::Bytes content, uint64_t owner,
                                      size_t fields, size_t value_stores);

}  // namespace asyncstore::engine
