// Whether the index of a collection's sparse vector holds what its points have.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "engine/collection.h"
#include "sparse/sparse_vector.h"
#include "sparse/window.h"
#include "store_model.h"

namespace asyncstore::engine_test {

// Weight, and how far it may be off, by dimension.
using IndexedRow = std::map<uint32_t, std::pair<double, double>>;

inline std::map<points::PointId, IndexedRow> indexed_rows(engine::Collection& collection,
                                                          const sparse::Snapshot& snapshot) {
  std::map<points::PointId, IndexedRow> rows;
  for (const auto& window : snapshot.windows) {
    const auto row_of = [&, &seen = *window](uint32_t row) -> IndexedRow& {
      return rows[collection.table().id(seen.slot(row))];
    };
    for (uint32_t row = 0; row < window->rows; ++row) {
      if (window->is_live(row)) {
        REQUIRE(row_of(row).empty());
      }
    }
    for (const auto& run : window->runs) {
      for (size_t i = 0; i < run->pieces.size(); ++i) {
        const sparse::Piece& piece = run->pieces[i];
        run->visit(piece, [&](uint32_t row, double weight) {
          if (window->is_live(row)) {
            row_of(row)[run->dims[i]] = {weight, double{piece.error}};
          }
        });
      }
    }
    for (uint32_t row = window->first_tail_row; row < window->rows; ++row) {
      const auto [indices, values] = window->tail_row(row);
      for (size_t i = 0; i < indices.size() && window->is_live(row); ++i) {
        row_of(row)[indices[i]] = {double{values[i]}, 0};
      }
    }
  }
  return rows;
}

inline void require_indexed(engine::Collection& collection, const sparse::Snapshot& snapshot,
                            const Model& model) {
  const auto rows = indexed_rows(collection, snapshot);
  REQUIRE(snapshot.live == rows.size());
  size_t with_vector = 0;
  for (const auto& [id, point] : model) {
    if (!point.sparse) {
      REQUIRE(!rows.contains(id));
      continue;
    }
    ++with_vector;
    const IndexedRow& row = rows.at(id);
    const uint64_t elements = sparse::elements_of(point.sparse->size());
    REQUIRE(row.size() == elements);
    for (uint64_t i = 0; i < elements; ++i) {
      uint32_t index;
      float value;
      std::memcpy(&index, point.sparse->data() + i * sizeof index, sizeof index);
      std::memcpy(&value, point.sparse->data() + (elements + i) * sizeof value, sizeof value);
      const auto [weight, error] = row.at(index);
      REQUIRE(std::fabs(weight - double{value}) <= error);
    }
  }
  REQUIRE(rows.size() == with_vector);
}

}  // namespace asyncstore::engine_test
