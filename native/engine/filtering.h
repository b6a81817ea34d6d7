// Which points pass a filter.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/collection.h"
#include "engine/filter_sets.h"
#include "engine/payload_test.h"
#include "engine/task.h"

namespace asyncstore::engine {

// Belongs to one task, which holds a view. Finds the points by what is in memory and tests those on
// their payload of which that does not decide.
class Filtering {
 public:
  Filtering(std::shared_ptr<Collection> collection, std::shared_ptr<const filter::Filter> filter)
      : collection_(std::move(collection)), filter_(std::move(filter)) {}

  // Until it says `done`.
  Task::Next step(Task& task, Worker& worker);
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) {
    test_->landed(request, data, error);
  }

  // When done. An error: what was needed could not be read.
  const std::optional<base::Error>& error() const { return error_; }
  std::shared_ptr<const filter::SlotSet> passing() const { return passing_; }

  // After the first step: what is known by then.
  const FilterSets& sets() const { return undecided_->sets; }

 private:
  void begin();
  void next_slots();

  std::shared_ptr<Collection> collection_;
  std::shared_ptr<const filter::Filter> filter_;
  std::optional<Undecided> undecided_;
  std::optional<PayloadTest> test_;
  size_t word_ = 0;              // of the slots between: where to go on
  std::vector<uint32_t> slots_;  // of the wave
  bool reading_ = false;
  std::shared_ptr<filter::SlotSet> passing_;
  std::optional<base::Error> error_;
};

}  // namespace asyncstore::engine
