#include "index/scan_cost.h"

#include <algorithm>

namespace asyncstore::index {

// In comparisons of rows that lie anywhere, as those of the graph do; measured on 100,000 rows of
// 384 bytes (bench/native/graph_bench.cc). A walk compares about 16 rows for each that it looks
// for. Where not nearly all are admitted it asks the filter of 33 / share rows for each, up to
// 1,300, an eighth of a comparison each. A scan reads rows in their order, in half the time, and a
// bit of the filter for every row.
//
// Example: of 1,000,000 rows, ef 128: where a hundredth is admitted, a scan takes 7,000 and a walk
// 22,800; where a tenth is, 52,000 and 7,300.
bool scan_is_cheaper(uint64_t rows, uint64_t admitted, uint64_t ef) {
  // Above it the walk's sorted array moves more bytes for a row than a comparison reads.
  constexpr uint64_t k_ef_max = 16384;
  if (ef > k_ef_max || admitted <= ef) {
    return true;
  }
  const uint64_t scan = admitted / 2 + rows / 512;
  const uint64_t checks =
      admitted * 4 > rows * 3 ? 0 : std::min(33 * rows / admitted, uint64_t{1300});
  const uint64_t walk = ef * (16 + checks / 8);
  return scan <= walk;
}

}  // namespace asyncstore::index
