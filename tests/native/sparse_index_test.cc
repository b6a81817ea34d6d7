// The inverted index of sparse vectors against brute force.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "io/storage.h"
#include "io_temporary_folder.h"
#include "sparse/index.h"
#include "sparse/index_file.h"
#include "sparse/scorer.h"
#include "sparse/sparse_vector.h"

using namespace asyncstore;
using namespace asyncstore::sparse;

namespace {

using Vector = std::map<uint32_t, float>;

// Small enough that tails are gathered, runs merged and windows filled all the time.
constexpr IndexOptions k_small{.tail_elements = 40, .window_rows = 256, .window_elements = 4000};

std::vector<std::byte> stored(const Vector& vector) {
  std::vector<uint32_t> indices;
  std::vector<float> values;
  for (const auto& [index, value] : vector) {
    indices.push_back(index);
    values.push_back(value);
  }
  std::vector<std::byte> bytes(stored_bytes(indices.size()));
  REQUIRE(encode(indices, values, 0, bytes.data()).ok());
  return bytes;
}

struct Draw {
  std::mt19937 random;
  bool negative = false;

  Vector vector(size_t elements) {
    Vector made;
    std::lognormal_distribution<float> weight(0, 1);
    for (size_t i = 0; i < elements; ++i) {
      // Few dimensions in most vectors, many in few.
      const auto dim =
          static_cast<uint32_t>(std::exp(std::uniform_real_distribution<>(0, 7)(random)));
      float value = random() % 20 == 0 ? 0 : weight(random);
      if (negative && random() % 3 == 0) {
        value = -value;
      }
      made[dim] = value;
    }
    return made;
  }
  Query query(size_t elements) {
    Query made;
    for (const auto& [index, value] : vector(elements)) {
      made.indices.push_back(index);
      made.weights.push_back(value);
    }
    return made;
  }
};

struct Truth {
  bool shares = false;
  double score = 0;
};

Truth truth_of(const Query& query, const Vector& vector) {
  Truth truth;
  for (size_t i = 0; i < query.indices.size(); ++i) {
    if (const auto found = vector.find(query.indices[i]); found != vector.end()) {
      truth.shares = true;
      truth.score += query.weights[i] * double{found->second};
    }
  }
  return truth;
}

// Everything that is found of a snapshot, by slot; no live row may be left out that reaches the
// bar.
void check_scores(const Snapshot& snapshot, const std::map<uint32_t, Vector>& vectors,
                  const Query& query, double bar, Scorer& scorer) {
  std::map<uint32_t, uint32_t> seen;
  const auto look = [&](const WindowView& window, double error) {
    for (const auto& [row, score] : scorer.found()) {
      if (!window.is_live(row)) {
        continue;
      }
      const uint32_t slot = window.slot(row);
      REQUIRE(vectors.contains(slot));
      const Truth truth = truth_of(query, vectors.at(slot));
      CHECK(truth.shares);
      CHECK(std::fabs(double{score_of(truth.score)} - double{score}) <= error);
      const Estimate closer = estimate(query, window, row);
      CHECK(std::fabs(truth.score - closer.score) <= closer.error);
      CHECK(closer.error <= error * 1.001);
      ++seen[slot];
    }
  };
  for (const auto& window : snapshot.windows) {
    for (const auto& run : window->runs) {
      const double error = scorer.begin_run(query, *run);
      while (scorer.next_rows(bar)) {
        look(*window, error);
      }
    }
    const double error = scorer.score_tail(query, *window);
    look(*window, error);
  }
  for (const auto& [slot, vector] : vectors) {
    const Truth truth = truth_of(query, vector);
    CHECK(seen[slot] <= 1);
    if (truth.shares && truth.score >= bar) {
      CHECK(seen[slot] == 1);
    }
  }
}

void check_counts(const Snapshot& snapshot, const std::map<uint32_t, Vector>& vectors,
                  const Query& query) {
  std::vector<uint64_t> counts(query.indices.size());
  for (const auto& window : snapshot.windows) {
    window->count_rows(query.indices, counts);
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto having = std::count_if(vectors.begin(), vectors.end(), [&](const auto& one) {
      return one.second.contains(query.indices[i]);
    });
    CHECK(counts[i] == static_cast<uint64_t>(having));
  }
  CHECK(snapshot.live == vectors.size());
}

void check(Index& index, const std::map<uint32_t, Vector>& vectors, Draw& draw, Scorer& scorer) {
  const auto snapshot = index.snapshot();
  CHECK(index.snapshot() == snapshot);
  const Query query = draw.query(1 + draw.random() % 30);
  check_counts(*snapshot, vectors, query);
  check_scores(*snapshot, vectors, query, -std::numeric_limits<double>::infinity(), scorer);
  std::vector<double> scores = {0};
  for (const auto& [slot, vector] : vectors) {
    scores.push_back(truth_of(query, vector).score);
  }
  check_scores(*snapshot, vectors, query, scores[draw.random() % scores.size()], scorer);
}

void write_some(Index& index, std::map<uint32_t, Vector>& vectors, Draw& draw, uint32_t slots,
                size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const auto slot = static_cast<uint32_t>(draw.random() % slots);
    if (draw.random() % 4 == 0) {
      index.remove(slot);
      vectors.erase(slot);
    } else {
      vectors[slot] = draw.vector(draw.random() % 40);
      index.set(slot, stored(vectors[slot]));
    }
  }
}

}  // namespace

