// Scores of rows by their similarities to several examples, and what they are not above.
#include "engine/query_score.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "filter/group_keys.h"

using asyncstore::engine::QueryScore;
using Kind = QueryScore::Kind;

namespace {

float score(const QueryScore& query, std::vector<float> similarities) {
  REQUIRE(similarities.size() == query.examples());
  return query.of(similarities.data());
}

}  // namespace

TEST_CASE("query score: of one example it is the similarity") {
  CHECK(QueryScore().is_similarity());
  CHECK(score({}, {-3.5F}) == -3.5F);
}

TEST_CASE("query score: the nearest example decides the best score") {
  const QueryScore both(Kind::best_score, 2, 3);
  CHECK(score(both, {1, 3, 2}) == doctest::Approx((0.75 + 1) / 2));
  CHECK(score(both, {1, 2, 3}) == doctest::Approx(-(0.75 + 1) / 2));
  CHECK(score(both, {1, 2, 2}) < 0);
  const QueryScore negative(Kind::best_score, 0, 1);
  CHECK(score(negative, {-5}) < 0);
  CHECK(score(negative, {5}) < score(negative, {-5}));
}

TEST_CASE("query score: sums") {
  CHECK(score({Kind::sum_scores, 2, 3}, {1, 2, 4}) == -1);
  const float endless = std::numeric_limits<float>::infinity();
  CHECK(score({Kind::sum_scores, 1, 2}, {-endless, -endless}) == -endless);
}

TEST_CASE("query score: pairs decide a discovery first, the target then") {
  const QueryScore query(Kind::discover, 2, 3);
  CHECK(score(query, {0, 2, 1}) == 1.5F);
  CHECK(score(query, {0, 1, 1}) == 0.5F);
  CHECK(score(query, {0, 1, 2}) == -0.5F);
  CHECK(score(query, {9, 1, 2}) < score(query, {-9, 1, 1}));
  CHECK(score({Kind::discover, 1, 1}, {1}) == 0.75F);
}

TEST_CASE("query score: a context that is met costs nothing") {
  const QueryScore query(Kind::context, 2, 4);
  CHECK(score(query, {2, 1, 5, -5}) == 0);
  CHECK(score(query, {1, 1, 1, 1}) == doctest::Approx(0).epsilon(1e-6));
  CHECK(score(query, {1, 2, 2, 1}) == doctest::Approx(-0.5));
  CHECK(score(query, {1, 3, 1, 2}) < score(query, {1, 2, 1, 2}));
}

TEST_CASE("query score: within bounds of the similarities no score is above that of the bounds") {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> anywhere(-2, 2);
  std::uniform_real_distribution<float> width(0, 1);
  for (const Kind kind :
       {Kind::nearest, Kind::best_score, Kind::sum_scores, Kind::discover, Kind::context}) {
    for (int round = 0; round < 2000; ++round) {
      const uint32_t pairs = 1 + random() % 3;
      const uint32_t examples = kind == Kind::nearest    ? 1
                                : kind == Kind::discover ? 1 + 2 * pairs
                                                         : 2 * pairs;
      const QueryScore query(kind, pairs, examples);
      constexpr size_t k_stride = 3;  // others lie between
      std::vector<float> low(examples * k_stride), high(low), similarities(low);
      for (uint32_t e = 0; e < examples; ++e) {
        low[e * k_stride] = anywhere(random);
        high[e * k_stride] = low[e * k_stride] + width(random);
        std::uniform_real_distribution<float> within(low[e * k_stride], high[e * k_stride]);
        similarities[e * k_stride] = within(random);
      }
      CHECK(query.of(similarities.data(), k_stride) <=
            query.at_most(low.data(), high.data(), k_stride) + 1e-6F);
    }
  }
}

TEST_CASE("group keys: strings and integers at a path, in arrays each by itself") {
  const auto keys = [](std::string_view text, const char* path) {
    auto found = asyncstore::filter::group_keys(asyncstore::base::bytes_of(text),
                                                asyncstore::payload::Path::parse(path).value());
    REQUIRE(found.ok());
    const auto json = asyncstore::filter::group_keys_text(found.value());
    return std::string(reinterpret_cast<const char*>(json.data()), json.size());
  };
  CHECK(keys(R"({"a":"x"})", "a") == R"({"keys":["x"]})");
  CHECK(keys(R"({"a":["x",1,-2,1.0,1e3,true,null,["y"],{"b":3}]})", "a") ==
        R"({"keys":["x",1,-2]})");
  CHECK(keys(R"({"a":[{"b":1},{"b":[2,3]}]})", "a[].b") == R"({"keys":[1,2,3]})");
  CHECK(keys(R"({"a":"x"})", "a[]") == R"({"keys":[]})");
  CHECK(keys(R"({"a":[9223372036854775807,9223372036854775808,"\u00e9\n"]})", "a") ==
        "{\"keys\":[9223372036854775807,\"é\\u000a\"]}");
  CHECK(keys(R"({})", "a") == R"({"keys":[]})");
}
