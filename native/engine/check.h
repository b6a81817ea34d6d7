// Verifying a collection beside everything else.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/collection.h"
#include "engine/damage.h"

namespace asyncstore::engine {

// Verifies every checksum and every cross-reference, and says what was rebuilt at open and is not
// on disk yet. What is being written meanwhile is looked at again before it counts as wrong.
// "Closed" once `stopping` says so. Any thread.
base::Result<std::vector<Damage>> check_collection(Collection& collection,
                                                   const std::function<bool()>& stopping);

// The same for the places where something was found before: what is wrong there now.
base::Result<std::vector<Damage>> check_again(Collection& collection,
                                              std::span<const Damage> places,
                                              const std::function<bool()>& stopping);

}  // namespace asyncstore::engine
