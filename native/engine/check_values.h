// Verifying what a collection keeps in a Gridstore.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/collection.h"
#include "engine/damage.h"

namespace asyncstore::engine {

// One Gridstore of a collection.
struct CheckedStore {
  gridstore::Gridstore* store;
  std::string folder;
  std::string what;       // a value of it, as in "the payload of point 7"
  std::string remedy;     // what replaces a value that is lost, without looking at it
  uint64_t flush_number;  // that the last checkpoint named
};

// All of them; Damage::part is an index into this.
std::vector<CheckedStore> stores_of(Collection& collection);

// Every value of slots [begin, end), and that none is without a point. "Closed" once `stopping`
// says so.
base::Status check_values(Collection& collection, uint32_t part, uint32_t begin, uint32_t end,
                          const std::function<bool()>& stopping, std::vector<Damage>& found);

// The tracker file and its journal. A checkpoint may be writing what is read: only what is wrong
// again and again counts.
void check_pointers(Collection& collection, uint32_t part, std::vector<Damage>& found);

}  // namespace asyncstore::engine
