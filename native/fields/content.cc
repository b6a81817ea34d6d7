#include "fields/content.h"

#include <algorithm>

#include "base/assert.h"

namespace asyncstore::fields {

namespace {

// Shows the keys that only the one or only the other has; both ascend.
template <typename Gone, typename New>
void compare(std::span<const uint64_t> before, std::span<const uint64_t> after, const Gone& gone,
             const New& added) {
  auto old = before.begin();
  auto now = after.begin();
  while (old != before.end() || now != after.end()) {
    if (now == after.end() || (old != before.end() && *old < *now)) {
      gone(*old++);
    } else if (old == before.end() || *now < *old) {
      added(*now++);
    } else {
      ++old;
      ++now;
    }
  }
}

}  // namespace

void Content::set(uint32_t slot, const Values& values) {
  const std::vector<uint64_t> keys = keys_of(values);
  const bool terms = has_terms(schema_.kind);
  compare(
      column_.keys(slot), keys,
      [&](uint64_t gone) {
        postings_.remove(gone, slot);
        if (terms) {
          terms_.unuse(static_cast<uint32_t>(gone));
        }
      },
      [&](uint64_t added) {
        postings_.add(added, slot);
        if (terms) {
          terms_.use(static_cast<uint32_t>(added));
        }
      });
  column_.set(slot, keys);
  mark(slot, values.flags);
}

void Content::load(uint32_t slot, Flags flags, std::span<const uint64_t> keys) {
  if (has_terms(schema_.kind)) {
    terms_.keep();  // they have no order yet that one could be taken from
    for (const uint64_t key : keys) {
      terms_.use(static_cast<uint32_t>(key));
    }
    for (const uint64_t key : column_.keys(slot)) {
      terms_.unuse(static_cast<uint32_t>(key));
    }
  }
  column_.set(slot, keys);
  mark(slot, flags);
}

void Content::build() {
  ASSERT(postings_.count() == 0);
  std::vector<Pair> pairs;
  pairs.reserve(column_.valued().count());
  for (uint32_t slot = 0; slot < slots_; ++slot) {
    for (const uint64_t key : column_.keys(slot)) {
      pairs.push_back({key, slot});
    }
  }
  postings_.fill(pairs);
  terms_.order();
  terms_.release_unused();
}

Flags Content::flags(uint32_t slot) const {
  Flags flags;
  for (uint8_t flag = 0; flag < k_flags; ++flag) {
    if (marks_[flag].contains(slot)) {
      flags.add(static_cast<Flag>(flag));
    }
  }
  return flags;
}

filter::Scalar Content::value(uint64_t key) const {
  switch (schema_.kind) {
    case Kind::boolean:
      return key != 0;
    case Kind::integer:
      return integer_of(key);
    case Kind::uuid:
      return uuid_text(terms_.text(static_cast<uint32_t>(key)));
    default:
      return std::string(terms_.text(static_cast<uint32_t>(key)));
  }
}

uint64_t Content::ram_bytes() const {
  uint64_t bytes = column_.ram_bytes() + postings_.ram_bytes() + terms_.ram_bytes();
  for (const SlotMarks& marks : marks_) {
    bytes += marks.ram_bytes();
  }
  return bytes;
}

std::vector<uint64_t> Content::keys_of(const Values& values) {
  if (!has_terms(schema_.kind)) {
    return values.keys;
  }
  std::vector<uint64_t> keys;
  keys.reserve(values.terms.size());
  for (const std::string& term : values.terms) {
    keys.push_back(terms_.find_or_add(term));
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

void Content::mark(uint32_t slot, Flags flags) {
  for (uint8_t flag = 0; flag < k_flags; ++flag) {
    marks_[flag].set(slot, flags.has(static_cast<Flag>(flag)));
  }
  if (flags.has(Flag::present)) {
    slots_ = std::max(slots_, slot + 1);
  }
}

}  // namespace asyncstore::fields
