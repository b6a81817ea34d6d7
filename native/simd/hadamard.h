// The Hadamard transform, written once; see lane_kernels.h for how a file of one instruction set
// includes this. Registers are vectors of the compiler, eight floats each, which every instruction
// set has or splits: what is needed beside sums and differences is eight floats in another order.
#pragma once

#include <cstddef>
#include <cstring>

namespace asyncstore::simd {

// In every template here the argument makes the copy that of one file.

template <class Lanes>
struct Eight {
  // NOLINTNEXTLINE(modernize-use-using): an alias cannot carry the attribute in a template
  typedef float Vector __attribute__((vector_size(32)));

  static void load(const float* from, Vector& to) { std::memcpy(&to, from, sizeof to); }
  static void store(const Vector& from, float* to) { std::memcpy(to, &from, sizeof from); }
  // An element and the one `half` behind it become sum and difference.
  static void butterflies(Vector& values) {
    constexpr Vector k_one = {1, -1, 1, -1, 1, -1, 1, -1};
    constexpr Vector k_two = {1, 1, -1, -1, 1, 1, -1, -1};
    constexpr Vector k_four = {1, 1, 1, 1, -1, -1, -1, -1};
    values = __builtin_shufflevector(values, values, 1, 0, 3, 2, 5, 4, 7, 6) + values * k_one;
    values = __builtin_shufflevector(values, values, 2, 3, 0, 1, 6, 7, 4, 5) + values * k_two;
    values = __builtin_shufflevector(values, values, 4, 5, 6, 7, 0, 1, 2, 3) + values * k_four;
  }
};

template <class Lanes>
void hadamard_f32(float* elements, size_t size) {
  using Registers = Eight<Lanes>;
  using Vector = typename Registers::Vector;
  size_t half = 1;
  if (size >= 8) {
    for (float* at = elements; at != elements + size; at += 8) {
      Vector values;
      Registers::load(at, values);
      Registers::butterflies(values);
      Registers::store(values, at);
    }
    half = 8;
  }
  // Two steps at once, which saves half of the loads and stores.
  for (; half >= 8 && 4 * half <= size; half *= 4) {
    for (float* begin = elements; begin != elements + size; begin += 4 * half) {
      for (float* at = begin; at != begin + half; at += 8) {
        Vector a;
        Vector b;
        Vector c;
        Vector d;
        Registers::load(at, a);
        Registers::load(at + half, b);
        Registers::load(at + 2 * half, c);
        Registers::load(at + 3 * half, d);
        const Vector ab = a + b;
        const Vector a_b = a - b;
        const Vector cd = c + d;
        const Vector c_d = c - d;
        Registers::store(ab + cd, at);
        Registers::store(a_b + c_d, at + half);
        Registers::store(ab - cd, at + 2 * half);
        Registers::store(a_b - c_d, at + 3 * half);
      }
    }
  }
  for (; half < size; half *= 2) {
    for (float* begin = elements; begin != elements + size; begin += 2 * half) {
      for (float* low = begin; low != begin + half; ++low) {
        const float sum = *low + low[half];
        low[half] = *low - low[half];
        *low = sum;
      }
    }
  }
}

}  // namespace asyncstore::simd
