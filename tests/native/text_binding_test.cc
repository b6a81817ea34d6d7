#include "engine/text_binding.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace asyncstore;
using engine::bind_texts;
using engine::FieldIndexes;
using filter::Condition;
using filter::FieldCondition;
using filter::Filter;
using filter::MatchText;
using filter::MatchTokens;
using filter::Test;

namespace {

payload::Path path_of(const std::string& text) {
  return payload::Path::parse(text).value();
}

void add_text_index(FieldIndexes& indexes, const std::string& key) {
  fields::Schema schema{path_of(key), key, fields::Kind::text};
  schema.analyzer = text::Analyzer::make({}).value();
  indexes.create({std::move(schema), {}});
}

Condition condition_on(const std::string& key, MatchText::Kind kind = MatchText::Kind::whole) {
  return {FieldCondition{path_of(key), {filter::IsNull{}, MatchText{kind, "A b", {"A", "b"}}}}};
}

const Test& test_of(const Condition& condition) {
  return std::get<FieldCondition>(condition.is).tests.at(1);
}

bool is_bound(const Condition& condition) {
  return std::holds_alternative<MatchTokens>(test_of(condition));
}

}  // namespace

TEST_CASE("text binding: on fields with an index of text, in every clause") {
  FieldIndexes indexes;
  indexes.create({{path_of("k"), "k", fields::Kind::keyword}, {}});
  add_text_index(indexes, "a.t");
  Filter filter{{condition_on("a.t")}, {condition_on("a.t")}, {condition_on("a.t")}, {}};
  filter.min_should = filter::MinShould{{condition_on("a.t")}, 1};
  filter.must.push_back(condition_on("k"));
  filter.must.push_back(condition_on("a.t[]"));
  filter.must.push_back({Filter{{condition_on("a.t")}, {}, {}, {}}});
  bind_texts(filter, indexes);
  CHECK(is_bound(filter.must[0]));
  CHECK(is_bound(filter.should[0]));
  CHECK(is_bound(filter.must_not[0]));
  CHECK(is_bound(filter.min_should->conditions[0]));
  CHECK(!is_bound(filter.must[1]));
  CHECK(!is_bound(filter.must[2]));
  CHECK(is_bound(std::get<Filter>(filter.must[3].is).must[0]));
}

TEST_CASE("text binding: kinds of matches become kinds of queries, but for prefixes") {
  using Kind = MatchText::Kind;
  FieldIndexes indexes;
  add_text_index(indexes, "t");
  const std::vector<std::pair<Kind, text::Query::Kind>> kinds = {
      {Kind::whole, text::Query::Kind::all},
      {Kind::any, text::Query::Kind::any},
      {Kind::phrase, text::Query::Kind::phrase}};
  for (const auto& [given, wanted] : kinds) {
    Filter filter{{condition_on("t", given)}, {}, {}, {}};
    bind_texts(filter, indexes);
    REQUIRE(is_bound(filter.must[0]));
    const auto& query = std::get<MatchTokens>(test_of(filter.must[0]));
    CHECK(query.kind == wanted);
    CHECK(query.tokens == std::vector<std::string>{"a", "b"});
  }
  Filter prefix{{condition_on("t", Kind::prefix)}, {}, {}, {}};
  bind_texts(prefix, indexes);
  CHECK(!is_bound(prefix.must[0]));
}

TEST_CASE("text binding: nested conditions by the whole path") {
  FieldIndexes indexes;
  add_text_index(indexes, "a[].b[].t");
  const auto bound = [&](const char* outer, const char* inner, const char* key) {
    const filter::Nested within{path_of(inner), Filter{{condition_on(key)}, {}, {}, {}}};
    Filter filter{{{filter::Nested{path_of(outer), Filter{{{within}}, {}, {}, {}}}}}, {}, {}, {}};
    filter.must.push_back(condition_on("a[].b[].t"));
    bind_texts(filter, indexes);
    CHECK(is_bound(filter.must[1]));  // the path begins anew behind a nested condition
    const auto& found = std::get<filter::Nested>(filter.must[0].is).filter.must[0];
    return is_bound(std::get<filter::Nested>(found.is).filter.must[0]);
  };
  CHECK(bound("a", "b", "t"));
  CHECK(bound("a[]", "b[]", "t"));
  CHECK(!bound("a[0]", "b", "t"));
  CHECK(!bound("a", "c", "t"));
  CHECK(!bound("a", "b", "t[]"));
}

TEST_CASE("text binding: filters are remembered by what they mean") {
  const auto key_with = [](const FieldIndexes& indexes, const char* path) {
    Filter filter{{condition_on(path)}, {}, {}, {}};
    filter.key = "key";
    bind_texts(filter, indexes);
    return filter.key;
  };
  FieldIndexes indexes;
  CHECK(key_with(indexes, "t") == "key");
  add_text_index(indexes, "t");
  const std::string first = key_with(indexes, "t");
  CHECK(first != "key");
  CHECK(key_with(indexes, "t") == first);
  CHECK(key_with(indexes, "other") == "key");
  indexes.drop("t");
  add_text_index(indexes, "t");
  CHECK(key_with(indexes, "t") != first);
  Filter unknown{{condition_on("t")}, {}, {}, {}};
  bind_texts(unknown, indexes);
  CHECK(unknown.key.empty());
}
