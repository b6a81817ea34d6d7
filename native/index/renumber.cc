// The same graph with other numbers for its rows.
#include <algorithm>
#include <cerrno>
#include <numeric>
#include <vector>

#include "base/assert.h"
#include "index/graph.h"

namespace asyncstore::index {
namespace {

// Copies the links of one level; `place_of[p]` is the new place of what was at place p.
void copy_links(const Level& from, const Level& to, const std::vector<uint32_t>& place_of) {
  for (uint32_t place = 0; place < from.row_count(); ++place) {
    uint32_t* target = to.links(place_of[place]);
    uint32_t* const end = target + to.links_max();
    for (const uint32_t link : from.linked(place)) {
      *target++ = place_of[link];
    }
    std::fill(target, end, k_no_link);
  }
}

}  // namespace

base::Result<std::unique_ptr<Graph>> Graph::renumbered(std::span<const uint32_t> order) const {
  ASSERT(order.size() == row_count());
  base::Region region(layout_.size_bytes, true);
  if (!region.grow(layout_.size_bytes)) {
    return base::Error{base::Code::io, "no memory left for a graph", "", 0, ENOMEM};
  }
  std::unique_ptr<Graph> made(new Graph(std::move(region), layout_));
  made->write_header();
  std::vector<uint32_t> row_of(order.size());  // the new number of each row
  for (uint32_t row = 0; row < order.size(); ++row) {
    row_of[order[row]] = row;
  }
  copy_links(level(0), made->level(0), row_of);
  for (uint32_t number = 1; number < level_count(); ++number) {
    const Level from = level(number);
    const Level to = made->level(number);
    // Places ascend by the new numbers now.
    std::vector<uint32_t> places(from.row_count());
    std::iota(places.begin(), places.end(), 0U);
    std::sort(places.begin(), places.end(),
              [&](uint32_t a, uint32_t b) { return row_of[from.row(a)] < row_of[from.row(b)]; });
    std::vector<uint32_t> place_of(from.row_count());
    for (uint32_t place = 0; place < places.size(); ++place) {
      place_of[places[place]] = place;
      to.rows()[place] = row_of[from.row(places[place])];
    }
    copy_links(from, to, place_of);
  }
  return made;
}

}  // namespace asyncstore::index
