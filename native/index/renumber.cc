// The same graph with other numbers for its rows, its lists packed.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/assert.h"
#include "index/graph.h"

namespace asyncstore::index {
namespace {

// How many links of a row do not fit into its list.
uint64_t apart_of(size_t links, uint32_t m) {
  return links - std::min<size_t>(links, list_links_packed(m));
}

// Copies the links of level 0: row i gets those of order[i]. `to` is all zeros.
void pack_links(const Level& from, const Level& to, const LevelLayout& layout,
                std::span<const uint32_t> order, const std::vector<uint32_t>& row_of) {
  LinkBuffer buffer;
  uint64_t apart = 0;
  for (uint32_t row = 0; row <= layout.rows; ++row) {
    uint64_t& first = to.firsts()[row / k_apart_rows];
    if (row % k_apart_rows == 0) {
      first = apart;
    }
    if (row == layout.rows) {
      break;
    }
    const std::span<const uint32_t> links = from.linked(order[row], buffer);
    const ListEnd end{static_cast<uint16_t>(apart - first), static_cast<uint8_t>(links.size()), 0};
    std::byte* list = to.list(row);
    for (uint32_t i = 0; i < links.size(); ++i) {
      std::byte* place =
          i < layout.list_links ? list + size_t{i} * layout.link_bytes : to.apart(apart++);
      std::memcpy(place, &row_of[links[i]], layout.link_bytes);
    }
    std::memcpy(list + size_t{layout.list_links} * layout.link_bytes, &end, sizeof end);
  }
}

// Those of a level above; `place_of[p]` is the new place of what was at place p.
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
  LinkBuffer buffer;
  uint64_t apart = 0;
  for (uint32_t row = 0; row < row_count(); ++row) {
    apart += apart_of(level(0).linked(row, buffer).size(), m());
  }
  const GraphLayout layout(row_count(), m(), apart);
  base::Region region(layout.size_bytes, true);
  if (!region.grow(layout.size_bytes)) {
    return base::Error{base::Code::io, "no memory left for a graph", "", 0, ENOMEM};
  }
  std::unique_ptr<Graph> made(new Graph(std::move(region), layout));
  made->write_header();
  std::vector<uint32_t> row_of(order.size());  // the new number of each row
  for (uint32_t row = 0; row < order.size(); ++row) {
    row_of[order[row]] = row;
  }
  pack_links(level(0), made->level(0), layout.levels[0], order, row_of);
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
