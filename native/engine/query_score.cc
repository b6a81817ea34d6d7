#include "engine/query_score.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace asyncstore::engine {

namespace {

// Also of infinities, where the quotient would be NaN.
float squashed(float x) {
  return std::isinf(x) ? std::copysign(1.0F, x) : x / (1 + std::fabs(x));
}

float squashed_to_positive(float x) {
  return (squashed(x) + 1) / 2;
}

float best_score(float nearest_positive, float nearest_negative) {
  return nearest_positive > nearest_negative ? squashed_to_positive(nearest_positive)
                                             : -squashed_to_positive(nearest_negative);
}

// 1, 0 or −1.
float preference(float positive, float negative) {
  return static_cast<float>(positive > negative) - static_cast<float>(positive < negative);
}

float shortfall(float positive, float negative) {
  // Of two infinities of one sign neither is nearer.
  const float ahead = positive == negative ? 0 : positive - negative;
  return squashed(std::min(ahead - std::numeric_limits<float>::epsilon(), 0.0F));
}

}  // namespace

std::vector<uint32_t> QueryScore::guides() const {
  constexpr uint32_t k_guides_max = 4;  // each costs a walk
  std::vector<uint32_t> guides;
  const uint32_t apart = kind_ == Kind::best_score ? positives_ : kind_ == Kind::discover ? 1 : 0;
  const uint32_t count = std::min(apart, k_guides_max);
  for (uint32_t i = 0; i < count && examples_ > 1; ++i) {
    guides.push_back(i * apart / count);
  }
  return guides;
}

float QueryScore::at_most(const float* low, const float* high, size_t stride) const {
  switch (kind_) {
    case Kind::nearest:
      return high[0];
    case Kind::best_score: {
      float positive = -std::numeric_limits<float>::infinity();
      float negative = positive;
      for (uint32_t e = 0; e < examples_; ++e) {
        if (e < positives_) {
          positive = std::max(positive, high[e * stride]);
        } else {
          negative = std::max(negative, low[e * stride]);
        }
      }
      return best_score(positive, negative);
    }
    case Kind::sum_scores: {
      double sum = 0;
      for (uint32_t e = 0; e < examples_; ++e) {
        sum += e < positives_ ? high[e * stride] : -low[e * stride];
      }
      return std::isnan(sum) ? -std::numeric_limits<float>::infinity() : static_cast<float>(sum);
    }
    case Kind::discover: {
      float sum = 0;
      for (uint32_t e = 1; e < examples_; e += 2) {
        sum += preference(high[e * stride], low[(e + 1) * stride]);
      }
      return sum + squashed_to_positive(high[0]);
    }
    case Kind::context: {
      float sum = 0;
      for (uint32_t e = 0; e < examples_; e += 2) {
        sum += shortfall(high[e * stride], low[(e + 1) * stride]);
      }
      return sum;
    }
  }
  return 0;
}

}  // namespace asyncstore::engine
