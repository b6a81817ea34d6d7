// Measures the quantizers on real rows: how often the true neighbours are among the candidates,
// what the error that a code claims is worth, how many rows bounded rescoring reads, and how fast
// codes are scanned.
//
//   quantizer_bench [--data FOLDER] [--queries N] [--kind NAME] [--centroids N] [--euclid]
//
// FOLDER has the files of the sample data: vectors.f16.npy, queries.f16.npy. Rows read and the
// share of queries that find what rescoring a thousand candidates finds are given for several z,
// where a row is read if its estimate and z deviations may reach the tenth score: one by one, each
// against the scores so far, which is the least there is to read; and in waves, the first against
// the estimates alone.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "npy.h"
#include "quantize/factory.h"
#include "quantize/rabitq_quantizer.h"
#include "quantize/scalar_quantizer.h"

using namespace asyncstore;
using quantize::Metric;
using quantize::Quantizer;

namespace {

constexpr size_t k_limit = 10;
constexpr size_t k_candidates = 1000;
constexpr size_t k_block_rows = 64;
constexpr float k_z[] = {1, 1.5F, 2, 2.5F, 3, 3.25F, 3.5F, 4};

struct Data {
  size_t dim = 0;
  std::vector<float> rows;
  std::vector<float> queries;
  std::vector<float> tenths;  // of each query, the similarity of its tenth nearest row
  Metric metric = Metric::dot;

  size_t count() const { return rows.size() / dim; }
  float similarity(const float* query, size_t row) const {
    const auto& kernels = simd::kernels();
    return metric == Metric::dot ? kernels.dot_f32(query, &rows[row * dim], dim)
                                 : -kernels.l2_f32(query, &rows[row * dim], dim);
  }
};

struct Candidate {
  float estimate;
  float deviation;
  float exact;
  uint32_t row;
};

// Of this thread, so that what else runs on the machine counts for less.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// The least of the k_limit largest scores.
float least_of_best(std::vector<float> scores) {
  if (scores.size() < k_limit) {
    return -INFINITY;
  }
  std::nth_element(scores.begin(), scores.begin() + k_limit - 1, scores.end(), std::greater<>());
  return scores[k_limit - 1];
}

struct Reads {
  std::vector<size_t> one_by_one;
  std::vector<size_t> in_waves;
  std::vector<size_t> waves;
  size_t same_one_by_one = 0;
  size_t same_in_waves = 0;
};

void read_one_by_one(const std::vector<Candidate>& candidates, float z, float wanted,
                     Reads& reads) {
  std::vector<float> best;  // a heap of the k_limit largest, the least on top
  size_t read = 0;
  for (const Candidate& candidate : candidates) {
    if (best.size() == k_limit && candidate.estimate + z * candidate.deviation < best.front()) {
      continue;
    }
    ++read;
    best.push_back(candidate.exact);
    std::push_heap(best.begin(), best.end(), std::greater<>());
    if (best.size() > k_limit) {
      std::pop_heap(best.begin(), best.end(), std::greater<>());
      best.pop_back();
    }
  }
  reads.one_by_one.push_back(read);
  reads.same_one_by_one += best.front() == wanted;
}

void read_in_waves(const std::vector<Candidate>& candidates, float z, float wanted, Reads& reads) {
  std::vector<bool> is_read(candidates.size());
  std::vector<float> exact;
  float threshold = candidates[k_limit - 1].estimate;
  size_t waves = 0;
  for (;; ++waves) {
    const size_t before = exact.size();
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (!is_read[i] && candidates[i].estimate + z * candidates[i].deviation >= threshold) {
        is_read[i] = true;
        exact.push_back(candidates[i].exact);
      }
    }
    if (exact.size() == before) {
      break;
    }
    threshold = least_of_best(exact);
  }
  reads.in_waves.push_back(exact.size());
  reads.waves.push_back(waves);
  reads.same_in_waves += threshold == wanted;
}

double mean(const std::vector<size_t>& values) {
  return static_cast<double>(std::accumulate(values.begin(), values.end(), size_t{0})) /
         static_cast<double>(values.size());
}
size_t percentile99(std::vector<size_t> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() * 99 / 100];
}

