#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "text/document.h"

using namespace asyncstore;
using text::Analyzer;
using text::Document;
using text::Query;
using text::Tokenizer;
using Kind = Query::Kind;

namespace {

bool has(const Analyzer& analyzer, std::initializer_list<std::string_view> strings, Kind kind,
         std::string_view wanted) {
  Document document(analyzer);
  for (const std::string_view one : strings) {
    document.add(one);
  }
  return document.has(Query::of(analyzer, kind, wanted));
}

}  // namespace

TEST_CASE("document: all tokens, any token, tokens in a row") {
  const Analyzer words = Analyzer::make({.stopwords = {"the"}}).value();
  const auto text = {std::string_view("the red fox and the red dog")};
  CHECK(has(words, text, Kind::all, "DOG red"));
  CHECK(!has(words, text, Kind::all, "dog re"));
  CHECK(has(words, text, Kind::any, "cat dog"));
  CHECK(!has(words, text, Kind::any, "cat"));
  CHECK(has(words, text, Kind::phrase, "red dog"));
  CHECK(has(words, text, Kind::phrase, "red"));
  CHECK(has(words, text, Kind::phrase, "and red"));  // stop words do not part
  CHECK(!has(words, text, Kind::phrase, "dog red"));
  CHECK(!has(words, text, Kind::phrase, "red fox red"));
  CHECK(!has(words, text, Kind::phrase, "red dog red"));
}

TEST_CASE("document: a query without tokens finds nothing") {
  const Analyzer words = Analyzer::make({.stopwords = {"the"}}).value();
  for (const Kind kind : {Kind::all, Kind::any, Kind::phrase}) {
    for (const char* wanted : {"", " - ", "the"}) {
      CHECK(!has(words, {"the - fox", ""}, kind, wanted));
    }
    CHECK(!has(words, {}, kind, "fox"));
  }
}

TEST_CASE("document: several strings are one text") {
  const Analyzer words = Analyzer::make({}).value();
  CHECK(has(words, {"red", "fox"}, Kind::all, "fox red"));
  CHECK(has(words, {"a red", "", "fox b"}, Kind::phrase, "red fox"));
  CHECK(!has(words, {"fox", "red"}, Kind::phrase, "red fox"));
}

TEST_CASE("document: a phrase of prefixes finds words that begin with them") {
  const Analyzer prefixes =
      Analyzer::make({.tokenizer = Tokenizer::prefix, .min_token_len = 2}).value();
  CHECK(has(prefixes, {"hello big world"}, Kind::phrase, "bi wor"));
  CHECK(has(prefixes, {"hello", "big world"}, Kind::phrase, "hell big"));
  CHECK(!has(prefixes, {"hello big world"}, Kind::phrase, "he wor"));
  CHECK(has(prefixes, {"hello big world"}, Kind::all, "wor he"));
}

TEST_CASE("document: tokens are taken in order, each once") {
  Document document(Analyzer::make({}).value());
  document.add("b a B");
  document.add("c a");
  CHECK(document.take_tokens() == std::vector<std::string>{"a", "b", "c"});
  CHECK(document.take_tokens().empty());
}
