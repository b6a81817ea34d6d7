#include "engine/optimizer_settings.h"

namespace asyncstore::engine {

namespace {

// In the order of the file: the first one's flag is the lowest bit.
template <typename Overrides, typename Visit>
void visit_all(Overrides& overrides, const Visit& visit) {
  visit(overrides.deleted_threshold);
  visit(overrides.vacuum_min_vector_number);
  visit(overrides.default_segment_number);
  visit(overrides.max_segment_bytes);
  visit(overrides.indexing_threshold_bytes);
  visit(overrides.flush_interval_s);
}

}  // namespace

OptimizerSettings OptimizerOverrides::over(OptimizerSettings settings) const {
  return {
      deleted_threshold.value_or(settings.deleted_threshold),
      vacuum_min_vector_number.value_or(settings.vacuum_min_vector_number),
      default_segment_number.value_or(settings.default_segment_number),
      max_segment_bytes.value_or(settings.max_segment_bytes),
      indexing_threshold_bytes.value_or(settings.indexing_threshold_bytes),
      flush_interval_s.value_or(settings.flush_interval_s),
  };
}

void put(base::ByteWriter& writer, const OptimizerOverrides& overrides) {
  uint8_t flags = 0;
  uint8_t flag = 1;
  visit_all(overrides, [&](const auto& own) {
    flags = static_cast<uint8_t>(flags | (own ? flag : 0));
    flag = static_cast<uint8_t>(flag << 1);
  });
  writer.put(flags);
  visit_all(overrides, [&](const auto& own) {
    if (own) {
      writer.put(*own);
    }
  });
}

std::optional<OptimizerOverrides> take_overrides(base::ByteReader& reader) {
  OptimizerOverrides overrides;
  auto flags = reader.take<uint8_t>();
  visit_all(overrides, [&]<typename Number>(std::optional<Number>& own) {
    if ((flags & 1) != 0) {
      own = reader.take<Number>();
    }
    flags = static_cast<uint8_t>(flags >> 1);
  });
  const double part = overrides.deleted_threshold.value_or(0);
  const bool possible = flags == 0 && part >= 0 && part <= 1;  // a NaN is neither
  return reader.ok() && possible ? std::optional(overrides) : std::nullopt;
}

}  // namespace asyncstore::engine
