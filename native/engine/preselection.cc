#include "engine/preselection.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "index/scan_cost.h"

namespace asyncstore::engine {

namespace {

// One step looks at this many bytes of codes: about a tenth of a millisecond.
constexpr uint64_t k_slice_bytes = 1 << 20;
// What a code at a random place in memory costs, as bytes of a scan.
constexpr uint64_t k_random_bytes = 512;
constexpr uint32_t k_walk_evaluations = 256;  // between two looks at the budget

// How far the exact similarity may be above the estimate, in standard deviations of its error: so
// far that the results of 999 of 1,000 queries are those of reading all candidates (real
// embeddings, docs/decisions/0014-bounded-rescoring.md). Where a code has two bits or more for a
// dimension, to be surer costs a row or three; with one bit it costs tens.
constexpr float k_reach_deviations = 3;
constexpr float k_reach_deviations_fine = 3.3F;

float reach_deviations(const FieldView& field) {
  if (field.segments.empty()) {
    return k_reach_deviations;
  }
  const quantize::Quantizer& quantizer = *field.segments[0].segment->quantizer();  // as all others
  const bool is_fine = quantizer.kind() == quantize::Kind::scalar_int8 ||
                       (quantizer.kind() == quantize::Kind::rabitq &&
                        uint64_t{4} * quantizer.code_bytes() >= quantizer.dim());
  return is_fine ? k_reach_deviations_fine : k_reach_deviations;
}

// Bit i tells of similarities[i].
uint64_t not_below(float threshold, std::span<const float> similarities) {
  uint64_t bits = 0;
  for (size_t i = 0; i < similarities.size(); ++i) {
    bits |= static_cast<uint64_t>(similarities[i] >= threshold) << i;
  }
  return bits;
}

}  // namespace

bool walk_pays(const SegmentView& view, uint64_t admitted, const Effort& effort) {
  return view.segment->graph() != nullptr &&
         !index::scan_is_cheaper(view.rows, admitted, effort.ef);
}

// One query over the graph of one segment.
class Preselection::Walk {
 public:
  // Guide: the number of a walk from 1 on that goes by an example; 0 goes by the score.
  Walk(Preselection& owner, Query& query, size_t guide, std::unique_ptr<index::LevelWalk> buffers)
      : similarity_(owner, query, guide),
        admitted_(owner.admitted_, owner.segment_),
        buffers_(std::move(buffers)),
        traversal_(*owner.segment().segment->graph(), similarity_,
                   owner.all_admitted() ? nullptr : &admitted_, owner.effort_.ef, *buffers_) {}

  bool step(uint32_t evaluations) { return traversal_.step(evaluations); }
  const index::NearestRows& nearest() const { return traversal_.nearest(); }
  std::unique_ptr<index::LevelWalk> release() { return std::move(buffers_); }

 private:
  class Similarity final : public index::QuerySimilarity {
   public:
    Similarity(Preselection& owner, Query& query, size_t guide)
        : owner_(owner),
          query_(query),
          guide_(guide),
          scores_(owner.scores(query, owner.segment_)) {}
    void similarities(std::span<const uint32_t> rows, float* out) const override {
      if (guide_ == 0) {
        scores_.rows(rows, out);
        if (!owner_.guides_.empty()) {
          owner_.meet(query_, rows, out);
        }
        return;
      }
      float scores[index::k_list_rows_max];
      scores_.rows(rows, scores, owner_.guides_[guide_ - 1], out);
      owner_.meet(query_, rows, scores);
    }

   private:
    Preselection& owner_;
    Query& query_;
    const size_t guide_;
    const CodeScores scores_;
  };
  class Admitted final : public index::RowFilter {
   public:
    Admitted(const AdmittedRows& rows, uint32_t segment) : rows_(rows), segment_(segment) {}
    uint64_t admitted(std::span<const uint32_t> rows) const override {
      return rows_.has_each(segment_, rows);
    }

   private:
    const AdmittedRows& rows_;
    const uint32_t segment_;
  };

