#include "python/text_input.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string_view>
#include <utility>
#include <vector>

#include "python/convert.h"

namespace nb = nanobind;

namespace asyncstore::python {

namespace {

text::Tokenizer tokenizer_of(const std::string& name) {
  constexpr std::pair<std::string_view, text::Tokenizer> k_tokenizers[] = {
      {"word", text::Tokenizer::word},
      {"whitespace", text::Tokenizer::whitespace},
      {"prefix", text::Tokenizer::prefix},
      {"multilingual", text::Tokenizer::multilingual}};
  for (const auto& [known, tokenizer] : k_tokenizers) {
    if (known == name) {
      return tokenizer;
    }
  }
  raise(base::invalid_argument("unknown tokenizer '" + name + "'"));
}

}  // namespace

std::optional<text::Analyzer> analyzer_of(const std::string& kind, nb::handle given) {
  if ((kind == "text") == given.is_none()) {
    raise(base::invalid_argument("an index of text has parameters of texts, and no other has"));
  }
  if (given.is_none()) {
    return std::nullopt;
  }
  const auto parts = nb::cast<nb::tuple>(given);
  if (parts.size() != 7) {
    raise(base::invalid_argument("parameters of texts must be a tuple of 7"));
  }
  auto analyzer = text::Analyzer::make({.tokenizer = tokenizer_of(nb::cast<std::string>(parts[0])),
                                        .min_token_len = nb::cast<uint32_t>(parts[1]),
                                        .max_token_len = nb::cast<uint32_t>(parts[2]),
                                        .lowercase = nb::cast<bool>(parts[3]),
                                        .ascii_folding = nb::cast<bool>(parts[4]),
                                        .stemmer = nb::cast<std::string>(parts[5]),
                                        .stopwords = nb::cast<std::vector<std::string>>(parts[6])});
  if (!analyzer.ok()) {
    raise(base::invalid_argument("field_schema." + analyzer.error().message));
  }
  return std::move(analyzer.value());
}

}  // namespace asyncstore::python
