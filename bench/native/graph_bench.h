// What the graph's benchmark compares: int8 codes of real rows, as a quantizer of the engine would
// hold them, without its conveniences.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#if !defined(__clang__)
// GCC 12 warns of the registers that its own headers leave undefined on purpose (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#endif

#include "base/region.h"
#include "index/similarity.h"
#include "simd/kernels.h"

namespace asyncstore::bench {

// Rows of a .npy file of version 1.0, C order.
struct Npy {
  std::vector<std::byte> bytes;
  size_t rows = 0;
  size_t columns = 0;

  explicit Npy(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "rb");
    char header[10] = {};
    if (file == nullptr || std::fread(header, 1, 10, file) != 10) {
      std::fprintf(stderr, "cannot read %s\n", path.c_str());
      std::exit(1);
    }
    uint16_t length = 0;
    std::memcpy(&length, header + 8, 2);
    std::string text(length, ' ');
    size_t read = std::fread(text.data(), 1, length, file);
    const char* shape = std::strstr(text.c_str(), "'shape': (");
    char* end = nullptr;
    rows = std::strtoull(shape + 10, &end, 10);
    columns = std::strtoull(end + 1, nullptr, 10);
    const size_t item = text.find("f2") != std::string::npos ? 2 : 4;
    bytes.resize(rows * columns * item);
    read = std::fread(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
    if (read != bytes.size()) {
      std::fprintf(stderr, "%s is too short\n", path.c_str());
      std::exit(1);
    }
  }
  std::vector<float> floats() const {
    std::vector<float> values(rows * columns);
    simd::kernels().f16_to_f32(reinterpret_cast<const uint16_t*>(bytes.data()), values.size(),
                               values.data());
    return values;
  }
  const int32_t* ints() const { return reinterpret_cast<const int32_t*>(bytes.data()); }
};

// One scale for all: code = round(x / scale) in -127..127, held with 128 added, as VNNI multiplies
// unsigned codes by a signed query. Rows are padded with zeros to whole registers.
class Codes {
 public:
  Codes(const std::vector<float>& rows, size_t dim)
      : dim_(dim), stride_((dim + 63) / 64 * 64), scale_(scale_of(rows)) {
    const size_t count = rows.size() / dim;
    region_ = base::Region(count * stride_, true);
    if (!region_.grow(count * stride_)) {
      std::exit(1);
    }
    for (size_t row = 0; row < count; ++row) {
      encode(rows.data() + row * dim, region_.as<int8_t>() + row * stride_);
      for (size_t i = 0; i < stride_; ++i) {
        region_.as<uint8_t>()[row * stride_ + i] ^= 0x80;
      }
    }
  }

  size_t stride() const { return stride_; }
  const uint8_t* row(uint32_t number) const { return region_.as<uint8_t>() + number * stride_; }
  void encode(const float* from, int8_t* to) const {
    std::memset(to, 0, stride_);
    for (size_t i = 0; i < dim_; ++i) {
      to[i] = static_cast<int8_t>(std::lrint(std::fmax(-127, std::fmin(127, from[i] / scale_))));
    }
  }

  // Dot products of a signed query, whose elements sum to `query_sum`, and rows that lie anywhere.
  void dots(const int8_t* query, int32_t query_sum, std::span<const uint32_t> rows,
            float* out) const {
    const int32_t correction = 128 * query_sum;
    if (simd::kernels().isa == simd::Isa::avx512_vnni) {
      dots_vnni(query, rows, correction, out);
      return;
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      int32_t sum = 0;
      simd::kernels().dot_codes(query, {row(rows[i]), stride_}, stride_, 1, &sum);
      out[i] = static_cast<float>(sum - correction);
    }
  }

 private:
  static constexpr size_t k_ahead = 4;  // rows

