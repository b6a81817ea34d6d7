// Which reads a wave comes to: sorted by place, neighbours joined.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "io/reader.h"

namespace asyncstore::io {

// One read that covers `request_count` requests, from `first_request` on in ReadPlan::requests().
struct PlannedRead {
  Source* source;
  uint64_t offset;         // a multiple of the source's alignment
  uint32_t length;         // a multiple of the alignment; may reach past the end of the file
  uint32_t wanted_length;  // from `offset` to the end of the last request: what must land
  uint32_t first_request;
  uint32_t request_count;
};

// Keeps its memory from wave to wave. Belongs to one thread.
class ReadPlan {
 public:
  struct Options {
    uint32_t gap_bytes;  // ranges at most this far apart are joined
    // A joined read is at most this long, unless one request alone is longer.
    uint32_t join_bytes_max;
  };
  // Of a source: a power of two, to which reads are widened.
  using Alignment = uint32_t (*)(const Source& source);

  explicit ReadPlan(Options options) : options_(options) {}

  // Every request has 1 … k_read_bytes_max bytes (asserted). Replaces the plan before.
  void make(std::span<const ReadRequest> wave, Alignment alignment);

  // Sorted by source and place; equal places in the order of the wave.
  std::span<const ReadRequest> requests() const { return requests_; }
  std::span<const PlannedRead> reads() const { return reads_; }

 private:
  struct Place {
    uint64_t source_id;
    uint64_t offset;
    uint32_t position;  // in the wave
    bool operator<(const Place& other) const;
  };

  void sort(std::span<const ReadRequest> wave);
  bool join(PlannedRead& read, const ReadRequest& request, uint32_t alignment) const;

  const Options options_;
  std::vector<Place> places_;
  std::vector<ReadRequest> requests_;
  std::vector<PlannedRead> reads_;
};

// The read of a single request.
PlannedRead widen(const ReadRequest& request, uint32_t alignment);

}  // namespace asyncstore::io
