// Measures the kernels of native/simd: codes against the bandwidth of memory, rows in the cache.
//
//   kernels_bench [small-pages]
//
// The first table is about scans: how many bytes of codes a second one core compares, beside what a
// loop that only adds 64-bit words reads from the same bytes. Machines are shared and their memory
// with them, so plain reads and kernels alternate within every round, and the ratio is the median
// of the rounds' ratios. The second table is nanoseconds per row of rows that stay in the first
// cache.
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "quantize/scalar_quantizer.h"
#include "simd/kernels.h"

using namespace asyncstore;

namespace {

constexpr size_t k_dim = 384;
constexpr size_t k_block_rows = 64;          // as the engine scans
constexpr size_t k_code_bytes = k_dim + 16;  // with what else int8 codes hold of a row
constexpr size_t k_blocks = (size_t{512} << 20) / (k_code_bytes * k_block_rows);
constexpr size_t k_rows = k_blocks * k_block_rows;
constexpr size_t k_codes_bytes = k_rows * k_code_bytes;
constexpr size_t k_huge_page_bytes = size_t{2} << 20;
constexpr int k_rounds = 15;

volatile uint64_t g_sink;  // keeps results alive

double seconds_of(auto&& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return elapsed.count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Plain reads. Sixteen running sums of eight words leave the loads nothing to wait for.

using Words = uint64_t __attribute__((vector_size(64), aligned(64)));

template <bool prefetch>
[[gnu::always_inline]] inline uint64_t sum_words(const uint8_t* from, size_t size_bytes) {
  Words sums[16] = {};
  const auto* words = reinterpret_cast<const Words*>(from);
  const size_t count = size_bytes / sizeof(Words);
  for (size_t i = 0; i + 16 <= count; i += 16) {
    for (size_t j = 0; j < 16; ++j) {
      if constexpr (prefetch) {
        __builtin_prefetch(reinterpret_cast<const uint8_t*>(words + i + j) + 4096);
      }
      sums[j] += words[i + j];
    }
  }
  uint64_t total = 0;
  for (const Words& sum : sums) {
    for (size_t lane = 0; lane < 8; ++lane) {
      total += sum[lane];
    }
  }
  return total;
}

using Reader = uint64_t (*)(const uint8_t*, size_t);

#if defined(__x86_64__)
[[gnu::target("avx512f,prefer-vector-width=512")]] uint64_t read_avx512(const uint8_t* from,
                                                                        size_t size_bytes) {
  return sum_words<false>(from, size_bytes);
}
[[gnu::target("avx512f,prefer-vector-width=512")]] uint64_t read_avx512_ahead(const uint8_t* from,
                                                                              size_t size_bytes) {
  return sum_words<true>(from, size_bytes);
}
#endif
uint64_t read_baseline(const uint8_t* from, size_t size_bytes) {
  return sum_words<false>(from, size_bytes);
}
uint64_t read_baseline_ahead(const uint8_t* from, size_t size_bytes) {
  return sum_words<true>(from, size_bytes);
}

struct NamedReader {
  const char* name;
  Reader read;
};

std::vector<NamedReader> supported_readers() {
  std::vector<NamedReader> readers = {{"plain read", read_baseline},
                                      {"plain read, prefetching", read_baseline_ahead}};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") != 0) {
    readers.push_back({"plain read, AVX-512", read_avx512});
    readers.push_back({"plain read, AVX-512, prefetching", read_avx512_ahead});
  }
#endif
  return readers;
}

// Scans.

struct Scan {
  uint8_t* codes;
  std::array<int8_t, k_dim> query_codes;
  std::array<float, k_dim> query;
};

Scan make_scan(bool huge_pages) {
  Scan scan;
  const size_t mapped_bytes = k_codes_bytes + 2 * k_huge_page_bytes;
  void* memory =
      mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("mmap");
    std::exit(1);
  }
  if (madvise(memory, mapped_bytes, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0) {
    std::perror("madvise");
  }
  const uintptr_t address = reinterpret_cast<uintptr_t>(memory);
  scan.codes = reinterpret_cast<uint8_t*>((address + k_huge_page_bytes - 1) / k_huge_page_bytes *
                                          k_huge_page_bytes);
  std::mt19937_64 random(1);
  for (size_t i = 0; i < k_codes_bytes; i += sizeof(uint64_t)) {
    const uint64_t word = random();
    std::memcpy(scan.codes + i, &word, sizeof word);
  }
  const float terms[] = {0.01F, 0.01F, 0.01F, 0};
  for (size_t row = 0; row < k_rows; ++row) {
    std::memcpy(scan.codes + row * k_code_bytes + k_dim, terms, sizeof terms);
  }
  std::normal_distribution<float> normal;
  for (size_t i = 0; i < k_dim; ++i) {
    scan.query_codes[i] = static_cast<int8_t>(random() % 255 - 127);
    scan.query[i] = normal(random);
  }
  return scan;
}

simd::CodeRows block_of(const Scan& scan, size_t block) {
  return {scan.codes + block * k_block_rows * k_code_bytes, k_code_bytes};
}

void scan_dot(const simd::Kernels& kernels, const Scan& scan) {
  int32_t sums[k_block_rows];
  uint64_t total = 0;
  for (size_t block = 0; block < k_blocks; ++block) {
    kernels.dot_codes(scan.query_codes.data(), block_of(scan, block), k_dim, k_block_rows, sums);
    total += static_cast<uint64_t>(sums[block % k_block_rows]);
  }
  g_sink = total;
}

void scan_l1(const simd::Kernels& kernels, const Scan& scan) {
  float sums[k_block_rows];
  float total = 0;
  for (size_t block = 0; block < k_blocks; ++block) {
    kernels.l1_codes(scan.query.data(), block_of(scan, block), k_dim, k_block_rows, sums);
    total += sums[block % k_block_rows];
  }
  g_sink = static_cast<uint64_t>(total);
}

void scan_estimates(const quantize::Quantizer& quantizer, const Scan& scan) {
  const auto query = quantizer.encode_query(scan.query.data());
  float similarities[k_block_rows];
  float total = 0;
  for (size_t block = 0; block < k_blocks; ++block) {
    quantizer.estimate(*query, block_of(scan, block).codes, k_block_rows, similarities);
    total += similarities[block % k_block_rows];
  }
  g_sink = static_cast<uint64_t>(total * total);
}

void print_scans(bool huge_pages) {
  const Scan scan = make_scan(huge_pages);
  const quantize::ScalarQuantizer estimator(k_dim, quantize::Metric::dot, 1.0F);

  struct Contender {
    std::string name;
    std::function<void()> run;
    std::vector<double> gb_s = {};
    std::vector<double> ratios = {};
  };
  std::vector<Contender> contenders;
  const std::vector<NamedReader> readers = supported_readers();
  for (const NamedReader& reader : readers) {
    contenders.push_back(
        {reader.name, [&scan, reader] { g_sink = reader.read(scan.codes, k_codes_bytes); }});
  }
  for (const simd::Kernels* table : simd::supported_kernels()) {
    const std::string isa = simd::name(table->isa);
    contenders.push_back({"dot_codes " + isa, [&scan, table] { scan_dot(*table, scan); }});
    contenders.push_back({"l1_codes " + isa, [&scan, table] { scan_l1(*table, scan); }});
  }
  contenders.push_back({"Quantizer::estimate (dot)", [&] { scan_estimates(estimator, scan); }});

  for (int round = 0; round < k_rounds; ++round) {
    double plain_gb_s = 0;
    for (size_t i = 0; i < contenders.size(); ++i) {
      Contender& contender = contenders[i];
      const double gb_s = static_cast<double>(k_codes_bytes) * 1e-9 / seconds_of(contender.run);
      contender.gb_s.push_back(gb_s);
      if (i < readers.size()) {
        plain_gb_s = std::max(plain_gb_s, gb_s);
      } else {
        contender.ratios.push_back(gb_s / plain_gb_s);
      }
    }
  }
  std::printf("%zu MB of codes, %zu dims, %s pages, one core, median of %d rounds\n",
              k_codes_bytes >> 20, k_dim, huge_pages ? "huge" : "small", k_rounds);
  for (const Contender& contender : contenders) {
    std::printf("  %-34s %7.2f GB/s", contender.name.c_str(), median(contender.gb_s));
    if (contender.ratios.empty()) {
      std::printf("\n");
    } else {
      std::printf("  %5.2f of the best plain read\n", median(contender.ratios));
    }
  }
}

// Rows in the cache.

struct Rows {
  static constexpr size_t k_count = 8;  // 12 KiB of float32

