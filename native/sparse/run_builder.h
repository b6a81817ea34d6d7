// Making runs: pieces, one behind the other.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sparse/run.h"

namespace asyncstore::sparse {

// What the elements of a run take.
struct RunSize {
  uint64_t dims = 0;
  uint64_t listed = 0;  // elements of pieces that are not dense
  uint64_t dense = 0;   // codes of those that are

  // Of one piece more, in a run of so many rows.
  void add(uint64_t elements, uint32_t rows, bool coded);
};

class RunBuilder {
 public:
  RunBuilder(uint32_t first_row, uint32_t rows, bool coded);

  // What is told here need not be moved when it grows.
  void reserve(const RunSize& size);
  // A dimension, after all smaller ones, with weights that are known to the last bit.
  void add(uint32_t dim, std::span<const uint16_t> rows, std::span<const float> weights);
  // Of codes on the scale of another piece, which stays.
  void add_codes(uint32_t dim, const Piece& before, std::span<const uint16_t> rows,
                 std::span<const uint8_t> codes);
  std::shared_ptr<const Run> build();

 private:
  Piece& begin(uint32_t dim, std::span<const uint16_t> rows, float low, float high);
  void put_codes(const Piece& piece, std::span<const uint16_t> rows,
                 std::span<const uint8_t> codes);

  std::shared_ptr<Run> run_;
  std::vector<uint8_t> codes_;
};

}  // namespace asyncstore::sparse
