#include "engine/filtered_points.h"

#include <algorithm>
#include <utility>

namespace asyncstore::engine {

namespace {

constexpr uint32_t k_part_slots = 8192;  // that are looked at in one slice

void add(Ids& ids, const points::PointId& id) {
  ids.ids.push_back(id);
  ids.has_uuid = ids.has_uuid || id.is_uuid;
}

}  // namespace

Task::Next FilterTask::step(Worker& worker) {
  if (!view_) {
    view_ = collection_->view();
  }
  if (!found_) {
    const Next next = filtering_.step(*this, worker, view_->lsn);
    if (filtering_.error()) {
      completions_.fail(ticket_, *filtering_.error());
      return Next::done;
    }
    if (auto known = early(filtering_)) {
      completions_.complete(ticket_, std::move(*known));
      return Next::done;
    }
    if (next != Next::done) {
      return next;
    }
    found_ = true;
  }
  auto answered = answer(*filtering_.passing());
  if (!answered.ok()) {
    completions_.fail(ticket_, std::move(answered.error()));
    return Next::done;
  }
  if (!answered.value()) {
    return Next::again;
  }
  completions_.complete(ticket_, std::move(*answered.value()));
  return Next::done;
}

std::optional<Value> CountTask::early(const Filtering& filtering) const {
  return exact_ ? std::nullopt : std::optional<Value>(filtering.estimated());
}

base::Result<FilterTask::Answer> MatchingIdsTask::answer(const filter::SlotSet& passing) {
  for (uint32_t i = 0; i < k_part_slots; ++i, ++next_) {
    next_ = passing.next(next_);
    if (next_ == passing.slots()) {
      return Answer(std::move(ids_));
    }
    add(ids_, collection_->table().id(next_));
  }
  return Answer();
}

// Drawn, then shuffled, as the places in the reservoir tell of the slots.
base::Result<FilterTask::Answer> SampleTask::answer(const filter::SlotSet& passing) {
  if (!drew_) {
    drew_ = !draw(passing);
    return Answer();
  }
  for (uint32_t i = 0; i < k_part_slots; ++i) {
    if (drawn_.empty()) {
      return Answer(std::move(ids_));
    }
    std::swap(drawn_[random_() % drawn_.size()], drawn_.back());
    add(ids_, collection_->table().id(drawn_.back()));
    drawn_.pop_back();
  }
  return Answer();
}

// J. Vitter, "Random Sampling with a Reservoir", ACM TOMS 1985, algorithm R. False when all were
// seen.
bool SampleTask::draw(const filter::SlotSet& passing) {
  for (uint32_t i = 0; i < k_part_slots; ++i, ++next_) {
    next_ = passing.next(next_);
    if (next_ == passing.slots()) {
      return false;
    }
    ++seen_;
    if (drawn_.size() < count_) {
      drawn_.push_back(next_);
    } else if (const uint64_t place = random_() % seen_; place < count_) {
      drawn_[place] = next_;
    }
  }
  return true;
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
