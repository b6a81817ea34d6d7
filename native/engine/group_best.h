// Which points of one group may be its best.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "engine/admitted_rows.h"
#include "engine/candidates.h"
#include "engine/preselection.h"

namespace asyncstore::engine {

// What is asked of each group. What it refers to outlives who is given it.
struct GroupQuery {
  const Preselection& codes;  // of one query, by similarity
  const AdmittedRows& admitted;
  std::span<const uint32_t> excluded;  // slots, ascending
  NearerFirst nearer;
  uint32_t size = 1;  // how many points are wanted, ≥ 1
};

// The errors of the points that were looked at, of all groups of one query: they are much alike.
struct SeenErrors {
  uint32_t points = 0;
  float max = 0;
};

// Keeps of the points of one group those that may be among its best, by their estimates and errors.
class GroupBest {
 public:
  // `known`: points of it whose similarity is known exactly; they are not kept. `errors` are those
  // of all groups, and outlive this.
  GroupBest(std::vector<Candidate> known, const GroupQuery& query, SeenErrors& errors);

  // Another point of it, by its estimate; each once, or a known one.
  void add(const Candidate& candidate) {
    if (candidate.similarity >= floor_) {
      look_at(candidate);
    }
  }
  // How many points there are, of those that are not far from the best.
  uint64_t count() const { return known_.size() + kept_.size(); }
  // Those that may be among the best, by their estimates, in no order.
  std::vector<Candidate> candidates() const;

 private:
  struct Kept {
    Candidate candidate;
    float reach;  // what its exact similarity is not above
  };
  // The largest `size` of what points are not below.
  class Leasts {
   public:
    explicit Leasts(uint32_t size) : size_(size) {}
    void add(float least);
    // What is below it is not among the best.
    float bar() const {
      return heap_.size() < size_ ? -std::numeric_limits<float>::infinity() : heap_.front();
    }

   private:
    uint32_t size_;
    std::vector<float> heap_;
  };

  void look_at(const Candidate& candidate);

  const GroupQuery* query_;
  SeenErrors* errors_;
  std::vector<Candidate> known_;  // by place
  Leasts leasts_;
  std::vector<Kept> kept_;
  float floor_ = -std::numeric_limits<float>::infinity();  // what is below it is far from the best
};

}  // namespace asyncstore::engine
