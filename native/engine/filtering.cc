#include "engine/filtering.h"

#include <bit>
#include <utility>

namespace asyncstore::engine {

Task::Next Filtering::step(Task& task, Worker& worker, uint64_t lsn) {
  if (!undecided_ && !known_) {
    begin(lsn);
    return known_ ? Task::Next::done : Task::Next::again;
  }
  if (reading_) {
    reading_ = false;
    auto passing = test_->passing();
    if (!passing.ok()) {
      error_ = std::move(passing.error());
      return Task::Next::done;
    }
    for (const uint32_t slot : passing.value()) {
      passing_->add(slot);
    }
  }
  next_slots();
  if (slots_.empty()) {
    if (!filter_->key.empty()) {
      collection_->filter_cache().put(filter_->key, lsn, passing_);
    }
    return Task::Next::done;
  }
  reading_ = true;
  return test_->read(slots_, task, worker) ? Task::Next::wait : Task::Next::again;
}

void Filtering::begin(uint64_t lsn) {
  known_ = filter_->key.empty() ? nullptr : collection_->filter_cache().find(filter_->key, lsn);
  if (known_) {
    return;
  }
  undecided_ = evaluate(*filter_, *collection_);
  passing_ = std::make_shared<filter::SlotSet>(undecided_->sets.sure);
  test_.emplace(collection_, undecided_->rest);
}

uint64_t Filtering::estimated() const {
  if (known_) {
    return known_->count();
  }
  const auto& [sure, possible] = undecided_->sets;
  return (sure.count() + possible.count()) / 2;
}

// In whole words, so that a wave may be a few more than k_test_points.
void Filtering::next_slots() {
  slots_.clear();
  const auto sure = undecided_->sets.sure.words();
  const auto possible = undecided_->sets.possible.words();
  for (; word_ < possible.size() && slots_.size() < k_test_points; ++word_) {
    for (uint64_t word = possible[word_] & ~sure[word_]; word != 0; word &= word - 1) {
      slots_.push_back(static_cast<uint32_t>(word_ * 64 + std::countr_zero(word)));
    }
  }
}

}  // namespace asyncstore::engine
