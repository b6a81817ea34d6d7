#include "fields/terms.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

#include "base/assert.h"

namespace asyncstore::fields {

namespace {

// Eight bytes from `at` on, zeros behind the end, in an order that is the texts' as far as it tells
// them apart.
uint64_t piece_of(std::string_view text, size_t at = 0) {
  uint64_t piece = 0;
  if (text.size() > at) {
    std::memcpy(&piece, text.data() + at, std::min(text.size() - at, sizeof piece));
  }
  return __builtin_bswap64(piece);
}

// Sorts terms by text, where the first `at` bytes are equal: by their next eight bytes, then those
// that share them by the bytes behind. So each text is read once for each eight bytes of it that
// matter, not once for each comparison.
void sort_by_text(const Terms& terms, std::span<Pair> pairs, size_t at) {
  constexpr size_t k_few = 16;
  constexpr size_t k_at_max = 512;  // bounds the recursion
  if (pairs.size() <= k_few || at > k_at_max) {
    std::sort(pairs.begin(), pairs.end(), [&](const Pair& a, const Pair& b) {
      return terms.text(a.value) < terms.text(b.value);
    });
    return;
  }
  for (Pair& pair : pairs) {
    pair.key = piece_of(terms.text(pair.value), at);
  }
  std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.key < b.key; });
  for (size_t first = 0; first < pairs.size();) {
    size_t last = first + 1;
    while (last < pairs.size() && pairs[last].key == pairs[first].key) {
      ++last;
    }
    if (last - first > 1) {
      sort_by_text(terms, pairs.subspan(first, last - first), at + sizeof(uint64_t));
    }
    first = last;
  }
}

}  // namespace

Terms::~Terms() {
  for (uint32_t term = 0; term < numbers_; ++term) {
    std::free(terms_[term].text);
  }
}

std::optional<uint32_t> Terms::find(std::string_view text) const {
  const auto found = position(text);
  return is_at(found, text) ? std::optional(order_.value(found)) : std::nullopt;
}

uint32_t Terms::find_or_add(std::string_view text) {
  const auto found = position(text);
  if (is_at(found, text)) {
    return order_.value(found);
  }
  const uint32_t term = add(text);
  order_.insert(found, {piece_of(text), term});
  return term;
}

uint32_t Terms::add(std::string_view text) {
  uint32_t term = numbers_;
  if (free_.empty()) {
    const bool grown = terms_.grow(uint64_t{numbers_} + 1);
    ASSERT(grown);
    ++numbers_;
  } else {
    term = free_.back();
    free_.pop_back();
  }
  auto* copy = static_cast<char*>(std::malloc(std::max<size_t>(text.size(), 1)));
  ASSERT(copy != nullptr);
  std::copy(text.begin(), text.end(), copy);
  terms_[term] = {copy, static_cast<uint32_t>(text.size()), 0};
  text_bytes_ += text.size();
  ++count_;
  return term;
}

void Terms::order() {
  ASSERT(order_.empty());
  std::vector<Pair> pairs;
  pairs.reserve(numbers_);
  bool sorted = true;  // as the terms of a file are
  for (uint32_t term = 0; term < numbers_; ++term) {
    sorted = sorted && (term == 0 || text(term - 1) < text(term));
    pairs.push_back({0, term});
  }
  if (!sorted) {
    sort_by_text(*this, pairs, 0);
  }
  for (const Pair& pair : pairs) {
    order_.append({piece_of(text(pair.value)), pair.value});
  }
}

void Terms::unuse(uint32_t term) {
  ASSERT(terms_[term].uses > 0);
  if (--terms_[term].uses > 0) {
    return;
  }
  if (kept_) {
    unused_.push_back(term);
  } else {
    drop(term);
  }
}

bool Terms::release() {
  constexpr int k_piece = 64;
  kept_ = false;
  for (int i = 0; i < k_piece && !unused_.empty(); ++i) {
    const uint32_t term = unused_.back();
    unused_.pop_back();
    // Its use may have begun again, and ended again, which put it here a second time.
    if (terms_[term].uses == 0 && terms_[term].text != nullptr) {
      drop(term);
    }
  }
  return !unused_.empty();
}

void Terms::release_unused() {
  kept_ = false;
  unused_.clear();
  for (uint32_t term = 0; term < numbers_; ++term) {
    if (terms_[term].uses == 0 && terms_[term].text != nullptr) {
      drop(term);
    }
  }
}

uint64_t Terms::ram_bytes() const {
  constexpr uint64_t k_malloc_bytes = 16;  // what malloc adds to a text, or rounds it up by
  return text_bytes_ + count_ * k_malloc_bytes + numbers_ * sizeof(Term) + order_.ram_bytes() +
         (free_.capacity() + unused_.capacity()) * sizeof(uint32_t);
}

// Of the first term whose text is not before this one.
SortedPairs::Position Terms::position(std::string_view text) const {
  const uint64_t head = piece_of(text);
  return order_.find([&](uint64_t other, uint32_t term) {
    return other < head || (other == head && this->text(term) < text);
  });
}

bool Terms::is_at(SortedPairs::Position position, std::string_view text) const {
  return position != order_.end() && this->text(order_.value(position)) == text;
}

void Terms::drop(uint32_t term) {
  order_.erase(position(text(term)));
  Term& dropped = terms_[term];
  text_bytes_ -= dropped.size;
  --count_;
  ++dropped_;
  std::free(dropped.text);
  dropped = {nullptr, 0, 0};
  free_.push_back(term);
}

}  // namespace asyncstore::fields
