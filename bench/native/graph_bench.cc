// Measures native/index: builds a graph over int8 codes of real rows and searches it.
//
//   graph_bench FOLDER [m [ef_construct [copies [threads]]]]
//
// FOLDER holds vectors.f16.npy, queries.f16.npy and neighbors.i32.npy (the exact neighbours of each
// query, nearest first). The recall is the share of the exact 10 nearest that are among the ef
// candidates, which is the recall after rescoring them. With more `copies` than one, further rows
// are mixed from two rows each and some noise, and the exact neighbours are found by a scan.
#include "graph_bench.h"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <random>
#include <thread>

#include "index/graph.h"
#include "index/row_order.h"
#include "index/traversal.h"

using namespace asyncstore;
using namespace asyncstore::bench;
using namespace asyncstore::index;

namespace {

constexpr size_t k_nearest = 10;

double seconds_of(auto&& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return elapsed.count();
}

// Seconds of the processor, which other processes make longer by far less.
double cpu_seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::string machine() {
  char line[256] = {};
  std::FILE* file = std::fopen("/proc/cpuinfo", "r");
  while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, "model name", 10) == 0) {
      std::fclose(file);
      std::string name(std::strchr(line, ':') + 2);
      name.pop_back();
      return name;
    }
  }
  return "unknown";
}

std::vector<float> with_mixtures(std::vector<float> rows, size_t dim, size_t copies) {
  std::mt19937_64 random(7);
  const size_t count = rows.size() / dim;
  std::normal_distribution<float> noise(0, 0.3F / std::sqrt(static_cast<float>(dim)));
  rows.reserve(rows.size() * copies);
  for (size_t made = count; made < count * copies; ++made) {
    const float* a = rows.data() + random() % count * dim;
    const float* b = rows.data() + random() % count * dim;
    std::vector<float> mixed(dim);
    float squared = 0;
    for (size_t i = 0; i < dim; ++i) {
      mixed[i] = a[i] + 0.5F * b[i] + noise(random);
      squared += mixed[i] * mixed[i];
    }
    for (float& value : mixed) {
      value /= std::sqrt(squared);
    }
    rows.insert(rows.end(), mixed.begin(), mixed.end());
  }
  return rows;
}

void measure(const Graph& graph, const std::vector<CodeQuery>& queries,
             const std::vector<std::vector<uint32_t>>& truth, uint32_t ef) {
  LevelWalk walk;
  size_t found = 0;
  size_t found_in_20 = 0;
  double best = 1e9;
  uint64_t evaluations = 0;
  for (int round = 0; round < 3; ++round) {
    found = 0;
    found_in_20 = 0;
    evaluations = walk.evaluations();
    double seconds = 0;
    for (size_t q = 0; q < queries.size(); ++q) {
      const double begin = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
      Traversal traversal(graph, queries[q], nullptr, ef, walk);
      while (!traversal.step(1 << 20)) {
      }
      seconds += cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
      for (uint32_t i = 0; i < walk.nearest().size(); ++i) {
        const uint32_t row = walk.nearest().row(i);
        const size_t hit = std::count(truth[q].begin(), truth[q].end(), row);
        found += hit;
        found_in_20 += i < 20 ? hit : 0;
      }
    }
    best = std::min(best, seconds);
    evaluations = walk.evaluations() - evaluations;
  }
  const double total = static_cast<double>(queries.size());
  std::printf("| %4u | %.4f | %.4f | %6.0f | %6.1f |\n", ef,
              static_cast<double>(found) / total / k_nearest,
              static_cast<double>(found_in_20) / total / k_nearest,
              static_cast<double>(evaluations) / total, best / total * 1e6);
}

// Which rows the filters of the benchmark admit.
enum class Admit : uint8_t {
  random,
  near,   // the rows nearest to the query
  other,  // the rows nearest to some row that has nothing to do with the query
  far,    // the rows farthest from the query
};

const char* name(Admit admit) {
  constexpr std::array k_names = {"random", "near", "other", "far"};
  return k_names[static_cast<size_t>(admit)];
}