TEST_CASE("sparse index: whatever is written, scores and counts are those of brute force") {
  for (const bool negative : {false, true}) {
    for (uint32_t seed = 0; seed < 6; ++seed) {
      CAPTURE(seed);
      CAPTURE(negative);
      Draw draw{std::mt19937(seed), negative};
      Index index(k_small);
      Scorer scorer;
      std::map<uint32_t, Vector> vectors;
      check(index, vectors, draw, scorer);
      for (int round = 0; round < 40; ++round) {
        write_some(index, vectors, draw, 500, draw.random() % 100);
        check(index, vectors, draw, scorer);
      }
    }
  }
}

TEST_CASE("sparse index: merging and coding keep up with what is written, a part at a time") {
  for (uint32_t seed = 0; seed < 4; ++seed) {
    CAPTURE(seed);
    Draw draw{std::mt19937(seed)};
    Index index(k_small);
    Scorer scorer;
    std::map<uint32_t, Vector> vectors;
    for (int round = 0; round < 60; ++round) {
      write_some(index, vectors, draw, 2000, 100);
      size_t uncoded = 0;
      for (const auto& window : index.snapshot()->windows) {
        CHECK(window->runs.size() <= 40);  // as many as come while a window is coded
        const bool is_coded = window->runs.size() == 1 && window->runs.front()->is_coded;
        uncoded += is_coded ? 0 : 1;
      }
      CHECK(uncoded <= 2);  // the one that takes rows, and the one before it
    }
    const auto before = index.snapshot();
    while (index.work(1 + draw.random() % 200)) {
      check(index, vectors, draw, scorer);
    }
    const auto after = index.snapshot();
    REQUIRE(after->windows.size() == before->windows.size());
    for (size_t i = 0; i + 1 < after->windows.size(); ++i) {
      REQUIRE(after->windows[i]->runs.size() == 1);
      CHECK(after->windows[i]->runs.front()->is_coded);
    }
    check_scores(*before, vectors, draw.query(20), 1, scorer);
  }
}

TEST_CASE("sparse index: a snapshot stays as it was, whatever is written after it") {
  Draw draw{std::mt19937(5)};
  Index index(k_small);
  Scorer scorer;
  std::map<uint32_t, Vector> vectors;
  write_some(index, vectors, draw, 300, 400);
  const auto snapshot = index.snapshot();
  const auto then = vectors;
  for (int round = 0; round < 20; ++round) {
    write_some(index, vectors, draw, 300, 100);
    static_cast<void>(index.snapshot());
    const Query query = draw.query(10);
    check_scores(*snapshot, then, query, 1, scorer);
    check_counts(*snapshot, then, query);
  }
}

