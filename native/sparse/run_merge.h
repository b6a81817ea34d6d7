// One run made of several, or one run without what deleted rows had: a part at a time, so that who
// has other things to do can do them between.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "sparse/run.h"
#include "sparse/run_builder.h"

namespace asyncstore::sparse {

class RunMerge {
 public:
  // Of at least one run, which follow each other: all of floats, or one that is coded and stays so.
  RunMerge(std::vector<std::shared_ptr<const Run>> runs, bool coded);

  // About so many elements more, without those of rows that are deleted by now; true when it is
  // done.
  bool step(uint64_t elements, const RowBits* deleted);
  // Once, when it is done.
  std::shared_ptr<const Run> take() { return builder_.build(); }

 private:
  struct Source {
    std::shared_ptr<const Run> run;
    size_t at = 0;  // its next dimension
  };
  std::optional<uint32_t> next_dim() const;
  uint64_t count(uint32_t dim);
  uint64_t fill(uint32_t dim, const RowBits* deleted);

  std::vector<Source> sources_;
  uint32_t rows_ = 0;
  bool coded_;
  bool counted_ = false;  // first the size is found, then elements are moved
  RunSize size_;
  RunBuilder builder_;
  std::vector<uint16_t> piece_rows_;
  std::vector<float> weights_;
  std::vector<uint8_t> codes_;
};

}  // namespace asyncstore::sparse
