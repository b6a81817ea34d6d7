#include "engine/index_definition.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

using namespace asyncstore;
using engine::IndexDefinition;
using engine::take_definition;

namespace {

std::vector<std::byte> encoded(const IndexDefinition& definition) {
  base::ByteWriter writer;
  put(writer, definition);
  return std::move(writer.buffer());
}

IndexDefinition text_definition(const std::string& stemmer) {
  fields::Schema schema{payload::Path::parse("a[].b").value(), "a[].b", fields::Kind::text};
  schema.analyzer =
      text::Analyzer::make(
          {.min_token_len = 2, .max_token_len = 9, .stemmer = stemmer, .stopwords = {"the", "of"}})
          .value();
  const base::Bytes params = base::bytes_of(std::string_view(R"({"type":"text"})"));
  return {std::move(schema), {params.begin(), params.end()}};
}

}  // namespace

TEST_CASE("index definition: of text it has the rules of tokens, and is equal by them") {
  const IndexDefinition definition = text_definition("english");
  const auto bytes = encoded(definition);
  base::ByteReader reader(bytes);
  const auto taken = take_definition(reader);
  REQUIRE(taken.has_value());
  CHECK(reader.remaining() == 0);
  CHECK(*taken == definition);
  CHECK(!(*taken == text_definition("german")));
}

TEST_CASE("index definition: cut short, or with rules that there are not, it is none") {
  const auto bytes = encoded(text_definition("english"));
  for (size_t size = 0; size < bytes.size(); ++size) {
    base::ByteReader reader(base::Bytes(bytes).first(size));
    CHECK(!take_definition(reader).has_value());
  }
  // A stemmer of another build.
  auto unknown = bytes;
  const base::Bytes name = base::bytes_of(std::string_view("english"));
  const auto at = std::search(unknown.begin(), unknown.end(), name.begin(), name.end());
  REQUIRE(at != unknown.end());
  *at = std::byte{'E'};
  base::ByteReader reader(unknown);
  CHECK(!take_definition(reader).has_value());
}