  // Clips one element in two thousand.
  static float scale_of(const std::vector<float>& rows) {
    std::vector<float> sizes;
    for (size_t i = 0; i < rows.size(); i += 97) {
      sizes.push_back(std::fabs(rows[i]));
    }
    const size_t place = sizes.size() - sizes.size() / 2000 - 1;
    std::nth_element(sizes.begin(), sizes.begin() + place, sizes.end());
    return sizes[place] / 127;
  }

  void prefetch(uint32_t number) const {
    for (size_t i = 0; i < stride_; i += 64) {
      __builtin_prefetch(row(number) + i);
    }
  }

#if defined(__x86_64__)
  [[gnu::target("avx512f,avx512bw,avx512vnni")]] void dots_vnni(const int8_t* query,
                                                                std::span<const uint32_t> rows,
                                                                int32_t correction,
                                                                float* out) const {
    for (size_t i = 0; i < std::min(k_ahead, rows.size()); ++i) {
      prefetch(rows[i]);
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      if (i + k_ahead < rows.size()) {
        prefetch(rows[i + k_ahead]);
      }
      const uint8_t* codes = row(rows[i]);
      __m512i sum = _mm512_setzero_si512();
      for (size_t at = 0; at < stride_; at += 64) {
        sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(codes + at),
                                  _mm512_loadu_si512(query + at));
      }
      out[i] = static_cast<float>(_mm512_reduce_add_epi32(sum) - correction);
    }
  }
#else
  void dots_vnni(const int8_t*, std::span<const uint32_t>, int32_t, float*) const {}
#endif

  size_t dim_;
  size_t stride_;
  float scale_;
  base::Region region_;
};

class CodeRows final : public index::RowSimilarity {
 public:
  explicit CodeRows(const Codes& codes, uint32_t rows) : codes_(codes), sums_(rows) {
    for (uint32_t row = 0; row < rows; ++row) {
      for (size_t i = 0; i < codes.stride(); ++i) {
        sums_[row] += codes.row(row)[i] - 128;
      }
    }
  }
  void similarities(uint32_t row, std::span<const uint32_t> others, float* out) const override {
    // Eight codes at a time, as the compiler may not know how many a register holds.
    alignas(64) uint64_t query[512];
    for (size_t i = 0; i < codes_.stride() / 8; ++i) {
      uint64_t eight = 0;
      std::memcpy(&eight, codes_.row(row) + 8 * i, 8);
      query[i] = eight ^ 0x8080808080808080U;
    }
    codes_.dots(reinterpret_cast<const int8_t*>(query), sums_[row], others, out);
    evaluations_.fetch_add(others.size(), std::memory_order_relaxed);
  }
  uint64_t evaluations() const { return evaluations_; }

 private:
  const Codes& codes_;
  std::vector<int32_t> sums_;
  mutable std::atomic<uint64_t> evaluations_{0};
};

class CodeQuery final : public index::QuerySimilarity {
 public:
  CodeQuery(const Codes& codes, const float* query) : codes_(codes), query_(codes.stride()) {
    codes.encode(query, query_.data());
    for (const int8_t element : query_) {
      sum_ += element;
    }
  }
  void similarities(std::span<const uint32_t> rows, float* out) const override {
    codes_.dots(query_.data(), sum_, rows, out);
  }

 private:
  const Codes& codes_;
  std::vector<int8_t> query_;
  int32_t sum_ = 0;
};

// Admits the rows of a list.
class RowSet final : public index::RowFilter {
 public:
  RowSet(uint32_t rows, std::span<const uint32_t> admitted) : bits_((rows + 63) / 64) {
    for (const uint32_t row : admitted) {
      bits_[row / 64] |= uint64_t{1} << (row % 64);
    }
  }
  uint64_t admitted(std::span<const uint32_t> rows) const override {
    uint64_t mask = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      mask |= ((bits_[rows[i] / 64] >> (rows[i] % 64)) & 1) << i;
    }
    return mask;
  }

 private:
  std::vector<uint64_t> bits_;
};

}  // namespace asyncstore::bench
