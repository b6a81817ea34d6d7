#include "fields/value_counter.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/assert.h"

namespace asyncstore::fields {

namespace {

constexpr uint32_t k_part = 4096;  // slots, terms or pairs, each some ten nanoseconds
constexpr size_t k_sorted_part = 256;
// Pairs that are passed over in the time that it takes to look up the keys of one slot.
constexpr uint64_t k_pairs_of_lookup = 8;

// More slots, or as many of a value that comes before.
bool is_better(const ValueCount& a, const ValueCount& b) {
  return a.slots != b.slots ? a.slots > b.slots : a.value < b.value;
}

}  // namespace

bool has_counts(const Schema& schema) {
  return is_of_strings(schema.kind) || schema.kind == Kind::boolean ||
         (schema.kind == Kind::integer && schema.lookup);
}

bool ValueCounter::count(const Content& content) {
  if (!way_) {
    begin(content);
  }
  terms_moved_ = content.terms().dropped() != terms_dropped_;
  switch (*way_) {
    case Way::uses:
      return count_uses(content);
    case Way::few:
      return count_few(content);
    case Way::pairs:
      return count_pairs(content);
  }
  return false;
}

void ValueCounter::begin(const Content& content) {
  ASSERT(has_counts(content.schema()));
  terms_dropped_ = content.terms().dropped();
  if (among_ == nullptr) {
    way_ = has_terms(content.schema().kind) ? Way::uses : Way::pairs;
    return;
  }
  const bool few = among_->count() < content.postings().count() / k_pairs_of_lookup;
  way_ = few ? Way::few : Way::pairs;
}

bool ValueCounter::count_uses(const Content& content) {
  const Terms& terms = content.terms();
  const uint32_t end = std::min(terms.numbers(), next_ + k_part);
  for (; next_ < end; ++next_) {
    if (terms.uses(next_) > 0) {
      offer(content, next_, terms.uses(next_));
    }
  }
  return next_ < terms.numbers();
}

// The number of a term that was dropped may stand for another one now: then all pairs are counted.
bool ValueCounter::count_few(const Content& content) {
  if (terms_moved_) {
    counts_.clear();
    best_.clear();
    way_ = Way::pairs;
    return true;
  }
  if (!gathered_) {
    gathered_ = !gather_few(content);
    offered_ = counts_.begin();
    return true;
  }
  for (uint32_t i = 0; i < k_part && offered_ != counts_.end(); ++i, ++offered_) {
    offer(content, offered_->first, offered_->second);
  }
  return offered_ != counts_.end();
}

bool ValueCounter::gather_few(const Content& content) {
  for (uint32_t i = 0; i < k_part; ++i, ++next_) {
    next_ = among_->next(next_);
    if (next_ == among_->slots()) {
      return false;
    }
    for (const uint64_t key : content.column().keys(next_)) {
      ++counts_[key];
    }
  }
  return true;
}

bool ValueCounter::count_pairs(const Content& content) {
  const auto page = content.postings().ascending({}, last_, k_part);
  uint64_t slots = 0;  // of the last key that was seen, in this page
  const auto close = [&](uint64_t key) {
    if (current_) {
      current_->slots += slots;
      finish_key();
    } else if (slots > 0) {
      offer(content, key, slots);
    }
    slots = 0;
  };
  for (const Pair& pair : page) {
    if (last_ && last_->key != pair.key) {
      close(last_->key);
    }
    slots += among_ == nullptr || among_->contains(pair.value) ? 1 : 0;
    last_ = pair;
  }
  if (page.empty()) {
    close(0);
    return false;
  }
  // The key goes on in the next page, or has ended; what it stands for is known for sure only now.
  if (!current_) {
    current_ = {content.value(last_->key), 0};
  }
  current_->slots += slots;
  return true;
}

void ValueCounter::finish_key() {
  if (current_->slots > 0) {
    offer(std::move(*current_));
  }
  current_.reset();
}

void ValueCounter::offer(const Content& content, uint64_t key, uint64_t slots) {
  if (best_.size() < limit_ || (limit_ > 0 && slots >= best_.front().slots)) {
    offer({content.value(key), slots});
  }
}

void ValueCounter::offer(ValueCount&& found) {
  if (best_.size() < limit_) {
    best_.push_back(std::move(found));
    std::push_heap(best_.begin(), best_.end(), is_better);
  } else if (limit_ > 0 && is_better(found, best_.front())) {
    std::pop_heap(best_.begin(), best_.end(), is_better);
    best_.back() = std::move(found);
    std::push_heap(best_.begin(), best_.end(), is_better);
  }
}

bool ValueCounter::sort() {
  size_t& unsorted = unsorted_ ? *unsorted_ : unsorted_.emplace(best_.size());
  for (size_t i = 0; i < k_sorted_part && unsorted > 0; ++i, --unsorted) {
    std::pop_heap(best_.begin(), best_.begin() + static_cast<ptrdiff_t>(unsorted), is_better);
  }
  return unsorted > 0;
}

std::vector<ValueCount> ValueCounter::take() {
  if (terms_moved_) {  // a value may have been met with one number and again with another
    std::set<filter::Scalar> seen;
    std::erase_if(best_, [&](const ValueCount& found) { return !seen.insert(found.value).second; });
  }
  return std::move(best_);
}

}  // namespace asyncstore::fields
