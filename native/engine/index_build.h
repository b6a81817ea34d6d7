// Making a payload index of the points that are there, beside everything else.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "engine/collection.h"
#include "engine/field_indexes.h"
#include "engine/writer.h"

namespace asyncstore::engine {

// Reads all payloads with all cores; what changes meanwhile is read once more. Done at once when
// the index has content or was dropped. "Closed" once `stopping` says so. Any thread but the
// collection's writer; one at a time for an index.
base::Status build_index(Collection& collection, Writer& writer,
                         const std::shared_ptr<PayloadIndex>& index,
                         const std::function<bool()>& stopping);

}  // namespace asyncstore::engine
