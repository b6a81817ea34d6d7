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

  // Until it says `done`; `lsn` is the view's.
  Task::Next step(Task& task, Worker& worker, uint64_t lsn);
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) {
    test_->landed(request, data, error);
  }

  // When done. An error: what was needed could not be read.
  const std::optional<base::Error>& error() const { return error_; }
  FilterCache::Passing passing() const { return known_ ? known_ : passing_; }
  // Whether another asked the same since the last operation.
  bool repeated() const { return known_ != nullptr; }

  // After the first step: about how many points pass.
  uint64_t estimated() const;

 private:
  void begin(uint64_t lsn);
  void next_slots();

  std::shared_ptr<Collection> collection_;
  std::shared_ptr<const filter::Filter> filter_;
  std::optional<Undecided> undecided_;
  std::optional<PayloadTest> test_;
  size_t word_ = 0;              // of the slots between: where to go on
  std::vector<uint32_t> slots_;  // of the wave
  bool reading_ = false;
  FilterCache::Passing known_;  // from an earlier search
  std::shared_ptr<filter::SlotSet> passing_;
  std::optional<base::Error> error_;
};

}  // namespace asyncstore::engine
