// Verifying a collection beside everything else.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "engine/collection.h"
#include "engine/completion_queue.h"

namespace asyncstore::engine {

// Verifies every checksum and every cross-reference, and says what was rebuilt at open. What is
// being written meanwhile is looked at again before it counts as wrong. "Closed" once `stopping`
// says so. Any thread.
base::Result<std::vector<Finding>> check_collection(Collection& collection,
                                                    const std::function<bool()>& stopping);

}  // namespace asyncstore::engine
