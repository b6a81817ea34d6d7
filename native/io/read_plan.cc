#include "io/read_plan.h"

#include <algorithm>
#include <tuple>

namespace asyncstore::io {

bool ReadPlan::Place::operator<(const Place& other) const {
  return std::tie(source_id, offset, position) <
         std::tie(other.source_id, other.offset, other.position);
}

void ReadPlan::make(std::span<const ReadRequest> wave, Alignment alignment) {
  sort(wave);
  reads_.clear();
  for (uint32_t position = 0; position < requests_.size(); ++position) {
    const ReadRequest& request = requests_[position];
    const uint32_t aligned = alignment(*request.source);
    if (reads_.empty() || !join(reads_.back(), request, aligned)) {
      reads_.push_back(widen(request, aligned));
      reads_.back().first_request = position;
    }
  }
}

void ReadPlan::sort(std::span<const ReadRequest> wave) {
  places_.clear();
  for (uint32_t position = 0; position < wave.size(); ++position) {
    const ReadRequest& request = wave[position];
    ASSERT(request.length > 0 && request.length <= base::k_read_bytes_max);
    places_.push_back({request.source->id(), request.offset, position});
  }
  std::sort(places_.begin(), places_.end());
  requests_.clear();
  for (const Place& place : places_) {
    requests_.push_back(wave[place.position]);
  }
}

// Takes `request`, which does not begin before those that `read` has, into it. Example with an
// alignment of 512 and no gap: a read of [0, 512) for 100 bytes at 0 takes in 100 bytes at 600, for
// their sector [512, 1024) touches it, and becomes [0, 1024).
bool ReadPlan::join(PlannedRead& read, const ReadRequest& request, uint32_t alignment) const {
  if (request.source != read.source) {
    return false;
  }
  const PlannedRead widened = widen(request, alignment);
  const uint64_t read_end = read.offset + read.length;
  if (widened.offset > read_end + options_.gap_bytes) {
    return false;
  }
  const uint64_t joined_length = std::max(read_end, widened.offset + widened.length) - read.offset;
  if (joined_length > read.length && joined_length > options_.join_bytes_max) {
    return false;
  }
  const uint64_t wanted_length = request.offset + request.length - read.offset;
  read.wanted_length = std::max(read.wanted_length, static_cast<uint32_t>(wanted_length));
  read.length = static_cast<uint32_t>(joined_length);
  ++read.request_count;
  return true;
}

PlannedRead widen(const ReadRequest& request, uint32_t alignment) {
  const uint64_t begin = base::round_down(request.offset, alignment);
  const uint64_t wanted_end = request.offset + request.length;
  const uint64_t end = base::round_up(wanted_end, alignment);
  return {request.source,
          begin,
          static_cast<uint32_t>(end - begin),
          static_cast<uint32_t>(wanted_end - begin),
          0,
          1};
}

}  // namespace asyncstore::io
