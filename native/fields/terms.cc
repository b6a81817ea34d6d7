#include "fields/terms.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"

namespace asyncstore::fields {

namespace {

// The first eight bytes, in an order that is the texts' as far as it tells them apart.
uint64_t head_of(std::string_view text) {
  uint64_t head = 0;
  if (!text.empty()) {
    std::memcpy(&head, text.data(), std::min(text.size(), sizeof head));
  }
  return __builtin_bswap64(head);
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
  const uint32_t term = take_number(text);
  order_.insert(found, {head_of(text), term});
  return term;
}

uint32_t Terms::append(std::string_view text) {
  const uint32_t term = take_number(text);
  order_.append({head_of(text), term});
  return term;
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
  const uint64_t head = head_of(text);
  return order_.find([&](uint64_t other, uint32_t term) {
    return other < head || (other == head && this->text(term) < text);
  });
}

bool Terms::is_at(SortedPairs::Position position, std::string_view text) const {
  return position != order_.end() && this->text(order_.value(position)) == text;
}

uint32_t Terms::take_number(std::string_view text) {
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

void Terms::drop(uint32_t term) {
  order_.erase(position(text(term)));
  Term& dropped = terms_[term];
  text_bytes_ -= dropped.size;
  --count_;
  std::free(dropped.text);
  dropped = {nullptr, 0, 0};
  free_.push_back(term);
}

}  // namespace asyncstore::fields