std::vector<Candidate> preselect(const Data& data, const Quantizer& quantizer,
                                 const std::vector<uint8_t>& codes, const float* query,
                                 std::vector<float>& estimates, double& scan_seconds) {
  const auto encoded = quantizer.encode_query(query);
  const auto begin = cpu_seconds();
  for (size_t row = 0; row < data.count(); row += k_block_rows) {
    quantizer.estimate(*encoded, codes.data() + row * quantizer.code_bytes(),
                       std::min(k_block_rows, data.count() - row), &estimates[row]);
  }
  scan_seconds += (cpu_seconds() - begin);
  std::vector<uint32_t> order(data.count());
  std::iota(order.begin(), order.end(), 0U);
  const auto nearer = [&](uint32_t a, uint32_t b) { return estimates[a] > estimates[b]; };
  std::nth_element(order.begin(), order.begin() + k_candidates, order.end(), nearer);
  order.resize(k_candidates);
  std::sort(order.begin(), order.end(), nearer);
  std::vector<Candidate> candidates;
  for (const uint32_t row : order) {
    const uint8_t* code = codes.data() + row * quantizer.code_bytes();
    candidates.push_back(
        {estimates[row], quantizer.deviation(*encoded, code), data.similarity(query, row), row});
  }
  return candidates;
}

// Errors in deviations, of random rows and of candidates.
struct Calibration {
  std::vector<double> errors;

  void print(const char* what) const {
    double sum = 0;
    double squares = 0;
    double largest = 0;
    size_t beyond[3] = {};
    for (const double error : errors) {
      sum += error;
      squares += error * error;
      largest = std::max(largest, std::fabs(error));
      for (size_t z = 2; z <= 4; ++z) {
        beyond[z - 2] += std::fabs(error) > static_cast<double>(z);
      }
    }
    const auto count = static_cast<double>(errors.size());
    const double average = sum / count;
    std::printf(
        "  error / deviation of %-17s mean %+.3f, std %.3f, beyond 2: %.2f %%, 3: %.3f %%, "
        "4: %.4f %%, largest %.1f\n",
        what, average, std::sqrt(squares / count - average * average),
        100 * static_cast<double>(beyond[0]) / count, 100 * static_cast<double>(beyond[1]) / count,
        100 * static_cast<double>(beyond[2]) / count, largest);
  }
};

void measure(const Data& data, const Quantizer& quantizer, const std::string& name) {
  const auto begin = cpu_seconds();
  std::vector<uint8_t> codes(data.count() * quantizer.code_bytes());
  for (size_t row = 0; row < data.count(); ++row) {
    quantizer.encode(&data.rows[row * data.dim], &codes[row * quantizer.code_bytes()]);
  }
  const double encode_us = (cpu_seconds() - begin) * 1e6 / static_cast<double>(data.count());

  Calibration of_rows;
  Calibration of_candidates;
  size_t found[4] = {};
  constexpr size_t k_rescored[] = {10, 20, 40, 100};
  Reads reads[std::size(k_z)];
  std::vector<float> estimates(data.count());
  double scan_seconds = 0;
  double deviation = 0;
  const size_t queries = data.queries.size() / data.dim;
  std::mt19937_64 random(1);
  for (size_t q = 0; q < queries; ++q) {
    const float* query = &data.queries[q * data.dim];
    const std::vector<Candidate> candidates =
        preselect(data, quantizer, codes, query, estimates, scan_seconds);
    const auto encoded = quantizer.encode_query(query);
    for (int i = 0; i < 100; ++i) {
      const size_t row = random() % data.count();
      const double claimed = quantizer.deviation(*encoded, &codes[row * quantizer.code_bytes()]);
      deviation += claimed;
      of_rows.errors.push_back((static_cast<double>(estimates[row]) - data.similarity(query, row)) /
                               claimed);
    }
    std::vector<float> exact;
    for (const Candidate& candidate : candidates) {
      exact.push_back(candidate.exact);
    }
    for (size_t i = 0; i < 50; ++i) {
      of_candidates.errors.push_back(
          (static_cast<double>(candidates[i].estimate) - candidates[i].exact) /
          candidates[i].deviation);
    }
    const float tenth = data.tenths[q];
    for (size_t i = 0; i < std::size(k_rescored); ++i) {
      found[i] += static_cast<size_t>(
          std::count_if(exact.begin(), exact.begin() + static_cast<ptrdiff_t>(k_rescored[i]),
                        [&](float score) { return score >= tenth; }));
    }
    const float wanted = least_of_best(exact);
    for (size_t i = 0; i < std::size(k_z); ++i) {
      read_one_by_one(candidates, k_z[i], wanted, reads[i]);
      read_in_waves(candidates, k_z[i], wanted, reads[i]);
    }
  }

  std::printf(
      "%s: %u bytes a row; encoding %.1f us a row; scan %.2f ns a row, %.1f GB/s; "
      "mean deviation %.5f\n",
      name.c_str(), quantizer.code_bytes(), encode_us,
      scan_seconds * 1e9 / static_cast<double>(data.count() * queries),
      static_cast<double>(codes.size() * queries) * 1e-9 / scan_seconds,
      deviation / static_cast<double>(of_rows.errors.size()));
  std::printf("  recall@10 of 10 / 20 / 40 / 100 rescored:");
  for (const size_t count : found) {
    std::printf(" %.4f", static_cast<double>(count) / static_cast<double>(k_limit * queries));
  }
  std::printf("\n");
  of_rows.print("random rows:");
  of_candidates.print("50 candidates:");
  std::fflush(stdout);
  std::printf("  rows read, mean (p99), and queries that equal rescoring %zu\n", k_candidates);
  for (size_t i = 0; i < std::size(k_z); ++i) {
    const Reads& read = reads[i];
    std::printf(
        "    z %.2f: one by one %6.1f (%4zu), %4zu; in waves %6.1f (%4zu), %4zu, %.2f waves\n",
        static_cast<double>(k_z[i]), mean(read.one_by_one), percentile99(read.one_by_one),
        read.same_one_by_one, mean(read.in_waves), percentile99(read.in_waves), read.same_in_waves,
        mean(read.waves));
  }
}

