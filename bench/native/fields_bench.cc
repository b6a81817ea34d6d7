// Measures native/fields: building indexes, changing them, answers, writing and loading.
//
//   fields_bench [POINTS]
//
// Times of answers are the best of several, of one thread.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "fields/field_file.h"
#include "fields/field_index.h"
#include "fields/geo_cell.h"
#include "fields/keys.h"
#include "io/storage.h"

using namespace asyncstore;
using fields::FieldBuilder;
using fields::FieldIndex;
using fields::Kind;
using fields::Values;

namespace {

constexpr double k_shares[] = {0.001, 0.01, 0.1, 0.5, 0.9};

// Of the processor, which other processes make longer by far less. Nothing here waits but write().
double now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double seconds_of(const std::function<void()>& work) {
  const double begin = now();
  work();
  return now() - begin;
}

double best_of(int times, const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < times; ++i) {
    best = std::min(best, seconds_of(work));
  }
  return best;
}

class Random {
 public:
  uint64_t below(uint64_t limit) { return random_() % limit; }
  double unit() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

 private:
  std::mt19937_64 random_{7};
};

// One way to fill a field, and tests that a share of the points passes.
struct Subject {
  const char* name;
  Kind kind;
  std::function<void(Random&, Values&)> draw;
  std::function<filter::Test(double share)> test;
};

filter::Test integers_below(double limit) {
  return filter::NumberRange{{{}, {}, static_cast<int64_t>(limit), {}}};
}

filter::Test words_below(uint64_t words) {
  std::vector<filter::Scalar> scalars;
  for (uint64_t i = 0; i < words; ++i) {
    scalars.emplace_back("word " + std::to_string(i));
  }
  return filter::MatchAny{filter::ValueSet(scalars)};
}

std::vector<Subject> subjects(uint64_t points) {
  const auto count = static_cast<double>(points);
  const auto word = [](uint64_t number, Values& values) {
    values.terms.push_back("word " + std::to_string(number));
  };
  const auto integer = [](uint64_t number, Values& values) {
    values.keys.push_back(fields::key_of(static_cast<int64_t>(number)));
  };
  return {
      {"keyword, 1,000 terms", Kind::keyword,
       [=](Random& random, Values& values) { word(random.below(1000), values); },
       [](double share) { return words_below(static_cast<uint64_t>(share * 1000)); }},
      {"keyword, each its own", Kind::keyword,
       [=](Random& random, Values& values) { word(random.below(points), values); },
       [=](double share) { return words_below(static_cast<uint64_t>(share * count)); }},
      {"integer, 1,000 values", Kind::integer,
       [=](Random& random, Values& values) { integer(random.below(1000), values); },
       [](double share) { return integers_below(share * 1000); }},
      {"integer, each its own", Kind::integer,
       [=](Random& random, Values& values) { integer(random.below(points), values); },
       [=](double share) { return integers_below(share * count); }},
      {"float", Kind::real,
       [](Random& random, Values& values) { values.keys.push_back(fields::key_of(random.unit())); },
       [](double share) { return filter::NumberRange{{{}, {}, share, {}}}; }},
      {"geo, circles", Kind::geo,
       [](Random& random, Values& values) {
         const double lat = std::asin(2 * random.unit() - 1) * 57.29577951308232;
         values.keys.push_back(fields::key_of({random.unit() * 360 - 180, lat}));
       },
       // The part of a sphere within an angle of a place is (1 - cos angle) / 2.
       [](double share) {
         return filter::GeoRadius{{13.4, 52.5}, 6371008.8 * std::acos(1 - 2 * share)};
       }},
  };
}

std::vector<Values> draw(const Subject& subject, uint64_t points, Random& random) {
  std::vector<Values> all(points, fields::values_of_nothing());
  for (Values& values : all) {
    values.flags = fields::Flags(1);
    subject.draw(random, values);
  }
  return all;
}

void measure_answers(const Subject& subject, const FieldIndex& index, uint32_t points) {
  for (const double share : k_shares) {
    const filter::Test test = subject.test(share);
    uint64_t sure = 0;
    uint64_t possible = 0;
    const double seconds = best_of(7, [&] {
      const auto answer = index.answer(test, points);
      sure = answer->sure.count();
      possible = answer->possible.count();
    });
    std::printf("  %5.1f %%  %8.3f ms   %llu sure, %llu unsure\n", share * 100, seconds * 1e3,
                static_cast<unsigned long long>(sure),
                static_cast<unsigned long long>(possible - sure));
  }
}

void measure_file(FieldIndex& index) {
  const auto storage = io::make_posix_storage();
  const auto path = (std::filesystem::temp_directory_path() / "fields_bench.field").string();
  index.begin_snapshot();
  const double write = seconds_of([&] { ASSERT(index.write(*storage, path, 1, 1).ok()); });
  index.end_snapshot();
  std::vector<fields::LoadedField> loaded;  // freed after the measurement
  const double load = best_of(3, [&] {
    auto field = fields::load_field(*storage, path, 1);
    ASSERT(field.ok());
    loaded.push_back(std::move(field.value()));
  });
  std::printf("  write %.0f ms, load %.0f ms, file %.1f MB\n", write * 1e3, load * 1e3,
              static_cast<double>(std::filesystem::file_size(path)) / 1e6);
  std::filesystem::remove(path);
}

void measure(const Subject& subject, uint64_t points) {
  Random random;
  const std::vector<Values> all = draw(subject, points, random);
  const fields::Schema schema{payload::Path::parse("a").value(), "a", subject.kind};
  std::printf("%s\n", subject.name);

  std::unique_ptr<FieldIndex> index;
  const double build = seconds_of([&] {
    FieldBuilder builder(schema);
    for (uint32_t slot = 0; slot < points; ++slot) {
      builder.set(slot, all[slot]);
    }
    index = builder.build();
  });
  FieldIndex single(schema);
  const double set = seconds_of([&] {
    for (uint32_t slot = 0; slot < points; ++slot) {
      single.set(slot, all[slot]);
    }
  });
  const double change = seconds_of([&] {
    for (uint64_t i = 0; i < points; ++i) {
      single.set(static_cast<uint32_t>(random.below(points)), all[random.below(points)]);
    }
  });
  const auto count = static_cast<double>(points);
  std::printf("  build %.2f s, set %.2f us, change %.2f us, %.1f bytes a point\n", build,
              set / count * 1e6, change / count * 1e6,
              static_cast<double>(index->ram_bytes()) / count);
  measure_answers(subject, *index, static_cast<uint32_t>(points));
  if (fields::has_counts(schema)) {
    std::printf("  counts of all values %.2f ms\n",
                best_of(3, [&] {
                  fields::ValueCounter counter(nullptr, 10);
                  while (index->count(counter) || counter.sort()) {
                  }
                }) * 1e3);
  }
  measure_file(*index);
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t points = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  for (const Subject& subject : subjects(points)) {
    measure(subject, points);
  }
  return 0;
}
