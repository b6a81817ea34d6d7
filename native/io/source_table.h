// What a reader remembers of each source.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/assert.h"

namespace asyncstore::io {

// Ids are given out one after the other, so the lowest bits of the id are the place: no search, no
// allocation. Two sources meet in one place only when that many were opened between them; then the
// newcomer takes it over, unless the older one is in use.
template <typename State>
class SourceTable {
 public:
  static constexpr uint32_t k_places = 512;

  struct Entry {
    uint64_t source_id = 0;  // 0: free; ids begin at 1
    uint32_t users = 0;      // while above 0 the entry stays
    State state;
  };

  static uint32_t place(uint64_t source_id) { return source_id % k_places; }

  // The entry, if the source has it; else null.
  Entry* find(uint64_t source_id) {
    Entry& entry = (*entries_)[place(source_id)];
    return entry.source_id == source_id ? &entry : nullptr;
  }

  // Gives the source's place to it, with a fresh state; null when another source's reads hold it.
  Entry* claim(uint64_t source_id) {
    Entry& entry = (*entries_)[place(source_id)];
    if (entry.users > 0) {
      return nullptr;
    }
    entry = Entry{source_id, 0, State{}};
    return &entry;
  }

  void release(Entry& entry) {
    ASSERT(entry.users == 0);
    entry = Entry{};
  }

 private:
  std::unique_ptr<std::array<Entry, k_places>> entries_ =
      std::make_unique<std::array<Entry, k_places>>();
};

}  // namespace asyncstore::io
