// The best rows so far of one query.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "engine/view.h"
#include "points/point_table.h"

namespace asyncstore::engine {

struct Candidate {
  float similarity = 0;  // estimated or exact; larger is nearer
  uint32_t segment = 0;  // place in FieldView::segments
  uint32_t row = 0;
};

// The place as one number; which of two comes first by it, and whether they are one.
inline uint64_t place_of(const Candidate& candidate) {
  return uint64_t{candidate.segment} << 32 | candidate.row;
}
inline bool is_before(const Candidate& a, const Candidate& b) {
  return place_of(a) < place_of(b);
}
inline bool is_same(const Candidate& a, const Candidate& b) {
  return place_of(a) == place_of(b);
}

// Nearer first; equal similarities by point id.
class NearerFirst {
 public:
  NearerFirst(const FieldView& field, const points::PointTable& table)
      : field_(&field), table_(&table) {}
  bool operator()(const Candidate& a, const Candidate& b) const {
    if (a.similarity != b.similarity) {
      return a.similarity > b.similarity;
    }
    return table_->id(slot(a)) < table_->id(slot(b));
  }
  uint32_t slot(const Candidate& candidate) const {
    return field_->segments[candidate.segment].segment->slot(candidate.row);
  }

 private:
  const FieldView* field_;
  const points::PointTable* table_;
};

// The same where Candidate::segment is the place of a window in a snapshot, and row one of its
// rows.
template <typename Snapshot>
class NearerInWindows {
 public:
  NearerInWindows(const Snapshot& snapshot, const points::PointTable& table)
      : snapshot_(&snapshot), table_(&table) {}
  bool operator()(const Candidate& a, const Candidate& b) const {
    if (a.similarity != b.similarity) {
      return a.similarity > b.similarity;
    }
    return table_->id(slot(a)) < table_->id(slot(b));
  }
  uint32_t slot(const Candidate& candidate) const {
    return snapshot_->windows[candidate.segment]->slot(candidate.row);
  }

 private:
  const Snapshot* snapshot_;
  const points::PointTable* table_;
};

// The same where Candidate::row is a slot.
class NearerSlot {
 public:
  explicit NearerSlot(const points::PointTable& table) : table_(&table) {}
  bool operator()(const Candidate& a, const Candidate& b) const {
    if (a.similarity != b.similarity) {
      return a.similarity > b.similarity;
    }
    return table_->id(a.row) < table_->id(b.row);
  }

 private:
  const points::PointTable* table_;
};

// Keeps the `limit` nearest of all that were pushed. Up to twice as many are gathered before the
// farther half is dropped, so that a push costs O(1); memory follows what was pushed, not the
// limit.
template <typename Nearer = NearerFirst>
class TopCandidates {
 public:
  TopCandidates(uint64_t limit, Nearer nearer) : limit_(limit), nearer_(nearer) {}

  // What is below it need not be pushed.
  float threshold() const { return threshold_; }

  void push(const Candidate& candidate) {
    if (candidate.similarity < threshold_) {
      return;
    }
    kept_.push_back(candidate);
    if (kept_.size() >= 2 * limit_) {
      shrink();
    }
  }

  // The last of the nearest so far: what is below it is not among them. Minus infinity when there
  // are fewer than `limit`.
  float last() {
    if (kept_.size() >= limit_) {
      shrink();
    }
    return threshold_;
  }

  // The nearest, best first; leaves this empty.
  std::vector<Candidate> take() {
    std::vector<Candidate> taken = take_unsorted();
    std::sort(taken.begin(), taken.end(), nearer_);
    return taken;
  }

  // The same in no order.
  std::vector<Candidate> take_unsorted() {
    if (kept_.size() > limit_) {
      shrink();
    }
    return std::move(kept_);
  }

 private:
  void shrink() {
    const auto end = kept_.begin() + static_cast<ptrdiff_t>(limit_);
    std::nth_element(kept_.begin(), end - 1, kept_.end(), nearer_);
    threshold_ = kept_[limit_ - 1].similarity;
    kept_.erase(end, kept_.end());
  }

  uint64_t limit_;  // ≥ 1
  Nearer nearer_;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<Candidate> kept_;
};

}  // namespace asyncstore::engine
