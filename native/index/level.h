// One level of a graph, as graph_layout.h lays it out.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "index/graph_layout.h"

namespace asyncstore::index {

// Where links are unpacked to.
using LinkBuffer = std::array<uint32_t, size_t{2} * k_m_max>;

// A view, valid as long as the graph and the layout. Rows have places in it; in level 0 the
// place of a row is its number.
class Level {
 public:
  Level(std::byte* graph, const LevelLayout& layout)
      : graph_(graph), layout_(&layout), lists_(graph + layout.links_offset) {}

  uint32_t row_count() const { return layout_->rows; }
  uint32_t links_max() const { return layout_->links_max; }
  uint32_t row(uint32_t place) const { return layout_->rows_offset == 0 ? place : rows()[place]; }
  // The place of a row that is in it, or of the next one.
  uint32_t place(uint32_t row) const {
    return layout_->rows_offset == 0
               ? row
               : static_cast<uint32_t>(std::lower_bound(rows(), rows() + row_count(), row) -
                                       rows());
  }
  // Valid as long as the buffer, in which they may lie.
  std::span<const uint32_t> linked(uint32_t place, LinkBuffer& buffer) const {
    return packed() ? unpacked(place, buffer) : linked(place);
  }
  // These are inlined in any case: GCC leaves out the call of what only prefetches.
  [[gnu::always_inline]] void prefetch_links(uint32_t place) const {
    const std::byte* first = list(place);
    for (uint32_t at = 0; at < layout_->list_bytes(); at += 64) {  // a cache line
      __builtin_prefetch(first + at);
    }
  }
  // Once the list itself was prefetched; most rows have no links apart.
  [[gnu::always_inline]] void prefetch_apart(uint32_t place) const {
    if (packed()) {
      const ListEnd end = list_end(place);
      if (end.links > layout_->list_links) {
        __builtin_prefetch(apart(firsts()[place / k_apart_rows] + end.apart));
      }
    }
  }

  // Only where lists are not packed: links_max() places; those behind the first k_no_link mean
  // nothing. And those that mean something.
  uint32_t* links(uint32_t place) const { return reinterpret_cast<uint32_t*>(list(place)); }
  std::span<const uint32_t> linked(uint32_t place) const {
    const uint32_t* first = links(place);
    uint32_t count = 0;
    while (count < links_max() && first[count] != k_no_link) {
      ++count;
    }
    return {first, count};
  }
  // Only of levels above 0.
  uint32_t* rows() const { return reinterpret_cast<uint32_t*>(graph_ + layout_->rows_offset); }

  bool packed() const { return layout_->packed(); }
  // Only where lists are packed; graph_layout.h.
  uint64_t* firsts() const { return reinterpret_cast<uint64_t*>(graph_ + layout_->firsts_offset); }
  std::byte* list(uint32_t place) const { return lists_ + uint64_t{place} * layout_->list_bytes(); }
  ListEnd list_end(uint32_t row) const {
    ListEnd end;
    std::memcpy(&end, list(row) + size_t{layout_->list_links} * layout_->link_bytes, sizeof end);
    return end;
  }
  std::byte* apart(uint64_t number) const {
    return graph_ + layout_->apart_offset + number * layout_->link_bytes;
  }

 private:
  // Reads 4 bytes of each link; what is behind it belongs to the graph as well.
  template <uint32_t link_bytes>
  static void unpack(const std::byte* from, uint32_t count, uint32_t* to) {
    for (uint32_t i = 0; i < count; ++i) {
      std::memcpy(&to[i], from + size_t{i} * link_bytes, sizeof to[i]);
      to[i] &= UINT32_MAX >> (32 - 8 * link_bytes);
    }
  }
  template <uint32_t link_bytes>
  std::span<const uint32_t> unpacked(uint32_t row, LinkBuffer& buffer) const {
    const ListEnd end = list_end(row);
    const uint32_t places = layout_->list_links;
    unpack<link_bytes>(list(row), places, buffer.data());
    if (end.links > places) {
      unpack<link_bytes>(apart(firsts()[row / k_apart_rows] + end.apart), end.links - places,
                         buffer.data() + places);
    }
    return {buffer.data(), end.links};
  }
  std::span<const uint32_t> unpacked(uint32_t row, LinkBuffer& buffer) const {
    return layout_->link_bytes == 3 ? unpacked<3>(row, buffer) : unpacked<4>(row, buffer);
  }

  std::byte* graph_;
  const LevelLayout* layout_;
  std::byte* lists_;
};

}  // namespace asyncstore::index
