// A row in the place of a query.
#pragma once

#include "index/similarity.h"

namespace asyncstore::index {

class RowAsQuery final : public QuerySimilarity {
 public:
  RowAsQuery(const RowSimilarity& rows, uint32_t row) : rows_(rows), row_(row) {}
  void similarities(std::span<const uint32_t> others, float* out) const override {
    rows_.similarities(row_, others, out);
  }

 private:
  const RowSimilarity& rows_;
  uint32_t row_;
};

}  // namespace asyncstore::index