std::vector<std::pair<std::string, quantize::Config>> configs() {
  using quantize::Kind;
  std::vector<std::pair<std::string, quantize::Config>> all = {
      {"int8", {.kind = Kind::scalar_int8}}};
  for (const int bits : {8, 4, 2, 1}) {
    all.push_back({"rabitq" + std::to_string(bits),
                   {.kind = Kind::rabitq, .bits = static_cast<uint8_t>(bits)}});
  }
  for (const int encoding : {0, 1, 2}) {
    constexpr const char* names[] = {"binary1", "binary1.5", "binary2"};
    all.push_back(
        {names[encoding],
         {.kind = Kind::binary, .encoding = static_cast<quantize::BinaryEncoding>(encoding)}});
  }
  for (const int compression : {4, 8, 16, 32, 64}) {
    all.push_back({"product" + std::to_string(compression),
                   {.kind = Kind::product, .compression = static_cast<uint8_t>(compression)}});
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = "/work/shared/data";
  std::string kind;
  size_t queries_max = 1000;
  uint32_t centroids = quantize::RabitqQuantizer::k_centroids_trained;
  Data data;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (argument == "--data") {
      folder = value;
    } else if (argument == "--queries") {
      queries_max = std::strtoul(value, nullptr, 10);
    } else if (argument == "--kind") {
      kind = value;
    } else if (argument == "--centroids") {
      centroids = static_cast<uint32_t>(std::strtoul(value, nullptr, 10));
    } else if (argument == "--euclid") {
      data.metric = Metric::euclid;
      continue;
    }
    ++i;
  }
  data.rows = bench::read_halves(folder + "/vectors.f16.npy", &data.dim);
  data.queries = bench::read_halves(folder + "/queries.f16.npy", &data.dim);
  data.queries.resize(std::min(data.queries.size(), queries_max * data.dim));
  const auto dim = static_cast<uint32_t>(data.dim);
  std::vector<float> exact(data.count());
  for (size_t begin = 0; begin < data.queries.size(); begin += data.dim) {
    for (size_t row = 0; row < data.count(); ++row) {
      exact[row] = data.similarity(&data.queries[begin], row);
    }
    data.tenths.push_back(least_of_best(exact));
  }
  const size_t sample = std::min<size_t>(data.rows.size(), size_t{20'000} * data.dim);
  const quantize::Training training{.rows = std::span(data.rows).first(sample), .seed = 1};
  for (const auto& [name, config] : configs()) {
    if (!kind.empty() && kind != name) {
      continue;
    }
    const double begin = cpu_seconds();
    const auto quantizer =
        config.kind == quantize::Kind::rabitq
            ? quantize::RabitqQuantizer::train(dim, data.metric, config.bits, training, centroids)
            : quantize::train(config, dim, data.metric, training);
    std::printf("training: %.2f s\n", cpu_seconds() - begin);
    measure(data, *quantizer, name);
  }
  return 0;
}
