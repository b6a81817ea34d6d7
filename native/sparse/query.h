// What is looked for.
#pragma once

#include <cstdint>
#include <vector>

namespace asyncstore::sparse {

struct Query {
  std::vector<uint32_t> indices;  // ascending, each once
  std::vector<double> weights;    // finite
};

}  // namespace asyncstore::sparse
