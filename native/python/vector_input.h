// Vectors of several sizes as Python gives them: one after the other in arrays, with offsets that
// say where each begins; that of point or query i is elements, or rows, offsets[i] … offsets[i + 1]
// - 1.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>

namespace asyncstore::python {

template <typename T>
using FlatArray =
    nanobind::ndarray<const T, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;

struct SparseArrays {
  FlatArray<uint64_t> offsets;
  FlatArray<uint32_t> indices;
  FlatArray<float> values;
};

struct MultivectorArrays {
  FlatArray<uint64_t> offsets;
  nanobind::ndarray<const float, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu> rows;
};

// (offsets, indices, values) and (offsets, rows); raise unless the offsets fit the others, ascend
// and are one or more.
SparseArrays sparse_arrays_of(nanobind::handle given);
MultivectorArrays multivector_arrays_of(nanobind::handle given, uint32_t dim);

}  // namespace asyncstore::python
