// Finding candidates by the codes in memory: step 1 of the search line.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/admitted_rows.h"
#include "engine/candidates.h"
#include "engine/query_score.h"
#include "engine/view.h"
#include "index/traversal.h"
#include "index/visited_rows.h"
#include "quantize/quantizer.h"
#include "segment/row_codec.h"

namespace asyncstore::engine {

// How many candidates, and how hard to look for them.
struct Effort {
  uint64_t candidates = 0;
  uint32_t ef = 0;  // rows that a walk over a graph keeps in sight
};

// Whether a segment, of which about so many rows are admitted, is walked rather than scanned.
bool walk_pays(const SegmentView& view, uint64_t admitted, const Effort& effort);

// Buffers for walks, which a worker keeps for one search after another.
class WalkPool {
 public:
  std::unique_ptr<index::LevelWalk> take() {
    if (free_.empty()) {
      return std::make_unique<index::LevelWalk>();
    }
    auto walk = std::move(free_.back());
    free_.pop_back();
    return walk;
  }
  void give(std::unique_ptr<index::LevelWalk> walk) { free_.push_back(std::move(walk)); }

 private:
  std::vector<std::unique_ptr<index::LevelWalk>> free_;
};

// The scores of rows by their codes, of one query in one segment.
class CodeScores {
 public:
  // Those of the examples, encoded.
  using Encoded = std::span<const quantize::EncodedQuery* const>;

  // What is given outlives this; every call uses the buffer anew. Scores are taken to be at most so
  // many deviations of their errors off.
  CodeScores(const segment::Segment& segment, Encoded examples, const QueryScore& score,
             float deviations, std::vector<float>& buffer)
      : segment_(segment),
        examples_(examples),
        score_(score),
        deviations_(deviations),
        buffer_(buffer) {}

  // Of `count` ≤ 64 rows from `first` on, and of some rows, at most 64.
  void block(uint32_t first, uint32_t count, float* out) const;
  void rows(std::span<const uint32_t> rows, float* out) const;
  // The same, and of one of several examples how near the rows are to it.
  void rows(std::span<const uint32_t> rows, float* out, uint32_t example, float* similar) const;
  // What the exact score of a row is not above, but for few in a thousand; and what that is not
  // above, quicker to have. `estimate` is its score by codes.
  float reach(uint32_t row, float estimate) const;
  float reach_at_most(uint32_t row, float estimate) const;

 private:
  void combine(size_t count, float* out) const;
  template <typename Deviation>
  float reach(uint32_t row, float estimate, Deviation deviation) const;

  const segment::Segment& segment_;
  Encoded examples_;
  const QueryScore& score_;
  float deviations_;
  std::vector<float>& buffer_;
};

// One or several queries over the admitted rows of all segments of a field. Segments with a graph
// are walked, the others scanned; a scan compares each block of codes with all queries while it is
// in the caches. Where few rows are admitted, their codes alone are compared.
class Preselection {
 public:
  // The view, what is admitted of it and the score, which all queries have, outlive this.
  Preselection(const FieldView& field, const AdmittedRows& admitted, NearerFirst nearer,
               const QueryScore& score, Effort effort);
  ~Preselection();

  // The examples of a query, as the score counts them; each has the field's dimension, unit length
  // for cosine. Not after the first step().
  void add(std::span<const segment::ExactScorer> examples);
  // About a tenth of a millisecond of work; true when all is done.
  bool step(WalkPool& pool);
  // The candidates of a query, the nearest by their estimates first; once.
  std::vector<Candidate> take(size_t query) { return queries_[query].kept.take(); }
  // The same in no order.
  std::vector<Candidate> take_unsorted(size_t query) {
    return queries_[query].kept.take_unsorted();
  }
  // The similarities, by their codes, of at most 64 rows of a segment to a query.
  void estimates(size_t query, uint32_t segment, std::span<const uint32_t> rows, float* out) const {
    scores(queries_[query], segment).rows(rows, out);
  }
  // Whether several threads may ask for estimates and reaches at once.
  bool is_shareable() const { return score_.is_similarity(); }
  // What the exact similarity of a candidate is not above, but for few in a thousand.
  float reach(size_t query, const Candidate& candidate) const;
  // What its reach is not above: quicker to have, and enough for most.
  float reach_at_most(size_t query, const Candidate& candidate) const;

 private:
  struct Query {
    std::vector<const quantize::EncodedQuery*> encoded;  // for each segment those of all examples
    std::vector<std::unique_ptr<quantize::EncodedQuery>> owned;
    TopCandidates<> kept;
  };

  const SegmentView& segment() const { return field_.segments[segment_]; }
  CodeScores scores(const Query& query, uint32_t segment) const {
    return {
        *field_.segments[segment].segment,
        std::span(query.encoded).subspan(size_t{segment} * score_.examples(), score_.examples()),
        score_, deviations_, buffer_};
  }
  // Of each row that is looked at.
  uint64_t comparisons() const { return queries_.size() * score_.examples(); }
  bool by_graph() const;
  bool all_admitted() const { return segment().deleted_count() == 0 && admitted_.all_live(); }
  bool scan(uint64_t& budget_bytes);
  void scan_block(uint32_t block);
  bool scan_list(const std::vector<uint32_t>& list, uint64_t& budget_bytes);
  bool walk(uint64_t& budget_bytes, WalkPool& pool);
  bool walk_on(uint64_t& budget_bytes, WalkPool& pool);
  void meet(Query& query, std::span<const uint32_t> rows, const float* scores);

  const FieldView& field_;
  const AdmittedRows& admitted_;
  NearerFirst nearer_;
  const QueryScore& score_;
  Effort effort_;
  const float deviations_;  // that the score of a row may be off
  std::vector<Query> queries_;
  uint32_t segment_ = 0;  // where the work goes on
  uint32_t row_ = 0;      // of a scan, or of a list
  size_t query_ = 0;      // of the walks
  // Of a query of several examples: by its score, then by each guide; rows met by any of them.
  const std::vector<uint32_t> guides_;
  size_t guide_ = 0;
  index::VisitedRows met_;
  class Walk;
  std::unique_ptr<Walk> walk_;
  mutable std::vector<float> buffer_;
};

}  // namespace asyncstore::engine
