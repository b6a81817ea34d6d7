// Filters that are too long to be taken over in one go: their lists grow by slices, and the filter
// that is made of them is passed on from then on.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "filter/filter.h"
#include "points/point_id.h"

namespace asyncstore::python {

// What a collection must be asked about a filter.
struct FilterNeeds {
  uint32_t vectors = 0;    // so many, at least, must it have
  bool has_texts = false;  // that may be looked for by an index

  void add(const FilterNeeds& other) {
    vectors = std::max(vectors, other.vectors);
    has_texts = has_texts || other.has_texts;
  }
};

// A list becomes part of one filter, which takes what is in it.
struct LongConditions {
  std::vector<filter::Condition> list = {};
  FilterNeeds needs = {};
};
struct LongValues {
  std::vector<filter::Scalar> list = {};
  std::optional<filter::ValueSet> set = {};  // once they are sorted
};
struct LongIds {
  std::vector<points::PointId> list = {};
};

struct LongFilter {
  std::shared_ptr<const filter::Filter> filter;
  FilterNeeds needs;
};

// Makes the classes.
void bind_long_filters(nanobind::module_& module);

}  // namespace asyncstore::python
