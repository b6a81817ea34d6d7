#include "engine/filtered_points.h"

#include <algorithm>
#include <random>
#include <utility>

namespace asyncstore::engine {

Task::Next FilterTask::step(Worker& worker) {
  if (!view_) {
    view_ = collection_->view();
  }
  const Next next = filtering_.step(*this, worker, view_->lsn);
  if (filtering_.error()) {
    completions_.fail(ticket_, *filtering_.error());
    return Next::done;
  }
  if (auto known = early(filtering_)) {
    completions_.complete(ticket_, std::move(*known));
    return Next::done;
  }
  if (next == Next::done) {
    auto found = answer(*filtering_.passing());
    if (found.ok()) {
      completions_.complete(ticket_, std::move(found.value()));
    } else {
      completions_.fail(ticket_, std::move(found.error()));
    }
  }
  return next;
}

std::optional<Value> CountTask::early(const Filtering& filtering) const {
  return exact_ ? std::nullopt : std::optional<Value>(filtering.estimated());
}

base::Result<Value> MatchingIdsTask::answer(const filter::SlotSet& passing) const {
  Ids ids;
  passing.for_each([&](uint32_t slot) {
    ids.ids.push_back(collection_->table().id(slot));
    ids.has_uuid = ids.has_uuid || ids.ids.back().is_uuid;
  });
  return Value(std::move(ids));
}

// J. Vitter, "Random Sampling with a Reservoir", ACM TOMS 1985, algorithm R; then shuffled, as the
// places in the reservoir tell of the slots.
base::Result<Value> SampleTask::answer(const filter::SlotSet& passing) const {
  std::mt19937_64 random(seed_);
  std::vector<uint32_t> drawn;
  uint64_t seen = 0;
  passing.for_each([&](uint32_t slot) {
    ++seen;
    if (drawn.size() < count_) {
      drawn.push_back(slot);
    } else if (const uint64_t place = random() % seen; place < count_) {
      drawn[place] = slot;
    }
  });
  std::shuffle(drawn.begin(), drawn.end(), random);
  Ids ids;
  for (const uint32_t slot : drawn) {
    ids.ids.push_back(collection_->table().id(slot));
    ids.has_uuid = ids.has_uuid || ids.ids.back().is_uuid;
  }
  return Value(std::move(ids));
}

Task::Next FilteredPage::step(Task& task, Worker& worker) {
  if (!undecided_) {
    begin();
    return Task::Next::again;
  }
  if (testing_) {
    testing_ = false;
    auto passing = test_->passing();
    if (!passing.ok()) {
      error_ = std::move(passing.error());
      return Task::Next::done;
    }
    accept(passing.value());
  }
  if (found_.size() >= wanted_ || (!more_ && slots_.empty())) {
    return Task::Next::done;
  }
  // Where all of them would pass, no more are tested than are wanted.
  const size_t enough = std::min<uint64_t>(k_test_points, wanted_ - found_.size());
  if (more_ && slots_.size() < enough) {
    more_ = walk_->next(slots_);
    return Task::Next::again;
  }
  std::vector<uint32_t> between;
  const size_t count = std::min(slots_.size(), k_test_points);
  std::copy_if(slots_.begin(), slots_.begin() + static_cast<ptrdiff_t>(count),
               std::back_inserter(between),
               [&](uint32_t slot) { return !undecided_->sets.sure.contains(slot); });
  if (between.empty()) {
    accept({});
    return Task::Next::again;
  }
  testing_ = true;
  return test_->read(between, task, worker) ? Task::Next::wait : Task::Next::again;
}

void FilteredPage::begin() {
  undecided_ = evaluate(*filter_, *collection_);
  test_.emplace(collection_, undecided_->rest);
  walk_.emplace(collection_->table(), undecided_->sets.possible, from_, wanted_);
}

// Of the slots at hand that were tested or need no test, in their order; `passing` are in it, too.
void FilteredPage::accept(const std::vector<uint32_t>& passing) {
  const size_t count = std::min(slots_.size(), k_test_points);
  auto passed = passing.begin();
  for (size_t i = 0; i < count && found_.size() < wanted_; ++i) {
    const bool tested = passed != passing.end() && *passed == slots_[i];
    if (tested) {
      ++passed;
    }
    if (tested || undecided_->sets.sure.contains(slots_[i])) {
      found_.push_back(slots_[i]);
    }
  }
  slots_.erase(slots_.begin(), slots_.begin() + static_cast<ptrdiff_t>(count));
}

}  // namespace asyncstore::engine
