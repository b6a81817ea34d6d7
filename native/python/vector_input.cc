#include "python/vector_input.h"

#include <algorithm>
#include <string>

#include "python/convert.h"

namespace nb = nanobind;

namespace asyncstore::python {

namespace {

bool fit(const FlatArray<uint64_t>& offsets, size_t elements) {
  const size_t count = offsets.shape(0);
  const uint64_t* at = offsets.data();
  return count > 0 && std::is_sorted(at, at + count) && at[count - 1] <= elements;
}

}  // namespace

SparseArrays sparse_arrays_of(nb::handle given) {
  const auto parts = nb::cast<nb::tuple>(given);
  if (parts.size() != 3) {
    raise(base::invalid_argument("sparse vectors must be offsets, indices and values"));
  }
  SparseArrays arrays{nb::cast<FlatArray<uint64_t>>(parts[0], false),
                      nb::cast<FlatArray<uint32_t>>(parts[1], false),
                      nb::cast<FlatArray<float>>(parts[2], false)};
  if (!fit(arrays.offsets, arrays.indices.shape(0)) ||
      arrays.indices.shape(0) != arrays.values.shape(0)) {
    raise(base::invalid_argument("offsets, indices and values of sparse vectors do not fit"));
  }
  return arrays;
}

MultivectorArrays multivector_arrays_of(nb::handle given, uint32_t dim) {
  const auto parts = nb::cast<nb::tuple>(given);
  if (parts.size() != 2) {
    raise(base::invalid_argument("multivectors must be offsets and rows"));
  }
  MultivectorArrays arrays{nb::cast<FlatArray<uint64_t>>(parts[0], false),
                           nb::cast<decltype(MultivectorArrays::rows)>(parts[1], false)};
  if (!fit(arrays.offsets, arrays.rows.shape(0)) || arrays.rows.shape(1) != dim) {
    raise(base::invalid_argument("offsets and rows of multivectors do not fit, or rows have not " +
                                 std::to_string(dim) + " columns"));
  }
  return arrays;
}

}  // namespace asyncstore::python
