// How often each value of an index occurs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "fields/content.h"
#include "fields/sorted_pairs.h"
#include "filter/filter.h"
#include "filter/slot_set.h"

namespace asyncstore::fields {

// Whether values are counted: keywords, uuids, booleans, integers with lookup.
bool has_counts(const Schema& schema);

struct ValueCount {
  filter::Scalar value;
  uint64_t slots = 0;  // that have it
};

// Counts slots by value and keeps the values that most have, a part at a time. The index may change
// in between: a slot whose values change then counts with the old ones, the new ones or both.
class ValueCounter {
 public:
  // Of the slots in `among`, which outlives it, or of all.
  ValueCounter(const filter::SlotSet* among, uint64_t limit) : among_(among), limit_(limit) {}

  // Goes on for some thousand slots or values. False when all are counted; then sort().
  bool count(const Content& content);
  // Puts the values in order, some hundred at a time; true until that is done.
  bool sort();
  // At most `limit` values, those that most slots have first, equal counts by value.
  std::vector<ValueCount> take();

 private:
  enum class Way : uint8_t {
    uses,   // of each term, when all slots count
    few,    // the keys of the slots that count, then how many of each there are
    pairs,  // all, in order of their keys
  };

  void begin(const Content& content);
  bool count_uses(const Content& content);
  bool count_few(const Content& content);
  bool gather_few(const Content& content);
  bool count_pairs(const Content& content);
  void finish_key();
  void offer(const Content& content, uint64_t key, uint64_t slots);
  void offer(ValueCount&& found);

  const filter::SlotSet* among_;
  uint64_t limit_;
  std::optional<Way> way_;
  uint64_t terms_dropped_ = 0;  // when it began
  bool terms_moved_ = false;    // to other numbers, perhaps, since then
  uint32_t next_ = 0;           // term or slot
  // few
  std::unordered_map<uint64_t, uint64_t> counts_;
  std::unordered_map<uint64_t, uint64_t>::const_iterator offered_;
  bool gathered_ = false;
  // pairs
  std::optional<Pair> last_;
  std::optional<ValueCount> current_;  // of the key of `last_`
  // A heap with the worst in front; behind `unsorted_` they are in order.
  std::vector<ValueCount> best_;
  std::optional<size_t> unsorted_;
};

}  // namespace asyncstore::fields
