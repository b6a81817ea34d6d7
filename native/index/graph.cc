#include "index/graph.h"

#include <algorithm>
#include <cstring>

namespace asyncstore::index {
namespace {

constexpr std::array<char, 8> k_magic = {'a', 's', 'g', 'r', 'a', 'p', 'h', '2'};

// True when each of `links` is k_no_link or below `row_count`. Without a branch in the loop, so
// that it runs at the speed of memory: k_no_link + 1 is 0, and either summand's highest bit tells
// of a link that is too large, as row_count is below 2^31.
bool all_links_lead(const uint32_t* links, uint64_t count, uint32_t row_count) {
  uint32_t wrong = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint32_t end = links[i] + 1;
    wrong |= end | (row_count - end);
  }
  return wrong >> 31 == 0;
}

}  // namespace

Graph::Graph(base::Region region, const GraphLayout& layout)
    : region_(std::move(region)), layout_(layout) {}

base::Result<std::unique_ptr<Graph>> Graph::load(base::Region region, uint64_t size_bytes,
                                                 const std::string& path) {
  GraphHeader header{};
  if (size_bytes < sizeof header || size_bytes > region.bytes()) {
    return base::corruption(path, 0, "a graph is shorter than its header");
  }
  std::memcpy(&header, region.as<std::byte>(), sizeof header);
  if (header.magic != k_magic) {
    return base::corruption(path, 0, "this is not a graph");
  }
  if (header.rows >= k_rows_max || header.m < k_m_min || header.m > k_m_max ||
      header.zero != decltype(header.zero){}) {
    return base::corruption(path, 8, "the header of a graph is wrong");
  }
  const uint64_t apart_max = uint64_t{header.rows} * 2 * header.m;
  const GraphLayout layout(header.rows, header.m, std::min(header.links_apart, apart_max));
  if (header.links_apart > apart_max || layout.size_bytes != size_bytes) {
    return base::corruption(path, 8, "a graph has another size than its header says");
  }
  std::unique_ptr<Graph> graph(new Graph(std::move(region), layout));
  TRY(graph->check(path));
  return graph;
}

base::Status Graph::check(const std::string& path) const {
  TRY(check_lists(path));
  for (uint32_t number = 1; number < level_count(); ++number) {
    const LevelLayout& layout = layout_.levels[number];
    if (!all_links_lead(level(number).links(0), uint64_t{layout.rows} * layout.list_links,
                        layout.rows)) {
      return base::corruption(path, layout.links_offset, "a link leads to no row");
    }
    TRY(check_zeros(layout_.levels[number - 1].end(), layout.links_offset, path));
    TRY(check_rows(number, path));
  }
  return {};
}

// Of level 0: links apart lie in the order of their rows, every link leads to a row, and nothing is
// in the places that are left.
base::Status Graph::check_lists(const std::string& path) const {
  const LevelLayout& layout = layout_.levels[0];
  const Level own = level(0);
  const auto wrong = [&](uint64_t offset) {
    return base::corruption(path, offset, "a list of links is wrong");
  };
  LinkBuffer buffer;
  uint64_t apart = 0;
  for (uint32_t row = 0; row < layout.rows; ++row) {
    const uint64_t offset = layout.links_offset + uint64_t{row} * layout.list_bytes();
    const ListEnd end = own.list_end(row);
    const uint64_t first = own.firsts()[row / k_apart_rows];
    if ((row % k_apart_rows == 0 && first != apart) || first + end.apart != apart) {
      return wrong(offset);
    }
    apart += std::max<uint32_t>(end.links, layout.list_links) - layout.list_links;
    if (end.links > layout.links_max || end.zero != 0 || apart > layout.links_apart) {
      return wrong(offset);
    }
    uint32_t bad = 0;
    for (const uint32_t link : own.linked(row, buffer)) {
      bad |= link >= layout.rows ? 1 : 0;
    }
    for (uint32_t place = end.links; place < layout.list_links; ++place) {
      bad |= buffer[place];
    }
    if (bad != 0) {
      return base::corruption(path, offset, "a link leads to no row");
    }
  }
  if (apart != layout.links_apart ||
      (layout.rows % k_apart_rows == 0 && own.firsts()[layout.rows / k_apart_rows] != apart)) {
    return wrong(layout.firsts_offset);
  }
  TRY(check_zeros(layout.firsts_end(), layout.links_offset, path));
  TRY(check_zeros(layout.lists_end(), layout.apart_offset, path));
  return check_zeros(layout.apart_end(), layout.end(), path);
}

base::Status Graph::check_zeros(uint64_t begin, uint64_t end, const std::string& path) const {
  for (uint64_t at = begin; at < end; ++at) {
    if (region_.as<std::byte>()[at] != std::byte{0}) {
      return base::corruption(path, at, "there is something between two parts");
    }
  }
  return {};
}

base::Status Graph::check_rows(uint32_t number, const std::string& path) const {
  const LevelLayout& layout = layout_.levels[number];
  const Level own = level(number);
  const Level below = level(number - 1);
  for (uint32_t i = 0; i < layout.rows; ++i) {
    const uint32_t row = own.row(i);
    const uint32_t place = below.place(row);
    const bool ascends = i == 0 || row > own.row(i - 1);
    if (!ascends || place >= below.row_count() || below.row(place) != row) {
      return base::corruption(path, layout.rows_offset + i * sizeof row,
                              "a level has a row that the one below has not");
    }
  }
  return {};
}

void Graph::write_header() {
  const GraphHeader header{k_magic, row_count(), m(), layout_.levels[0].links_apart, {}};
  std::memcpy(region_.as<std::byte>(), &header, sizeof header);
}

}  // namespace asyncstore::index
