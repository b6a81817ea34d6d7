// Verifying what the last checkpoint wrote, and the log behind it.
#pragma once

#include <vector>

#include "engine/collection.h"
#include "engine/damage.h"

namespace asyncstore::engine {

// MANIFEST, COLLECTION, and the files of deleted rows, points and payload indexes that the
// manifest names.
void check_saved(Collection& collection, std::vector<Damage>& found);

// That the log has every operation that is applied and in no checkpoint, and that its files can be
// opened. Here also the end of the log must be: what is in memory was in it.
void check_log(Collection& collection, std::vector<Damage>& found);

}  // namespace asyncstore::engine
