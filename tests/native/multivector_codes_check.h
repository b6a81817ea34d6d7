// Whether the codes of a collection's multivector are those of what its points have.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "engine/collection.h"
#include "multivector/code_index.h"
#include "store_model.h"

namespace asyncstore::engine_test {

inline void require_codes(engine::Collection& collection, const multivector::CodeSnapshot& snapshot,
                          const Model& model) {
  const segment::Field field = multivector_field();
  const auto quantizer = segment::make_quantizer(field);
  const uint32_t code_bytes = quantizer->code_bytes();
  std::vector<uint8_t> expected(code_bytes);
  size_t points = 0;
  for (const auto& window : snapshot.windows) {
    for (uint32_t point = 0; point < window->points; ++point) {
      if (!window->is_live(point)) {
        continue;
      }
      ++points;
      const auto& rows = model.at(collection.table().id(window->slot(point))).rows;
      REQUIRE(rows.has_value());
      REQUIRE(rows->size() == size_t{window->rows(point)} * field.dim);
      const uint8_t* code = window->codes.get() + size_t{window->first_row(point)} * code_bytes;
      for (size_t row = 0; row < rows->size(); row += field.dim, code += code_bytes) {
        quantizer->encode(rows->data() + row, expected.data());
        REQUIRE(std::equal(expected.begin(), expected.end(), code));
      }
    }
  }
  const auto having = std::count_if(model.begin(), model.end(),
                                    [](const auto& one) { return one.second.rows.has_value(); });
  REQUIRE(points == static_cast<size_t>(having));
}

}  // namespace asyncstore::engine_test
