// Product codes of multivectors: trained once there are rows enough, until then int8 stands in.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "engine/collection.h"
#include "engine/writer.h"

namespace asyncstore::engine {

// Whether the codes of a multivector are to be trained: there are rows enough, and ten times as
// many as when they were trained last.
bool training_due(const Collection& collection, uint32_t multivector);

// Trains them on a sample, makes the codes of all vectors beside everything else, and puts them in
// the place of those that are there; what changes meanwhile is read once more. The next checkpoint
// saves them. "Closed" once `stopping` says so. Any thread but the collection's writer; one at a
// time for a collection.
base::Status train_codes(Collection& collection, Writer& writer, uint32_t multivector,
                         const std::function<bool()>& stopping);

}  // namespace asyncstore::engine
