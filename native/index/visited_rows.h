// Which rows a walk has met.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace asyncstore::index {

// A set of rows in open addressing, sized to the walk and not to the graph: 4 bytes for a place, two
// to four places for a row.
class VisitedRows {
 public:
  // Empties it; `expected` rows are to come.
  void reset(uint32_t expected) {
    const uint32_t places = std::bit_ceil(std::max(expected, uint32_t{128}) * 2);
    resize(places);
  }

  // False when it is in already.
  bool insert(uint32_t row) {
    uint32_t place = place_of(row);
    while (places_[place] != k_free) {
      if (places_[place] == row) {
        return false;
      }
      place = (place + 1) & mask_;
    }
    places_[place] = row;
    if (++size_ > mask_ / 2) {
      grow();
    }
    return true;
  }

  uint64_t ram_bytes() const { return places_.capacity() * sizeof(uint32_t); }

 private:
  static constexpr uint32_t k_free = UINT32_MAX;

  uint32_t place_of(uint32_t row) const { return (row * 0x9E3779B1U) >> shift_; }

  void resize(uint32_t places) {
    places_.assign(places, k_free);
    mask_ = places - 1;
    shift_ = static_cast<uint32_t>(32 - std::countr_zero(places));
    size_ = 0;
  }
  void grow() {
    std::vector<uint32_t> old;
    old.swap(places_);
    resize(static_cast<uint32_t>(old.size()) * 2);
    for (const uint32_t row : old) {
      if (row != k_free) {
        insert(row);
      }
    }
  }

  std::vector<uint32_t> places_;
  uint32_t mask_ = 0;
  uint32_t shift_ = 0;
  uint32_t size_ = 0;
};

}  // namespace asyncstore::index
