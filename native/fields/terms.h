// The strings of an index, each with a number that stands for it: a term.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/stable_array.h"
#include "fields/sorted_pairs.h"

namespace asyncstore::fields {

// A term that no slot uses any more gives its memory back, and its number to a later one; while
// kept, it does not. Not thread-safe; any number of threads may read while none writes.
class Terms {
 public:
  Terms() = default;
  ~Terms();
  Terms(const Terms&) = delete;
  Terms& operator=(const Terms&) = delete;

  std::optional<uint32_t> find(std::string_view text) const;
  // A new term has no use yet; it must get one, or be dropped by release_unused().
  uint32_t find_or_add(std::string_view text);
  // For many at once, each text once: order() must follow before anything else is asked. No
  // find_or_add() before.
  uint32_t add(std::string_view text);
  void order();

  // A slot begins to use the term, or ends.
  void use(uint32_t term) { ++terms_[term].uses; }
  void unuse(uint32_t term);

  // Keeps terms without use until release() was called often enough.
  void keep() { kept_ = true; }
  // Ends that, a bounded piece of work at a time; false when all is done.
  bool release();
  // Ends that as well, looking at every term.
  void release_unused();

  std::string_view text(uint32_t term) const { return {terms_[term].text, terms_[term].size}; }
  uint32_t uses(uint32_t term) const { return terms_[term].uses; }
  uint32_t count() const { return count_; }
  // How many were given up so far: as long as it stays, a number stands for one text.
  uint64_t dropped() const { return dropped_; }
  // Numbers are below this.
  uint32_t numbers() const { return numbers_; }

  // Shows terms whose texts are `from` or come after it, in the order of their bytes, until
  // visit(term) is false.
  template <typename Visit>
  void ascending(std::string_view from, const Visit& visit) const {
    for (auto at = position(from); at != order_.end(); at = order_.next(at)) {
      if (!visit(order_.value(at))) {
        return;
      }
    }
  }

  uint64_t ram_bytes() const;

 private:
  struct Term {
    char* text;  // null while the number is free
    uint32_t size;
    uint32_t uses;
  };

  SortedPairs::Position position(std::string_view text) const;
  bool is_at(SortedPairs::Position position, std::string_view text) const;
  void drop(uint32_t term);

  base::StableArray<Term> terms_;
  uint32_t numbers_ = 0;
  uint32_t count_ = 0;
  uint64_t dropped_ = 0;
  uint64_t text_bytes_ = 0;
  SortedPairs order_;           // (the first eight bytes, the term), by text
  std::vector<uint32_t> free_;  // numbers
  bool kept_ = false;
  std::vector<uint32_t> unused_;  // terms whose last use ended while kept
};

}  // namespace asyncstore::fields
