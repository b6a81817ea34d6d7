// Rows that were read, kept in memory within a bound.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/bytes.h"

namespace asyncstore::io {

// A cache of rows and not of pages: where rows of 1.5 KiB are read at random, a page of 4 KiB keeps
// one row that was asked for and one and a half that were not.
//
// What goes is decided by S3-FIFO (J. Yang, Y. Zhang, Z. Qiu, Y. Yue, K. V. Rashmi: FIFO queues are
// all you need for cache eviction, SOSP 2023): new rows enter a small queue, those that were asked
// for again there move on to the main one, and one that left the small queue and comes back soon
// enters the main one at once. So rows that are wanted once pass through a tenth of the memory.
//
// Any thread. Bytes at a place must never change while anybody asks for them.
class RowCache {
 public:
  struct Place {
    uint64_t source_id;  // Source::id()
    uint64_t offset;     // bytes
    bool operator==(const Place&) const = default;
  };

  // `bytes` of memory at most, what the cache itself needs included.
  explicit RowCache(uint64_t bytes);
  ~RowCache();
  RowCache(const RowCache&) = delete;
  RowCache& operator=(const RowCache&) = delete;

  // Appends the row to `to` if it is here with this length.
  bool find(const Place& place, uint32_t length, std::vector<std::byte>& to);
  // Keeps a row, if it is not here and not larger than a share of the memory.
  void add(const Place& place, base::Bytes row);

  uint64_t bytes_max() const { return bytes_max_; }
  uint64_t bytes() const;  // in use

 private:
  static constexpr uint32_t k_shards = 16;
  class Shard;

  Shard& shard_of(uint64_t hash) const;

  uint64_t bytes_max_;
  std::array<std::unique_ptr<Shard>, k_shards> shards_;
};

}  // namespace asyncstore::io