TEST_CASE("sparse index: rows that are gone take no room in the end") {
  Draw draw{std::mt19937(6)};
  Index index(k_small);
  std::map<uint32_t, Vector> vectors;
  for (int round = 0; round < 200; ++round) {
    write_some(index, vectors, draw, 20, 100);
    static_cast<void>(index.snapshot());
  }
  CHECK(index.snapshot()->windows.size() < 10);
  for (uint32_t slot = 0; slot < 20; ++slot) {
    index.remove(slot);
  }
  CHECK(index.snapshot()->windows.empty());
}

TEST_CASE("sparse index: the extremes of weights") {
  const float largest = std::numeric_limits<float>::max();
  const float least = std::numeric_limits<float>::denorm_min();
  for (const float factor : {1.0F, -1.0F}) {
    Index index(k_small);
    Scorer scorer;
    std::map<uint32_t, Vector> vectors;
    for (uint32_t slot = 0; slot < 600; ++slot) {
      Vector vector = {{1, largest}, {2, least}, {UINT32_MAX, 0}};
      vector[3] = slot % 2 == 0 ? 1.0F : -largest;
      if (slot % 3 == 0) {
        vector.erase(1);
      }
      vectors[slot] = vector;
      index.set(slot, stored(vector));
    }
    const auto snapshot = index.snapshot();
    for (const Query& query :
         {Query{{1}, {1}}, Query{{2}, {1e38}}, Query{{1, 2, 3}, {1e-30, 1, 1}},
          Query{{UINT32_MAX}, {5}}, Query{{1, 2, UINT32_MAX}, {0, 0, 0}}, Query{{7}, {1}}}) {
      Query turned = query;
      for (double& weight : turned.weights) {
        weight *= double{factor};
      }
      check_scores(*snapshot, vectors, turned, -std::numeric_limits<double>::infinity(), scorer);
    }
  }
}

TEST_CASE("sparse index: what is saved is loaded, and can be written to") {
  const io_test::TemporaryFolder folder;
  const auto storage = io::make_posix_storage();
  for (uint32_t seed = 0; seed < 8; ++seed) {
    CAPTURE(seed);
    Draw draw{std::mt19937(seed), seed % 2 == 0};
    Index index(k_small);
    Scorer scorer;
    std::map<uint32_t, Vector> vectors;
    write_some(index, vectors, draw, 700, seed * 200);
    const std::string path = folder.path() + "/" + std::to_string(seed);
    REQUIRE(write_index(*index.snapshot(), *storage, path, 7, 99).ok());
    const bool has_more = vectors.size() > 1;
    auto loaded = load_index(*storage, path, 7, 700);
    REQUIRE(loaded.ok());
    CHECK(loaded.value().lsn == 99);
    Index& again = *loaded.value().index;
    check(again, vectors, draw, scorer);
    write_some(again, vectors, draw, 700, 300);
    check(again, vectors, draw, scorer);
    CHECK_FALSE(load_index(*storage, path, 8, 700).ok());
    if (has_more) {
      CHECK_FALSE(load_index(*storage, path, 7, 1).ok());
    }
  }
}

TEST_CASE("sparse index: a damaged file is refused, wherever it is damaged") {
  const io_test::TemporaryFolder folder;
  const auto storage = io::make_posix_storage();
  Draw draw{std::mt19937(1)};
  Index index(k_small);
  std::map<uint32_t, Vector> vectors;
  write_some(index, vectors, draw, 100, 300);
  const std::string path = folder.path() + "/index";
  REQUIRE(write_index(*index.snapshot(), *storage, path, 7, 99).ok());
  const auto content = io::read_file(*storage, path, UINT32_MAX);
  REQUIRE(content.ok());
  for (int round = 0; round < 200; ++round) {
    auto damaged = content.value();
    damaged[draw.random() % damaged.size()] ^= static_cast<std::byte>(1 + draw.random() % 255);
    REQUIRE(io::replace_file(*storage, path, damaged).ok());
    const auto loaded = load_index(*storage, path, 7, 100);
    REQUIRE_FALSE(loaded.ok());
  }
  REQUIRE(io::replace_file(*storage, path, base::Bytes(content.value()).first(100)).ok());
  CHECK_FALSE(load_index(*storage, path, 7, 100).ok());
}