std::vector<std::pair<float, uint32_t>> by_distance(const std::vector<float>& rows,
                                                    const float* from, size_t dim) {
  std::vector<std::pair<float, uint32_t>> all(rows.size() / dim);
  for (uint32_t row = 0; row < all.size(); ++row) {
    all[row] = {-simd::kernels().dot_f32(from, rows.data() + row * dim, dim), row};
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<uint32_t> nearest_of(const std::vector<float>& rows, const float* query, size_t dim) {
  const auto all = by_distance(rows, query, dim);
  std::vector<uint32_t> nearest;
  for (size_t i = 0; i < k_nearest; ++i) {
    nearest.push_back(all[i].second);
  }
  return nearest;
}

struct FilteredQuery {
  RowSet filter;
  std::vector<uint32_t> truth;
};

FilteredQuery filtered_query(const std::vector<float>& rows, const float* query, size_t dim,
                             double share, Admit admit, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto by_query = by_distance(rows, query, dim);
  std::vector<uint32_t> order;
  const auto from = admit == Admit::other
                        ? by_distance(rows, rows.data() + random() % by_query.size() * dim, dim)
                        : by_query;
  for (const auto& [distance, row] : from) {
    order.push_back(row);
  }
  if (admit == Admit::random) {
    std::shuffle(order.begin(), order.end(), random);
  } else if (admit == Admit::far) {
    std::reverse(order.begin(), order.end());
  }
  order.resize(static_cast<size_t>(share * static_cast<double>(order.size())));
  FilteredQuery made{RowSet(static_cast<uint32_t>(by_query.size()), order), {}};
  for (size_t i = 0; made.truth.size() < k_nearest; ++i) {
    const uint32_t row = by_query[i].second;
    if (made.filter.admitted({&row, 1}) != 0) {
      made.truth.push_back(row);
    }
  }
  return made;
}

void measure_filters(const Graph& graph, const std::vector<float>& rows, size_t dim,
                     const std::vector<float>& query_rows, const std::vector<CodeQuery>& queries) {
  constexpr size_t k_queries = 50;
  std::printf(
      "| admits | share | ef | recall | evals | checks | µs |\n|---|---|---|---|---|---|---|\n");
  for (const Admit admit : {Admit::random, Admit::near, Admit::other, Admit::far}) {
    for (const double share : {0.9, 0.5, 0.1, 0.03, 0.01}) {
      std::vector<FilteredQuery> filtered;
      for (size_t q = 0; q < k_queries; ++q) {
        filtered.push_back(
            filtered_query(rows, query_rows.data() + q * dim, dim, share, admit, q + 1));
      }
      for (const uint32_t ef : {64U, 128U}) {
        LevelWalk walk;
        size_t found = 0;
        double seconds = 0;
        for (size_t q = 0; q < k_queries; ++q) {
          const double begin = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
          Traversal traversal(graph, queries[q], &filtered[q].filter, ef, walk);
          while (!traversal.step(1 << 20)) {
          }
          seconds += cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
          for (uint32_t i = 0; i < walk.nearest().size(); ++i) {
            found += std::count(filtered[q].truth.begin(), filtered[q].truth.end(),
                                walk.nearest().row(i));
          }
        }
        std::printf("| %-6s | %4.2f | %3u | %.3f | %6.0f | %6.0f | %6.1f |\n", name(admit), share,
                    ef, static_cast<double>(found) / k_queries / k_nearest,
                    static_cast<double>(walk.evaluations()) / k_queries,
                    static_cast<double>(walk.checks()) / k_queries, seconds / k_queries * 1e6);
      }
    }
  }
}

// How many reads the nearest rows of a query take when the rows lie on disk in an order of nearness
// and those less than 8 KiB apart are read together.
void measure_order(const Graph& graph, const CodeRows& similarity, const Npy& neighbors,
                   size_t row_bytes) {
  constexpr size_t k_apart_bytes = 8192;
  std::vector<uint32_t> order(graph.row_count());
  const uint64_t before = similarity.evaluations();
  const double begin = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  if (!order_by_nearness(graph, similarity, {}, order).ok()) {
    std::exit(1);
  }
  std::printf("order of nearness: %.2f s of CPU, %.1f evaluations a row; reads for the",
              cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - begin,
              static_cast<double>(similarity.evaluations() - before) / graph.row_count());
  std::vector<size_t> place(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
  }
  for (const size_t count : {10, 15, 20, 40, 100}) {
    size_t reads = 0;
    for (size_t q = 0; q < neighbors.rows; ++q) {
      const int32_t* nearest = neighbors.ints() + q * neighbors.columns;
      std::vector<size_t> places;
      for (size_t i = 0; i < count; ++i) {
        places.push_back(place[nearest[i]]);
      }
      std::sort(places.begin(), places.end());
      ++reads;
      for (size_t i = 1; i < count; ++i) {
        reads += (places[i] - places[i - 1] - 1) * row_bytes >= k_apart_bytes ? 1 : 0;
      }
    }
    std::printf(" %zu nearest %.1f", count,
                static_cast<double>(reads) / static_cast<double>(neighbors.rows));
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "graph_bench FOLDER [m [ef_construct [copies [threads]]]]\n");
    return 2;
  }
  const auto argument = [&](int i, uint32_t otherwise) {
    return argc > i ? static_cast<uint32_t>(std::atoi(argv[i])) : otherwise;
  };
  const std::string folder = argv[1];
  const Graph::Options options{
      .m = argument(2, 16), .ef_construct = argument(3, 100), .seed = 1, .threads = argument(5, 0)};
  const uint32_t copies = argument(4, 1);
  const Npy vectors(folder + "/vectors.f16.npy");
  const size_t dim = vectors.columns;
  const std::vector<float> rows = with_mixtures(vectors.floats(), dim, copies);
  const auto row_count = static_cast<uint32_t>(rows.size() / dim);
  const Codes codes(rows, dim);

  const CodeRows similarity(codes, row_count);
  std::unique_ptr<Graph> graph;
  const double cpu_before = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  const double seconds = seconds_of([&] {
    auto built = Graph::build(row_count, similarity, options, {});
    if (!built.ok()) {
      std::fprintf(stderr, "%s\n", built.error().message.c_str());
      std::exit(1);
    }
    graph = std::move(built.value());
  });
  const double cpu = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_before;
  uint64_t links = 0;
  const Level level = graph->level(0);
  LinkBuffer buffer;
  for (uint32_t row = 0; row < row_count; ++row) {
    links += level.linked(row, buffer).size();
  }
  std::printf("%s, %u CPUs, kernels %s\n", machine().c_str(), std::thread::hardware_concurrency(),
              simd::name(simd::kernels().isa));
  std::printf(
      "%u rows of %zu, m %u, ef_construct %u: built in %.2f s (%.2f s of CPU), %.0f evaluations a "
      "row, %.1f "
      "bytes a row, %.2f links of %u a row\n",
      row_count, dim, options.m, options.ef_construct, seconds, cpu,
      static_cast<double>(similarity.evaluations()) / row_count,
      static_cast<double>(graph->ram_bytes()) / row_count, static_cast<double>(links) / row_count,
      level.links_max());

  const Npy query_file(folder + "/queries.f16.npy");
  const std::vector<float> query_rows = query_file.floats();
  const Npy neighbors(folder + "/neighbors.i32.npy");
  std::vector<CodeQuery> queries;
  std::vector<std::vector<uint32_t>> truth;
  for (size_t q = 0; q < (copies == 1 ? query_file.rows : size_t{200}); ++q) {
    queries.emplace_back(codes, query_rows.data() + q * dim);
    const int32_t* exact = neighbors.ints() + q * neighbors.columns;
    truth.push_back(copies == 1 ? std::vector<uint32_t>(exact, exact + k_nearest)
                                : nearest_of(rows, query_rows.data() + q * dim, dim));
  }
  std::fflush(stdout);
  std::printf("|   ef | recall | in 20  | evals  |     µs |\n|---|---|---|---|---|\n");
  for (const uint32_t ef : {16, 32, 64, 128, 256, 512}) {
    measure(*graph, queries, truth, ef);
  }
  if (copies == 1) {
    measure_order(*graph, similarity, neighbors, dim * sizeof(float));
    measure_filters(*graph, rows, dim, query_rows, queries);
  }
  return 0;
}
