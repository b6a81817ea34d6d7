// Reading all admitted rows of a field in turn, many at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/admitted_rows.h"
#include "engine/view.h"

namespace asyncstore::engine {

// The view, and what is admitted of it, outlive this.
class OriginalScan {
 public:
  struct Part {  // rows that are read together; those between that are not admitted do not count
    uint32_t segment;
    uint32_t first_row;
    uint32_t rows;
  };

  OriginalScan(const FieldView& field, const AdmittedRows& admitted)
      : field_(field), admitted_(admitted) {}

  bool done() const { return segment_ >= field_.segments.size(); }
  // The parts to read next, after a fraction of a millisecond of looking; valid until the next
  // call. There may be none yet, though it is not done.
  std::span<const Part> next();
  const Part& part(uint32_t index) const { return parts_[index]; }

 private:
  bool find_row(uint32_t& looks);
  void take_part(uint32_t& looks);

  const FieldView& field_;
  const AdmittedRows& admitted_;
  uint32_t segment_ = 0;
  uint32_t row_ = 0;
  std::vector<Part> parts_;
};

}  // namespace asyncstore::engine
