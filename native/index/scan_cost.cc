#include "index/scan_cost.h"

#include <algorithm>

namespace asyncstore::index {

// In comparisons of rows that lie anywhere, as those of the graph do. Measured on 100,000 rows of
// 384 bytes (bench/native/graph_bench.cc): a walk compares about 16 rows for each that it looks for
// and follows the links of each; where few rows are admitted it asks the filter of 20 / share rows
// for each, at a tenth of a comparison. A scan goes through rows in their order, which takes half
// as long as rows that lie anywhere, and through the filter's bits, 64 rows in the time of one
// word. Above some thousand rows the walk's sorted array moves more bytes for each of its rows than
// a comparison reads.
bool scan_is_cheaper(uint64_t rows, uint64_t admitted, uint64_t ef) {
  constexpr uint64_t k_ef_max = 16384;
  if (ef > k_ef_max || admitted <= ef) {
    return true;
  }
  const uint64_t scan = admitted / 2 + rows / 512;
  const uint64_t checks =
      admitted * 4 > rows * 3 ? 0 : std::min(20 * rows / admitted, uint64_t{2500});
  const uint64_t walk = ef * (16 + checks / 10);
  return scan <= walk;
}

}  // namespace asyncstore::index