  std::vector<float> query = std::vector<float>(k_dim);
  std::vector<float> f32 = std::vector<float>(k_count * k_dim);
  std::vector<uint16_t> f16 = std::vector<uint16_t>(k_count * k_dim);
  std::vector<uint8_t> u8 = std::vector<uint8_t>(k_count * k_dim);
};

double ns_per_row(auto&& kernel) {
  constexpr int k_repeats = 20'000;
  std::vector<double> rounds;
  for (int round = 0; round < k_rounds; ++round) {
    const double seconds = seconds_of([&] {
      for (int repeat = 0; repeat < k_repeats; ++repeat) {
        for (size_t row = 0; row < Rows::k_count; ++row) {
          kernel(row * k_dim);
        }
      }
    });
    rounds.push_back(seconds * 1e9 / (k_repeats * static_cast<double>(Rows::k_count)));
  }
  return median(rounds);
}

template <class Element>
double ns_per_distance(float (*distance)(const float*, const Element*, size_t), const Rows& rows,
                       const std::vector<Element>& elements) {
  float total = 0;
  const double ns =
      ns_per_row([&](size_t at) { total += distance(rows.query.data(), &elements[at], k_dim); });
  g_sink = static_cast<uint64_t>(total * total);
  return ns;
}

void print_rows(const simd::Kernels& kernels, Rows& rows) {
  std::vector<uint8_t> codes(k_dim);
  float low = 0;
  float high = 0;
  const double measured[] = {
      ns_per_distance(kernels.dot_f32, rows, rows.f32),
      ns_per_distance(kernels.l2_f32, rows, rows.f32),
      ns_per_distance(kernels.l1_f32, rows, rows.f32),
      ns_per_distance(kernels.dot_f16, rows, rows.f16),
      ns_per_distance(kernels.dot_u8, rows, rows.u8),
      ns_per_row([&](size_t at) { kernels.min_max_f32(&rows.f32[at], k_dim, &low, &high); }),
      ns_per_row(
          [&](size_t at) { kernels.encode_f32(&rows.f32[at], k_dim, -3.0F, 42.5F, codes.data()); }),
      ns_per_row([&](size_t at) { kernels.f32_to_f16(&rows.f32[at], k_dim, &rows.f16[at]); }),
      ns_per_row([&](size_t at) { g_sink = kernels.all_finite(&rows.f32[at], k_dim); }),
  };
  std::printf("  %-12s", simd::name(kernels.isa));
  for (const double ns : measured) {
    std::printf(" %10.1f", ns);
  }
  std::printf("\n");
}

void print_rows() {
  Rows rows;
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal;
  for (float& value : rows.query) {
    value = normal(random);
  }
  for (size_t i = 0; i < rows.f32.size(); ++i) {
    rows.f32[i] = normal(random);
    rows.u8[i] = static_cast<uint8_t>(random());
  }
  simd::kernels().f32_to_f16(rows.f32.data(), rows.f32.size(), rows.f16.data());
  std::printf("ns per row of %zu dims in the cache\n  %-12s", k_dim, "");
  for (const char* kernel : {"dot_f32", "l2_f32", "l1_f32", "dot_f16", "dot_u8", "min_max",
                             "encode", "f32_to_f16", "all_finite"}) {
    std::printf(" %10s", kernel);
  }
  std::printf("\n");
  for (const simd::Kernels* table : simd::supported_kernels()) {
    print_rows(*table, rows);
  }
}

}  // namespace

int main(int argc, char** argv) {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<size_t>(sched_getcpu()), &here);
  sched_setaffinity(0, sizeof here, &here);
  print_scans(!(argc > 1 && std::string_view(argv[1]) == "small-pages"));
  print_rows();
  return 0;
}
