// A payload index as the user asked for it.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "fields/schema.h"

namespace asyncstore::engine {

struct IndexDefinition {
  fields::Schema schema;
  std::vector<std::byte> params;  // JSON, as given; the Python side's

  friend bool operator==(const IndexDefinition&, const IndexDefinition&) = default;
};

// In the log and the manifest.
void put(base::ByteWriter& writer, const IndexDefinition& definition);
// Unset when it does not parse; the reader may be ok().
std::optional<IndexDefinition> take_definition(base::ByteReader& reader);

}  // namespace asyncstore::engine
