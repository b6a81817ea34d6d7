// What a query looks for, as one number for each row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace asyncstore::engine {

// Of a row's similarities to some examples (larger is nearer; segment::ExactScorer) it makes the
// number that candidates are ordered by, largest first. It never falls when the similarity to a
// positive example or the target rises, and never rises when that to a negative one does; so where
// similarities are known within bounds, the number is too.
//
// With f(x) = x / (1 + |x|) and g(x) = (f(x) + 1) / 2, which keep the order and lie in (−1, 1) and
// (0, 1), P and N the similarities to the nearest positive and negative example:
//
//   nearest      the similarity to the one example
//   best_score   g(P) where P > N, else −g(N)
//   sum_scores   the sum over positive examples less that over negative ones
//   discover     for each pair 1, 0 or −1 as the row is nearer to the positive one, as near, or
//                nearer to the negative one; and g(similarity to the target), so that pairs decide
//                first
//   context      the sum over pairs of f(min(positive − negative − ε, 0)), ε that of float32: 0 or
//                hardly less where all pairs are met, below it the farther the worse
class QueryScore {
 public:
  enum class Kind : uint8_t { nearest, best_score, sum_scores, discover, context };

  QueryScore() = default;
  // Examples are numbered: positive ones and then negative ones (best_score, sum_scores); the
  // target and then a positive and a negative one for each pair (discover); a positive and a
  // negative one for each pair (context). Discovery without a target: context.
  QueryScore(Kind kind, uint32_t positives, uint32_t examples)
      : kind_(kind), positives_(positives), examples_(examples) {}

  Kind kind() const { return kind_; }
  // That of `nearest` is the similarity itself.
  bool is_similarity() const { return kind_ == Kind::nearest; }
  uint32_t examples() const { return examples_; }
  // Examples around which the best rows may lie, though rows between them and those that a walk by
  // the number has found are worse: some of the positive ones of best_score, the target.
  std::vector<uint32_t> guides() const;

  // The similarity to example e is similarities[e · stride].
  float of(const float* similarities, size_t stride = 1) const {
    return is_similarity() ? similarities[0] : at_most(similarities, similarities, stride);
  }
  // What the number is not above where the similarities lie between `low` and `high`.
  float at_most(const float* low, const float* high, size_t stride = 1) const;

 private:
  Kind kind_ = Kind::nearest;
  uint32_t positives_ = 1;
  uint32_t examples_ = 1;
};

}  // namespace asyncstore::engine
