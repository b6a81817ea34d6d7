// Reads the .npy files of the sample data: C order, little-endian, version 1.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "simd/kernels.h"

namespace asyncstore::bench {

struct Matrix {
  size_t rows = 0;
  size_t dim = 0;
  std::vector<char> bytes;

  template <class Element>
  const Element* row(size_t r) const {
    return reinterpret_cast<const Element*>(bytes.data()) + r * dim;
  }
};

inline Matrix read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> content{std::istreambuf_iterator<char>(file), {}};
  if (content.size() < 10) {
    std::fprintf(stderr, "%s cannot be read\n", path.c_str());
    std::exit(1);
  }
  const size_t header_bytes =
      10 + static_cast<uint8_t>(content[8]) + 256 * size_t{static_cast<uint8_t>(content[9])};
  const std::string header(content.begin() + 10,
                           content.begin() + static_cast<ptrdiff_t>(header_bytes));
  Matrix matrix;
  std::sscanf(header.c_str() + header.find("'shape':") + 8, " (%zu, %zu)", &matrix.rows,
              &matrix.dim);
  matrix.bytes.assign(content.begin() + static_cast<ptrdiff_t>(header_bytes), content.end());
  return matrix;
}

inline std::vector<float> read_halves(const std::string& path, size_t* dim) {
  const Matrix halves = read_npy(path);
  std::vector<float> floats(halves.rows * halves.dim);
  simd::kernels().f16_to_f32(halves.row<uint16_t>(0), floats.size(), floats.data());
  *dim = halves.dim;
  return floats;
}

}  // namespace asyncstore::bench
