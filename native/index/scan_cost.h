// When comparing all admitted rows is cheaper than walking the graph.
#pragma once

#include <cstdint>

namespace asyncstore::index {

// True when a scan of the `admitted` ones among `rows` rows takes less time than a search of the
// graph for the `ef` nearest of them. A scan finds all of them, too.
bool scan_is_cheaper(uint64_t rows, uint64_t admitted, uint64_t ef);

}  // namespace asyncstore::index
