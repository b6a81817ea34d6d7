#include "index/row_order.h"

#include <array>
#include <cerrno>

namespace asyncstore::index {
namespace {

constexpr uint64_t k_progress_rows = 1 << 10;

// The path from the first row to the one that was ordered last, and which rows are ordered.
class Chain {
 public:
  explicit Chain(uint32_t rows)
      : path_(uint64_t{rows} * sizeof(uint32_t), false), bits_(bits_bytes(rows), false) {}
  bool allocate(uint32_t rows) {
    return path_.grow(uint64_t{rows} * sizeof(uint32_t)) && bits_.grow(bits_bytes(rows));
  }

  bool ordered(uint32_t row) const {
    return ((bits_.as<uint64_t>()[row / 64] >> (row % 64)) & 1) != 0;
  }
  void append(uint32_t row) {
    bits_.as<uint64_t>()[row / 64] |= uint64_t{1} << (row % 64);
    path_.as<uint32_t>()[length_++] = row;
  }
  bool empty() const { return length_ == 0; }
  uint32_t last() const { return path_.as<uint32_t>()[length_ - 1]; }
  void go_back() { --length_; }

 private:
  static uint64_t bits_bytes(uint32_t rows) { return base::round_up(rows, 64) / 8; }

  base::Region path_;
  base::Region bits_;
  uint32_t length_ = 0;
};

// The nearest row that `row` is linked to and that is not ordered; k_no_link if there is none.
uint32_t nearest_of(const Level& level, const RowSimilarity& similarity, const Chain& chain,
                    uint32_t row) {
  LinkBuffer waiting;
  size_t count = 0;
  LinkBuffer buffer;
  for (const uint32_t other : level.linked(row, buffer)) {
    waiting[count] = other;
    count += chain.ordered(other) ? 0 : 1;
  }
  if (count <= 1) {
    return count == 0 ? k_no_link : waiting[0];
  }
  std::array<float, waiting.size()> similarities;
  for (size_t begin = 0; begin < count; begin += k_list_rows_max) {
    const size_t part = std::min(count - begin, size_t{k_list_rows_max});
    similarity.similarities(row, {waiting.data() + begin, part}, similarities.data() + begin);
  }
  size_t best = 0;
  for (size_t i = 1; i < count; ++i) {
    const bool nearer = similarities[i] > similarities[best] ||
                        (similarities[i] == similarities[best] && waiting[i] < waiting[best]);
    best = nearer ? i : best;
  }
  return waiting[best];
}

}  // namespace

base::Status order_by_nearness(const Graph& graph, const RowSimilarity& similarity,
                               const Graph::Progress& progress, std::span<uint32_t> order) {
  const uint32_t rows = graph.row_count();
  ASSERT(order.size() == rows);
  Chain chain(rows);
  if (!chain.allocate(rows)) {
    return base::Error{base::Code::io, "no memory left to order the rows", {}, 0, ENOMEM};
  }
  const Level level = graph.level(0);
  uint32_t start = 0;
  for (uint64_t done = 0; done < rows; ++done) {
    uint32_t next = k_no_link;
    while (next == k_no_link && !chain.empty()) {
      next = nearest_of(level, similarity, chain, chain.last());
      if (next == k_no_link) {
        chain.go_back();
      }
    }
    // Nothing that is ordered leads on: begin anew.
    while (next == k_no_link) {
      next = chain.ordered(start) ? k_no_link : start;
      ++start;
    }
    chain.append(next);
    order[done] = next;
    if (done % k_progress_rows == 0 && progress && !progress(done, rows)) {
      return base::Error{base::Code::closed, "ordering the rows was ended"};
    }
  }
  return {};
}

}  // namespace asyncstore::index
