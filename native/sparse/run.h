// Which rows have which dimensions, for the rows of a window (window.h) that were gathered into a
// run.
//
// A dimension has a *piece*: the rows that have it, ascending, each with its weight. A run of a
// window that is full keeps a weight as a byte, its *code*, on the piece's own scale; the rows of a
// piece that a quarter of the rows are in are not listed: a byte stands for every row. Smaller
// runs, which are merged sooner or later, keep floats, so that a weight is rounded once.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace asyncstore::sparse {

inline constexpr uint32_t k_window_rows = 1 << 16;

// Part of a file (index_file.h).
struct Piece {
  uint32_t begin = 0;     // in the lists of the run, or, of a dense piece, in its dense codes
  uint32_t count = 0;     // of rows that have it, those of deleted points too
  uint32_t is_dense = 0;  // 1: a code for each row of the run, 0 where it has not the dimension
  float low = 0;          // no weight is less
  float high = 0;         // nor more
  float error = 0;        // how far a code may be from its weight, at most

  friend bool operator==(const Piece&, const Piece&) = default;
};
static_assert(sizeof(Piece) == 24);

// What the codes of a piece mean: code c, from 1 on, is offset + scale · c.
struct Scale {
  double offset;
  double scale;

  static Scale of(const Piece& piece) {
    if (piece.low >= 0) {
      return {0, double{piece.high} / 255};
    }
    const double scale = (double{piece.high} - double{piece.low}) / 254;
    return {double{piece.low} - scale, scale};
  }
  double weight(uint8_t code) const { return offset + scale * code; }
  uint8_t code(float weight) const {
    const double steps = scale > 0 ? std::round((double{weight} - offset) / scale) : 1;
    return static_cast<uint8_t>(std::fmin(std::fmax(steps, 1), 255));
  }
};

// Immutable once made.
struct Run {
  uint32_t first_row = 0;  // in its window
  uint32_t rows = 0;
  bool is_coded = false;
  std::vector<uint32_t> dims;         // that rows have, ascending
  std::vector<Piece> pieces;          // beside them
  std::vector<uint16_t> listed_rows;  // in the window; of the pieces that are not dense, in turn
  std::vector<float> weights;         // beside them, unless coded
  std::vector<uint8_t> codes;         // beside them, if coded
  std::vector<uint8_t> dense;         // `rows` codes for each dense piece

  // Null when no row has the dimension. `from`: the search begins there, and leaves where it ended.
  const Piece* find(uint32_t dim, size_t& from) const;
  uint64_t ram_bytes() const;

  // The weight that a row has in a piece, as far as it is known; false when it has none.
  bool weight_of(const Piece& piece, uint32_t row, double& weight) const;
  // Calls visit(row, weight) for all rows of a piece, ascending; the weight is a double.
  template <typename Visit>
  void visit(const Piece& piece, const Visit& visit) const {
    if (!is_coded) {
      for (size_t i = piece.begin; i < size_t{piece.begin} + piece.count; ++i) {
        visit(uint32_t{listed_rows[i]}, double{weights[i]});
      }
      return;
    }
    visit_codes(piece, [&, scale = Scale::of(piece)](uint32_t row, uint8_t code) {
      visit(row, scale.weight(code));
    });
  }
  // The same of a coded run with codes.
  template <typename Visit>
  void visit_codes(const Piece& piece, const Visit& visit) const {
    if (piece.is_dense == 0) {
      for (size_t i = piece.begin; i < size_t{piece.begin} + piece.count; ++i) {
        visit(uint32_t{listed_rows[i]}, codes[i]);
      }
      return;
    }
    for (uint32_t i = 0; i < rows; ++i) {
      if (dense[size_t{piece.begin} + i] != 0) {
        visit(first_row + i, dense[size_t{piece.begin} + i]);
      }
    }
  }
};

// Rows of a window by the bit; null: none.
using RowBits = std::vector<uint64_t>;
inline bool has_bit(const RowBits* bits, uint32_t row) {
  return bits != nullptr && (*bits)[row / 64] >> (row % 64) & 1;
}

// One element of a row.
struct Posting {
  uint32_t dim;
  uint16_t row;  // in the window
  float weight;
};

// A run of floats. `postings` are in the order of rows and get that of dimensions.
std::shared_ptr<const Run> make_run(uint32_t first_row, uint32_t rows,
                                    std::vector<Posting>& postings);
}  // namespace asyncstore::sparse
