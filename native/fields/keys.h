// Keys: values as u64, in the order of the values.
#pragma once

#include <bit>
#include <cstdint>

#include "filter/number.h"

namespace asyncstore::fields {

constexpr uint64_t k_sign_bit = uint64_t{1} << 63;

constexpr uint64_t key_of(int64_t value) {
  return static_cast<uint64_t>(value) ^ k_sign_bit;
}
constexpr int64_t integer_of(uint64_t key) {
  return static_cast<int64_t>(key ^ k_sign_bit);
}

// -0 is 0. Negative doubles grow with their bits, so all of these are flipped.
constexpr uint64_t key_of(double value) {
  const auto bits = std::bit_cast<uint64_t>(value == 0 ? 0.0 : value);
  return (bits & k_sign_bit) != 0 ? ~bits : bits | k_sign_bit;
}
constexpr double real_of(uint64_t key) {
  return std::bit_cast<double>((key & k_sign_bit) != 0 ? key ^ k_sign_bit : ~key);
}

// Keys from `first` to `last`, both included; none where `first` is the larger one.
struct KeyRange {
  uint64_t first = 0;
  uint64_t last = UINT64_MAX;

  static constexpr KeyRange none() { return {1, 0}; }
  static constexpr KeyRange one(uint64_t key) { return {key, key}; }
  bool empty() const { return first > last; }
  bool contains(uint64_t key) const { return key >= first && key <= last; }

  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

// Values within bounds, by their keys. A real's key is the nearest double, which an integer beyond
// 2^53 may share with its neighbours: values with keys in `sure` lie within the bounds, those with
// keys outside of `possible` do not.
struct RealKeys {
  KeyRange sure;
  KeyRange possible;
};

KeyRange integer_keys(const filter::Bounds<filter::Number>& bounds);
KeyRange integer_keys(const filter::Bounds<int64_t>& bounds);
RealKeys real_keys(const filter::Bounds<filter::Number>& bounds);

}  // namespace asyncstore::fields
