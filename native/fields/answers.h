// What an index knows about a test.
#pragma once

#include <cstdint>
#include <optional>

#include "fields/content.h"
#include "filter/filter.h"
#include "filter/slot_set.h"

namespace asyncstore::fields {

// Points in `sure` satisfy the test, points outside of `possible` do not; those between must be
// tested on their payload. `sure` is part of `possible`, and slots without a point are in neither.
struct Answer {
  filter::SlotSet sure;
  filter::SlotSet possible;
};

// For the slots below `slots`. Nothing when the index knows nothing about such tests.
std::optional<Answer> answer(const Content& content, const filter::Test& test, uint32_t slots);

// About how many slots would be possible, found out quickly; it may be too many.
std::optional<uint64_t> estimate(const Content& content, const filter::Test& test);

}  // namespace asyncstore::fields
