// The rows of a graph in an order of nearness, in which they may be laid out on disk: rows that are
// candidates together are then often read together.
#pragma once

#include <cstdint>
#include <span>

#include "index/graph.h"

namespace asyncstore::index {

// Writes all rows to `order`, which has room for each once. Goes from each row to the nearest that
// it is linked to and that is not in yet, and back by the way it came where there is none. Compares
// less than a hundredth of the rows that the build compares. Needs 4 bytes and a bit a row
// meanwhile. The same graph and similarities give the same order. Code::closed when `progress` said
// no; Code::io when there is no memory left.
base::Status order_by_nearness(const Graph& graph, const RowSimilarity& similarity,
                               const Graph::Progress& progress, std::span<uint32_t> order);

}  // namespace asyncstore::index
