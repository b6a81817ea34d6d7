// How the optimizer works: by the store's settings, but for those that a collection has of its own.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace asyncstore::engine {

struct OptimizerSettings {
  // A segment with a larger part of deleted rows is vacuumed, if it has at least so many rows.
  double deleted_threshold = 0.2;
  uint64_t vacuum_min_vector_number = 1000;
  uint32_t default_segment_number = 0;  // merging aims for it; 0: Maintenance decides
  uint64_t max_segment_bytes = 0;       // merging makes none larger; 0: no bound
  // An appendable segment is sealed from this size on (bytes of originals); 0: never.
  uint64_t indexing_threshold_bytes = uint64_t{10000} << 10;
  uint32_t flush_interval_s = 5;

  bool operator==(const OptimizerSettings&) const = default;
};

// What a collection has of its own; what is not given is the store's.
struct OptimizerOverrides {
  std::optional<double> deleted_threshold;
  std::optional<uint64_t> vacuum_min_vector_number;
  std::optional<uint32_t> default_segment_number;
  std::optional<uint64_t> max_segment_bytes;
  std::optional<uint64_t> indexing_threshold_bytes;
  std::optional<uint32_t> flush_interval_s;

  bool any() const { return *this != OptimizerOverrides(); }
  OptimizerSettings over(OptimizerSettings settings) const;
  bool operator==(const OptimizerOverrides&) const = default;
};

void put(base::ByteWriter& writer, const OptimizerOverrides& overrides);
// Nothing when they do not parse.
std::optional<OptimizerOverrides> take_overrides(base::ByteReader& reader);

}  // namespace asyncstore::engine