  Similarity similarity_;
  Admitted admitted_;
  std::unique_ptr<index::LevelWalk> buffers_;
  index::Traversal traversal_;
};

Preselection::Preselection(const FieldView& field, const AdmittedRows& admitted, NearerFirst nearer,
                           const QueryScore& score, Effort effort)
    : field_(field),
      admitted_(admitted),
      nearer_(nearer),
      score_(score),
      effort_(effort),
      deviations_(reach_deviations(field)),
      guides_(score.guides()) {}

Preselection::~Preselection() = default;

void Preselection::add(std::span<const segment::ExactScorer> examples) {
  ASSERT(examples.size() == score_.examples());
  Query& added = queries_.emplace_back(Query{{}, {}, TopCandidates(effort_.candidates, nearer_)});
  for (size_t i = 0; i < field_.segments.size(); ++i) {
    const auto& quantizer = field_.segments[i].segment->quantizer();
    // Segments of one quantizer share the encoded query.
    size_t same = 0;
    while (field_.segments[same].segment->quantizer() != quantizer) {
      ++same;
    }
    for (size_t e = 0; e < examples.size(); ++e) {
      if (same == i) {
        added.owned.push_back(quantizer->encode_query(examples[e].query()));
        added.encoded.push_back(added.owned.back().get());
      } else {
        added.encoded.push_back(added.encoded[same * examples.size() + e]);
      }
    }
  }
}

bool Preselection::step(WalkPool& pool) {
  uint64_t budget_bytes = k_slice_bytes;
  for (; segment_ < field_.segments.size(); ++segment_) {
    if (!(by_graph() ? walk(budget_bytes, pool) : scan(budget_bytes))) {
      return false;
    }
  }
  return true;
}

bool Preselection::by_graph() const {
  return walk_pays(segment(), admitted_.estimated(segment_), effort_);
}

// --- scans ---

bool Preselection::scan(uint64_t& budget_bytes) {
  if (const auto* list = admitted_.list(segment_)) {
    return scan_list(*list, budget_bytes);
  }
  const uint64_t block_bytes =
      uint64_t{64} * segment().segment->quantizer()->code_bytes() * comparisons();
  for (; row_ < segment().rows; row_ += 64) {
    if (budget_bytes == 0) {
      return false;
    }
    scan_block(row_ / 64);
    budget_bytes -= std::min(budget_bytes, block_bytes);
  }
  row_ = 0;
  return true;
}

void Preselection::scan_block(uint32_t block) {
  const SegmentView& view = segment();
  const uint64_t admitted = admitted_.word(segment_, block);
  if (admitted == 0) {
    return;
  }
  const uint32_t first = block * 64;
  const uint32_t rows = std::min(view.rows - first, 64U);
  float found[64];
  for (Query& query : queries_) {
    scores(query, segment_).block(first, rows, found);
    uint64_t passing = not_below(query.kept.threshold(), {found, rows});
    for (passing &= admitted; passing != 0; passing &= passing - 1) {
      const auto row = static_cast<uint32_t>(std::countr_zero(passing));
      query.kept.push({found[row], segment_, first + row});
    }
  }
}

bool Preselection::scan_list(const std::vector<uint32_t>& list, uint64_t& budget_bytes) {
  float found[index::k_list_rows_max];
  while (row_ < list.size()) {
    if (budget_bytes == 0) {
      return false;
    }
    const auto rows =
        std::span(list).subspan(row_, std::min<size_t>(list.size() - row_, std::size(found)));
    for (Query& query : queries_) {
      scores(query, segment_).rows(rows, found);
      uint64_t passing = not_below(query.kept.threshold(), {found, rows.size()});
      for (; passing != 0; passing &= passing - 1) {
        const auto i = static_cast<size_t>(std::countr_zero(passing));
        query.kept.push({found[i], segment_, rows[i]});
      }
    }
    row_ += static_cast<uint32_t>(rows.size());
    budget_bytes -= std::min(budget_bytes, rows.size() * k_random_bytes * comparisons());
  }
  row_ = 0;
  return true;
}

// --- walks ---

bool Preselection::walk(uint64_t& budget_bytes, WalkPool& pool) {
  for (; query_ < queries_.size(); ++query_) {
    for (; guide_ <= guides_.size(); ++guide_) {
      if (!walk_on(budget_bytes, pool)) {
        return false;
      }
    }
    guide_ = 0;
  }
  query_ = 0;
  return true;
}

bool Preselection::walk_on(uint64_t& budget_bytes, WalkPool& pool) {
  const uint64_t step_bytes = k_walk_evaluations * k_random_bytes * score_.examples();
  Query& query = queries_[query_];
  if (!walk_) {
    if (guide_ == 0 && !guides_.empty()) {
      met_.reset(segment().rows);
    }
    walk_ = std::make_unique<Walk>(*this, query, guide_, pool.take());
  }
  while (!walk_->step(k_walk_evaluations)) {
    if (budget_bytes == 0) {
      return false;
    }
    budget_bytes -= std::min(budget_bytes, step_bytes);
  }
  if (guides_.empty()) {
    const index::NearestRows& nearest = walk_->nearest();
    for (uint32_t i = 0; i < nearest.size(); ++i) {
      query.kept.push({nearest.similarity(i), segment_, nearest.row(i)});
    }
  }
  pool.give(walk_->release());
  walk_.reset();
  budget_bytes -= std::min(budget_bytes, step_bytes);
  return true;
}

// A walk by one example passes rows that the others make good, so all that are met count.
void Preselection::meet(Query& query, std::span<const uint32_t> rows, const float* scores) {
  const uint64_t admitted = all_admitted() ? ~uint64_t{0} : admitted_.has_each(segment_, rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    if ((admitted >> i & 1) != 0 && !met_.insert(rows.subspan(i, 1)).empty()) {
      query.kept.push({scores[i], segment_, rows[i]});
    }
  }
}

float Preselection::reach(size_t query, const Candidate& candidate) const {
  return scores(queries_[query], candidate.segment).reach(candidate.row, candidate.similarity);
}

float Preselection::reach_at_most(size_t query, const Candidate& candidate) const {
  return scores(queries_[query], candidate.segment)
      .reach_at_most(candidate.row, candidate.similarity);
}

// --- scores ---

void CodeScores::block(uint32_t first, uint32_t count, float* out) const {
  const auto& quantizer = *segment_.quantizer();
  if (score_.is_similarity()) {
    quantizer.estimate(*examples_[0], segment_.codes(first), count, out);
    return;
  }
  buffer_.resize(examples_.size() * count);
  for (size_t e = 0; e < examples_.size(); ++e) {
    quantizer.estimate(*examples_[e], segment_.codes(first), count, buffer_.data() + e * count);
  }
  combine(count, out);
}

void CodeScores::rows(std::span<const uint32_t> rows, float* out) const {
  const auto& quantizer = *segment_.quantizer();
  if (score_.is_similarity()) {
    quantizer.estimate_rows(*examples_[0], segment_.codes(0), rows, out);
    return;
  }
  buffer_.resize(examples_.size() * rows.size());
  for (size_t e = 0; e < examples_.size(); ++e) {
    quantizer.estimate_rows(*examples_[e], segment_.codes(0), rows,
                            buffer_.data() + e * rows.size());
  }
  combine(rows.size(), out);
}

void CodeScores::rows(std::span<const uint32_t> rows, float* out, uint32_t example,
                      float* similar) const {
  this->rows(rows, out);
  std::copy_n(buffer_.begin() + static_cast<ptrdiff_t>(example * rows.size()), rows.size(),
              similar);
}

// The buffer has the similarities of all rows to one example after those to another.
void CodeScores::combine(size_t count, float* out) const {
  for (size_t row = 0; row < count; ++row) {
    out[row] = score_.of(buffer_.data() + row, count);
  }
}

template <typename Deviation>
float CodeScores::reach(uint32_t row, float estimate, Deviation deviation) const {
  if (score_.is_similarity()) {
    return estimate + deviations_ * deviation(*examples_[0]);
  }
  const auto& quantizer = *segment_.quantizer();
  const size_t count = examples_.size();
  buffer_.resize(2 * count);
  float* low = buffer_.data();
  float* high = low + count;
  for (size_t e = 0; e < count; ++e) {
    float similarity = 0;
    quantizer.estimate_rows(*examples_[e], segment_.codes(0), {&row, 1}, &similarity);
    const float error = deviations_ * deviation(*examples_[e]);
    const bool known = std::isfinite(error);
    low[e] = known ? similarity - error : -std::numeric_limits<float>::infinity();
    high[e] = known ? similarity + error : std::numeric_limits<float>::infinity();
  }
  return score_.at_most(low, high);
}

float CodeScores::reach(uint32_t row, float estimate) const {
  return reach(row, estimate, [&](const quantize::EncodedQuery& example) {
    return segment_.quantizer()->deviation(example, segment_.codes(row));
  });
}

float CodeScores::reach_at_most(uint32_t row, float estimate) const {
  return reach(row, estimate, [&](const quantize::EncodedQuery& example) {
    return segment_.quantizer()->deviation_at_most(example, segment_.codes(row));
  });
}

}  // namespace asyncstore::engine
