// Testing points on their payload, many in one wave of reads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/collection.h"
#include "engine/task.h"
#include "engine/value_fetch.h"
#include "filter/matcher.h"

namespace asyncstore::engine {

// Points of one wave: what is read at once, and tested in a fraction of a millisecond.
inline constexpr size_t k_test_points = 256;

// Belongs to one task, which holds a view; the filter outlives it.
class PayloadTest {
 public:
  PayloadTest(std::shared_ptr<Collection> collection, const filter::Filter& filter)
      : collection_(std::move(collection)), matcher_(filter) {}

  // Starts to read what the filter needs of these slots; false when there is nothing to read.
  bool read(std::span<const uint32_t> slots, Task& task, Worker& worker);
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) {
    values_->landed(request, data, error);
  }
  // When all has landed: those of the slots that pass. A point that is no more passes nothing.
  base::Result<std::vector<uint32_t>> passing();

 private:
  std::shared_ptr<Collection> collection_;
  filter::Matcher matcher_;
  std::vector<uint32_t> slots_;
  std::optional<ValueFetch> values_;
};

}  // namespace asyncstore::engine
