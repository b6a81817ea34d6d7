// Values like payloads: JSON of 100 to 2,000 bytes, log-normal, half of them below 450.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace asyncstore::bench {

class Values {
 public:
  // `text`: JSON; else bytes that do not compress.
  Values(uint64_t seed, bool text) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal(std::log(450.0), 0.7);
    for (size_t i = 0; i < k_pool; ++i) {
      const auto size = static_cast<size_t>(std::clamp(std::exp(normal(random)), 100.0, 2000.0));
      pool_.push_back(text ? json(random, size) : noise(random, size));
    }
  }

  // The same for the same number.
  base::Bytes of(uint64_t number) const {
    const uint64_t mixed = (number + 1) * 0x9E3779B97F4A7C15U;
    return base::bytes_of(std::string_view(pool_[mixed >> 48 & (k_pool - 1)]));
  }

  double mean_bytes() const {
    double sum = 0;
    for (const auto& value : pool_) {
      sum += static_cast<double>(value.size());
    }
    return sum / static_cast<double>(pool_.size());
  }

 private:
  static constexpr size_t k_pool = 1 << 14;

  static std::string noise(std::mt19937_64& random, size_t size) {
    std::string value(size, '\0');
    for (char& byte : value) {
      byte = static_cast<char>(random());
    }
    return value;
  }

  static std::string word(std::mt19937_64& random) {
    static const char* const k_syllables[] = {"ba",  "con", "de",  "fer", "gi",  "hal",
                                              "in",  "ka",  "lor", "me",  "nor", "os",
                                              "pre", "qui", "ra",  "sol"};
    std::string text;
    for (uint64_t i = random() % 3 + 1; i > 0; --i) {
      text += k_syllables[random() % std::size(k_syllables)];
    }
    return text;
  }

  static std::string json(std::mt19937_64& random, size_t size) {
    std::string text = "{\"id\":" + std::to_string(random() % 10'000'000) +
                       ",\"price\":" + std::to_string(random() % 100'000 / 100.0) + ",\"city\":\"" +
                       word(random) + "\",\"tags\":[\"" + word(random) + "\",\"" + word(random) +
                       "\"],\"text\":\"";
    while (text.size() + 2 < size) {
      text += word(random) + ' ';
    }
    text.resize(size - 2);
    return text + "\"}";
  }

  std::vector<std::string> pool_;
};

}  // namespace asyncstore::bench
