#include "simd/kernels.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

using namespace asyncstore::simd;

namespace {

constexpr size_t k_dim_max = 65536;

// Memory whose last byte lies before a page that may not be touched, so that an overread faults.
template <class Element>
class Guarded {
 public:
  explicit Guarded(size_t count) : count_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    usable_bytes_ = (count * sizeof(Element) + page - 1) / page * page;
    mapped_bytes_ = usable_bytes_ + page;
    base_ = static_cast<std::byte*>(
        mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(base_ != MAP_FAILED);
    REQUIRE(mprotect(base_ + usable_bytes_, page, PROT_NONE) == 0);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(base_, mapped_bytes_); }

  // The last `count` elements; for most counts not aligned to a register.
  Element* last(size_t count) {
    REQUIRE(count <= count_);
    return reinterpret_cast<Element*>(base_ + usable_bytes_) - count;
  }

 private:
  size_t count_;
  size_t usable_bytes_ = 0;
  size_t mapped_bytes_ = 0;
  std::byte* base_ = nullptr;
};

std::vector<size_t> tested_dims() {
  std::vector<size_t> dims(130);
  std::iota(dims.begin(), dims.end(), size_t{1});
  dims.insert(dims.end(), {383, 384, 385, 1000, 4096, 65536});
  return dims;
}

std::span<const Kernels* const> tables_beside_scalar() {
  return supported_kernels().subspan(1);
}
const Kernels& scalar() {
  return *supported_kernels().front();
}

// Values as vectors have, and values at the edges of float32.
enum class Values { normal, wide, extreme };

float draw(std::mt19937_64& random, Values values) {
  constexpr float edges[] = {0.0F,      -0.0F,      FLT_MAX,   -FLT_MAX, FLT_MIN,  -FLT_MIN,
                             0x1p-149F, -0x1p-149F, 0x1p-130F, 1.0F,     -1e18F,   1e18F,
                             65504.0F,  65519.996F, 65520.0F,  0x1p-24F, 0x1p-25F, 127.5F};
  std::normal_distribution<float> normal;
  switch (values) {
    case Values::normal:
      return normal(random);
    case Values::wide:
      return std::ldexp(normal(random), static_cast<int>(random() % 60) - 30);
    case Values::extreme:
      return edges[random() % std::size(edges)];
  }
  return 0;
}

// Equality of bits, except that any NaN equals any other: from finite elements a NaN arises only by
// overflow, and then its sign depends on the machine.
bool same(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

// One query and rows of every kind, each ending at a guard page.
struct Rows {
  static constexpr size_t k_count = 7;  // more than any kernel takes at a time, and odd
  static constexpr size_t k_range_bytes = 2 * sizeof(float);

  Guarded<float> query{k_dim_max};
  Guarded<float> f32{k_dim_max};
  Guarded<uint16_t> f16{k_dim_max};
  Guarded<int8_t> query_codes{k_dim_max};
  Guarded<uint8_t> codes{k_count * k_dim_max};
  Guarded<uint8_t> ranged{k_count * (k_dim_max + k_range_bytes)};  // with offset and scale

  void fill(size_t dim, Values values, uint64_t seed) {
    std::mt19937_64 random(seed);
    for (size_t i = 0; i < dim; ++i) {
      query.last(dim)[i] = draw(random, values);
      f32.last(dim)[i] = draw(random, values);
      const bool extreme = values == Values::extreme;
      query_codes.last(dim)[i] = static_cast<int8_t>(
          extreme ? (random() % 2 == 0 ? 127 : -127) : static_cast<int>(random() % 255) - 127);
      for (size_t row = 0; row < k_count; ++row) {
        codes.last(k_count * dim)[row * dim + i] =
            static_cast<uint8_t>(extreme ? 255 * (random() % 2) : random());
      }
    }
    scalar().f32_to_f16(f32.last(dim), dim, f16.last(dim));
    for (size_t row = 0; row < k_count; ++row) {
      const float range[] = {draw(random, values), std::fabs(draw(random, values))};
      uint8_t* code = ranged.last(k_count * (dim + k_range_bytes)) + row * (dim + k_range_bytes);
      std::memcpy(code, codes.last(k_count * dim) + row * dim, dim);
      std::memcpy(code + dim, range, sizeof range);
    }
  }
  CodeRows last_codes(size_t dim, size_t count) { return {codes.last(count * dim), dim}; }
  CodeRows last_ranged(size_t dim, size_t count) {
    return {ranged.last(count * (dim + k_range_bytes)), dim + k_range_bytes};
  }
};

// Rows in no order, one of them twice.
constexpr uint32_t k_numbers[] = {4, 0, 6, 6, 1, 2, 5, 3};
CodeRows numbered(CodeRows rows) {
  rows.numbers = k_numbers;
  return rows;
}

template <class Check>
void for_each_case(Check check) {
  Rows rows;
  for (const size_t dim : tested_dims()) {
    for (const Values values : {Values::normal, Values::wide, Values::extreme}) {
      rows.fill(dim, values, dim * 3 + static_cast<size_t>(values));
      CAPTURE(dim);
      CAPTURE(static_cast<int>(values));
      check(rows, dim);
    }
  }
}

}  // namespace

TEST_CASE("kernels: the first table is scalar, and the chosen one is supported") {
  const auto tables = supported_kernels();
  REQUIRE(!tables.empty());
  CHECK(tables.front()->isa == Isa::scalar);
  CHECK(std::find(tables.begin(), tables.end(), &kernels()) != tables.end());
}

TEST_CASE("kernels: distances of every instruction set have the bits of the scalar ones") {
  for_each_case([](Rows& rows, size_t dim) {
    const float* query = rows.query.last(dim);
    const float* f32 = rows.f32.last(dim);
    const uint16_t* f16 = rows.f16.last(dim);
    const uint8_t* u8 = rows.codes.last(dim);
    for (const Kernels* table : tables_beside_scalar()) {
      CAPTURE(std::string(name(table->isa)));
      for (const auto kernel : {&Kernels::dot_f32, &Kernels::l2_f32, &Kernels::l1_f32}) {
        CHECK(same((table->*kernel)(query, f32, dim), (scalar().*kernel)(query, f32, dim)));
      }
      for (const auto kernel : {&Kernels::dot_f16, &Kernels::l2_f16, &Kernels::l1_f16}) {
        CHECK(same((table->*kernel)(query, f16, dim), (scalar().*kernel)(query, f16, dim)));
      }
      for (const auto kernel : {&Kernels::dot_u8, &Kernels::l2_u8, &Kernels::l1_u8}) {
        CHECK(same((table->*kernel)(query, u8, dim), (scalar().*kernel)(query, u8, dim)));
      }
    }
  });
}

TEST_CASE("kernels: the scalar distances are the mathematical ones, within their rounding") {
  Rows rows;
  for (const size_t dim : tested_dims()) {
    rows.fill(dim, Values::normal, dim);
    const float* query = rows.query.last(dim);
    const float* row = rows.f32.last(dim);
    double dot = 0;
    double dot_magnitude = 0;
    double l2 = 0;
    double l1 = 0;
    for (size_t i = 0; i < dim; ++i) {
      const double difference = static_cast<double>(query[i]) - row[i];
      dot += static_cast<double>(query[i]) * row[i];
      dot_magnitude += std::fabs(static_cast<double>(query[i]) * row[i]);
      l2 += difference * difference;
      l1 += std::fabs(difference);
    }
    // Each term passes dim / 32 additions of its lane, five of the tree and at most three roundings
    // of its own, each off by at most 2^-24 of what it rounds.
    const double roundings = (static_cast<double>(dim) / 32 + 10) * 0x1p-24;
    CAPTURE(dim);
    CHECK(std::fabs(scalar().dot_f32(query, row, dim) - dot) <= roundings * dot_magnitude);
    CHECK(std::fabs(scalar().l2_f32(query, row, dim) - l2) <= roundings * l2);
    CHECK(std::fabs(scalar().l1_f32(query, row, dim) - l1) <= roundings * l1);
  }
}

TEST_CASE("kernels: code sums are exact, for any count of rows and in any order") {
  for_each_case([](Rows& rows, size_t dim) {
    const int8_t* query = rows.query_codes.last(dim);
    const auto check = [&](const CodeRows& given, size_t count) {
      const uint8_t* code = given.row(count - 1);
      for (const Kernels* table : supported_kernels()) {
        Guarded<int32_t> sums(count);
        Guarded<int32_t> pairs(count);
        table->dot_codes(query, given, dim, count, sums.last(count));
        table->dot_code_pairs(code, given, dim, count, pairs.last(count));
        CAPTURE(std::string(name(table->isa)));
        for (size_t row = 0; row < count; ++row) {
          int64_t sum = 0;
          int64_t pair = 0;
          for (size_t i = 0; i < dim; ++i) {
            sum += int64_t{query[i]} * given.row(row)[i];
            pair += (int64_t{code[i]} - 128) * given.row(row)[i];
          }
          CHECK(sums.last(count)[row] == sum);
          CHECK(pairs.last(count)[row] == pair);
        }
      }
    };
    for (const size_t count : {size_t{1}, size_t{2}, size_t{4}, Rows::k_count}) {
      check(rows.last_codes(dim, count), count);
    }
    check(numbered(rows.last_codes(dim, Rows::k_count)), std::size(k_numbers));
  });
}

TEST_CASE("kernels: packed code sums are exact, for any count of rows and in any order") {
  for_each_case([](Rows& rows, size_t dim) {
    // All bytes of the codes are taken, so that there are `dim` of them and more elements.
    const size_t code_bytes = dim;
    if (code_bytes * 8 > k_dim_max) {
      return;
    }
    const auto check = [&](unsigned bits, auto kernel, const CodeRows& given, size_t count) {
      const size_t elements = code_bytes * 8 / bits;
      int8_t* query = rows.query_codes.last(elements);
      for (size_t i = 0; i < elements; ++i) {
        query[i] = static_cast<int8_t>(i % 7 == 0 ? 127 : i % 5 == 0 ? -127 : (i * 37 % 255) - 127);
      }
      for (const Kernels* table : supported_kernels()) {
        Guarded<int32_t> sums(count);
        (table->*kernel)(query, given, code_bytes, count, sums.last(count));
        CAPTURE(std::string(name(table->isa)));
        CAPTURE(bits);
        for (size_t row = 0; row < count; ++row) {
          int64_t expected = 0;
          for (size_t i = 0; i < elements; ++i) {
            const unsigned shift = static_cast<unsigned>(i / code_bytes) * bits;
            expected += query[i] * (given.row(row)[i % code_bytes] >> shift & ((1 << bits) - 1));
          }
          CHECK(sums.last(count)[row] == expected);
        }
      }
    };
    for (const auto& [bits, kernel] :
         {std::pair(1U, &Kernels::dot_1bit), std::pair(2U, &Kernels::dot_2bit),
          std::pair(4U, &Kernels::dot_4bit)}) {
      for (const size_t count : {size_t{1}, size_t{4}, Rows::k_count}) {
        check(bits, kernel, rows.last_codes(code_bytes, count), count);
      }
      check(bits, kernel, numbered(rows.last_codes(code_bytes, Rows::k_count)),
            std::size(k_numbers));
    }
  });
}

TEST_CASE("kernels: the largest code sums do not overflow") {
  for (const int8_t element : {int8_t{127}, int8_t{-127}}) {
    const std::vector<int8_t> query(k_dim_max, element);
    const std::vector<uint8_t> codes(k_dim_max, 255);
    const std::vector<uint8_t> code(k_dim_max, element < 0 ? 0 : 255);
    for (const Kernels* table : supported_kernels()) {
      int32_t sum = 0;
      table->dot_codes(query.data(), {codes.data(), k_dim_max}, k_dim_max, 1, &sum);
      CAPTURE(std::string(name(table->isa)));
      CHECK(sum == int64_t{element} * 255 * static_cast<int64_t>(k_dim_max));
      table->dot_code_pairs(code.data(), {codes.data(), k_dim_max}, k_dim_max, 1, &sum);
      CHECK(sum == (int64_t{code[0]} - 128) * 255 * static_cast<int64_t>(k_dim_max));
    }
  }
}

TEST_CASE("kernels: distances over codes have the bits of the scalar ones") {
  for_each_case([](Rows& rows, size_t dim) {
    const float* query = rows.query.last(dim);
    const auto check = [&](const CodeRows& given, size_t count) {
      constexpr size_t k_count_max = std::size(k_numbers);
      const uint8_t* code = given.row(count - 1);
      float expected[3][k_count_max];
      scalar().l1_codes(query, given, dim, count, expected[0]);
      scalar().l2_codes(query, given, dim, count, expected[1]);
      scalar().l1_code_pairs(code, given, dim, count, expected[2]);
      for (const Kernels* table : tables_beside_scalar()) {
        float sums[3][k_count_max];
        table->l1_codes(query, given, dim, count, sums[0]);
        table->l2_codes(query, given, dim, count, sums[1]);
        table->l1_code_pairs(code, given, dim, count, sums[2]);
        CAPTURE(std::string(name(table->isa)));
        for (size_t row = 0; row < count; ++row) {
          CHECK(same(sums[0][row], expected[0][row]));
          CHECK(same(sums[1][row], expected[1][row]));
          CHECK(same(sums[2][row], expected[2][row]));
        }
      }
    };
    for (const size_t count : {size_t{1}, Rows::k_count}) {
      check(rows.last_ranged(dim, count), count);
    }
    check(numbered(rows.last_ranged(dim, Rows::k_count)), std::size(k_numbers));
  });
}

TEST_CASE("kernels: sums of what codes find in their tables have the bits of the scalar ones") {
  for_each_case([](Rows& rows, size_t dim) {
    if (dim > 1000) {
      return;
    }
    std::mt19937_64 random(dim);
    Guarded<float> tables(dim * 256);
    for (size_t i = 0; i < dim * 256; ++i) {
      tables.last(dim * 256)[i] = draw(random, Values::wide);
    }
    const auto check = [&](const CodeRows& given, size_t count) {
      float expected[std::size(k_numbers)];
      scalar().lookup_codes(tables.last(dim * 256), given, dim, count, expected);
      for (const Kernels* table : tables_beside_scalar()) {
        float sums[std::size(k_numbers)];
        table->lookup_codes(tables.last(dim * 256), given, dim, count, sums);
        CAPTURE(std::string(name(table->isa)));
        for (size_t row = 0; row < count; ++row) {
          CHECK(same(sums[row], expected[row]));
        }
      }
    };
    check(rows.last_codes(dim, Rows::k_count), Rows::k_count);
    check(numbered(rows.last_codes(dim, Rows::k_count)), std::size(k_numbers));
  });
}

TEST_CASE("kernels: missing codes of the last group count as zero, not as the offset") {
  const float query = 3;
  const float range[] = {100, 0.5F};  // offset, scale
  uint8_t rows[2][1 + sizeof range] = {{10}, {30}};
  for (auto& row : rows) {
    std::memcpy(row + 1, range, sizeof range);
  }
  for (const Kernels* table : supported_kernels()) {
    float sum = 0;
    table->l1_codes(&query, {rows[0], sizeof rows[0]}, 1, 1, &sum);
    CHECK(sum == 102.0F);
    table->l2_codes(&query, {rows[0], sizeof rows[0]}, 1, 1, &sum);
    CHECK(sum == 102.0F * 102.0F);
    table->l1_code_pairs(rows[1], {rows[0], sizeof rows[0]}, 1, 1, &sum);
    CHECK(sum == 10.0F);
  }
}

TEST_CASE("kernels: codes added to sums are those of the formula, modulo 2^16") {
  std::mt19937 random(9);
  for (size_t count = 0; count < 200; count += count < 70 ? 1 : 13) {
    std::vector<uint8_t> codes(count + 1);
    std::vector<uint16_t> before(count + 1);
    for (size_t i = 0; i <= count; ++i) {
      codes[i] = random() % 3 == 0 ? 0 : static_cast<uint8_t>(random());
      before[i] = static_cast<uint16_t>(random());
    }
    for (const uint16_t factor : {uint16_t{0}, uint16_t{1}, uint16_t{777}, uint16_t{65535}}) {
      std::vector<uint16_t> expected = before;
      for (size_t i = 0; i < count; ++i) {
        const uint32_t added = codes[i] == 0 ? 0 : (uint32_t{codes[i]} * factor >> 8) + 1;
        expected[i] = static_cast<uint16_t>(expected[i] + added);
      }
      for (const Kernels* kernels : supported_kernels()) {
        std::vector<uint16_t> sums = before;
        kernels->add_codes(codes.data(), count, factor, sums.data());
        CHECK(sums == expected);
      }
    }
  }
}

TEST_CASE("kernels: the smallest and the largest element") {
  for_each_case([](Rows& rows, size_t dim) {
    const float* row = rows.f32.last(dim);
    for (const Kernels* table : supported_kernels()) {
      float smallest = 0;
      float largest = 0;
      table->min_max_f32(row, dim, &smallest, &largest);
      CAPTURE(std::string(name(table->isa)));
      CHECK(smallest == *std::min_element(row, row + dim));
      CHECK(largest == *std::max_element(row, row + dim));
      CHECK_FALSE((smallest == 0 && std::signbit(smallest)));
      CHECK_FALSE((largest == 0 && std::signbit(largest)));
    }
  });
}

TEST_CASE("kernels: encoding rounds half to even and clamps, whatever comes") {
  const std::vector<float> row = {0.0F,   0.5F,     1.5F,  2.5F,    253.5F, 254.5F,
                                  255.4F, 256.0F,   1e30F, FLT_MAX, -0.5F,  -1.0F,
                                  -1e30F, -FLT_MAX, -0.0F, 127.5F,  128.5F, 0x1p-149F};
  const std::vector<uint8_t> expected = {0,   0, 2, 2, 254, 254, 255, 255, 255,
                                         255, 0, 0, 0, 0,   0,   128, 128, 0};
  for (const Kernels* table : supported_kernels()) {
    std::vector<uint8_t> codes(row.size());
    table->encode_f32(row.data(), row.size(), 0, 1, codes.data());
    CHECK(codes == expected);
  }
  for_each_case([](Rows& rows, size_t dim) {
    for (const float inverse_scale : {0.0F, 1.0F, 42.5F, 1e-30F, FLT_MAX}) {
      for (const float offset : {0.0F, -3.0F, FLT_MAX, -FLT_MAX}) {
        std::vector<uint8_t> codes(dim);
        scalar().encode_f32(rows.f32.last(dim), dim, offset, inverse_scale, codes.data());
        for (const Kernels* table : tables_beside_scalar()) {
          Guarded<uint8_t> encoded(dim);
          table->encode_f32(rows.f32.last(dim), dim, offset, inverse_scale, encoded.last(dim));
          CAPTURE(std::string(name(table->isa)));
          CHECK(std::memcmp(encoded.last(dim), codes.data(), dim) == 0);
        }
      }
    }
  });
}

TEST_CASE("kernels: the Hadamard transform has the bits of sums and differences, step by step") {
  std::mt19937_64 random(5);
  std::normal_distribution<float> normal;
  for (size_t size = 1; size <= k_dim_max; size *= 2) {
    std::vector<float> values(size);
    for (float& value : values) {
      value = normal(random);
    }
    values[size / 3] = 0;
    std::vector<float> expected = values;
    for (size_t half = 1; half < size; half *= 2) {
      for (size_t i = 0; i < size; ++i) {
        if ((i & half) == 0) {
          const float low = expected[i];
          expected[i] = low + expected[i + half];
          expected[i + half] = low - expected[i + half];
        }
      }
    }
    for (const Kernels* table : supported_kernels()) {
      CAPTURE(name(table->isa));
      CAPTURE(size);
      Guarded<float> guarded(size);
      float* elements = guarded.last(size);
      std::copy(values.begin(), values.end(), elements);
      table->hadamard_f32(elements, size);
      CHECK(std::memcmp(elements, expected.data(), size * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("kernels: one element that is not finite is found wherever it is") {
  constexpr float k_infinity = std::numeric_limits<float>::infinity();
  constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();
  for (const size_t count : {1, 31, 32, 33, 100}) {
    for (const Kernels* table : supported_kernels()) {
      Guarded<float> values(count);
      std::fill_n(values.last(count), count, -FLT_MAX);
      CAPTURE(std::string(name(table->isa)));
      CHECK(table->all_finite(values.last(count), count));
      for (size_t at = 0; at < count; ++at) {
        for (const float bad : {k_infinity, -k_infinity, k_nan, -k_nan}) {
          values.last(count)[at] = bad;
          CHECK_FALSE(table->all_finite(values.last(count), count));
        }
        values.last(count)[at] = -FLT_MAX;
      }
    }
  }
  CHECK(kernels().all_finite(nullptr, 0));
}

TEST_CASE("kernels: every half converts to float and back") {
  std::vector<uint16_t> halves(65536);
  std::iota(halves.begin(), halves.end(), uint16_t{0});
  std::vector<float> expected(halves.size());
  scalar().f16_to_f32(halves.data(), halves.size(), expected.data());
  CHECK(expected[0x3C00] == 1.0F);
  CHECK(expected[0x7BFF] == 65504.0F);
  CHECK(expected[0x0001] == 0x1p-24F);
  CHECK(expected[0xFC00] == -std::numeric_limits<float>::infinity());
  for (const Kernels* table : supported_kernels()) {
    std::vector<float> floats(halves.size());
    std::vector<uint16_t> back(halves.size());
    table->f16_to_f32(halves.data(), halves.size(), floats.data());
    table->f32_to_f16(floats.data(), floats.size(), back.data());
    CAPTURE(std::string(name(table->isa)));
    CHECK(std::memcmp(floats.data(), expected.data(), expected.size() * sizeof(float)) == 0);
    for (size_t i = 0; i < halves.size(); ++i) {
      const bool signalling = (i & 0x7C00) == 0x7C00 && (i & 0x03FF) != 0;
      if (back[i] != (signalling ? (i | 0x0200) : i)) {
        FAIL_CHECK("half ", i, " came back as ", back[i]);
      }
    }
  }
}

TEST_CASE("kernels: floats between halves round to the nearest, halfway to even") {
  std::vector<float> floats;
  for (uint32_t half = 0; half < 0x7C00; ++half) {
    const uint16_t pair[] = {static_cast<uint16_t>(half), static_cast<uint16_t>(half + 1)};
    float ends[2];
    scalar().f16_to_f32(pair, 2, ends);
    const float middle = half == 0x7BFF ? 65520.0F : (ends[0] + ends[1]) / 2;  // exact
    floats.insert(floats.end(),
                  {std::nextafter(middle, 0.0F), middle, std::nextafter(middle, 1e9F)});
  }
  for (const Kernels* table : supported_kernels()) {
    std::vector<uint16_t> halves(floats.size());
    table->f32_to_f16(floats.data(), floats.size(), halves.data());
    CAPTURE(std::string(name(table->isa)));
    for (uint32_t half = 0; half < 0x7C00; ++half) {
      if (halves[3 * half] != half || halves[3 * half + 1] != half + (half & 1) ||
          halves[3 * half + 2] != half + 1) {
        FAIL_CHECK("around the half ", half);
      }
    }
  }
}

TEST_CASE("kernels: conversions of every instruction set equal the scalar ones") {
  for_each_case([](Rows& rows, size_t dim) {
    std::vector<uint8_t> bytes(dim);
    scalar().f32_to_u8(rows.f32.last(dim), dim, bytes.data());
    for (const Kernels* table : supported_kernels()) {
      CAPTURE(std::string(name(table->isa)));
      Guarded<uint8_t> to_bytes(dim);
      table->f32_to_u8(rows.f32.last(dim), dim, to_bytes.last(dim));
      CHECK(std::memcmp(to_bytes.last(dim), bytes.data(), dim) == 0);
      Guarded<uint16_t> to_halves(dim);
      table->f32_to_f16(rows.f32.last(dim), dim, to_halves.last(dim));
      CHECK(std::memcmp(to_halves.last(dim), rows.f16.last(dim), dim * sizeof(uint16_t)) == 0);
      Guarded<float> to_floats(dim);
      table->u8_to_f32(rows.codes.last(dim), dim, to_floats.last(dim));
      CHECK(std::equal(to_floats.last(dim), to_floats.last(dim) + dim, rows.codes.last(dim)));
    }
  });
  const std::vector<float> row = {0.99F, 1.0F, 254.999F, 255.9F, 256.0F, 1e30F, -0.5F, -7.0F};
  const std::vector<uint8_t> expected = {0, 1, 254, 255, 255, 255, 0, 0};
  for (const Kernels* table : supported_kernels()) {
    std::vector<uint8_t> bytes(row.size());
    table->f32_to_u8(row.data(), row.size(), bytes.data());
    CHECK(bytes == expected);
  }
}
