// The tokens of one or several strings that count as one text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/analyzer.h"
#include "text/query.h"

namespace asyncstore::text {

// The words of a string come behind those of the string before. Not thread-safe.
class Document {
 public:
  explicit Document(Analyzer analyzer) : analyzer_(std::move(analyzer)) {}

  void add(std::string_view text);

  // Ascending, each once; the document has none any more.
  std::vector<std::string> take_tokens();
  // Whether the query finds it; one without tokens finds nothing. They have the same analyzer.
  bool has(const Query& query) const;

 private:
  bool has_word(size_t word, const std::string& token) const;
  bool has_phrase(const std::vector<std::string>& phrase) const;

  Analyzer analyzer_;
  std::vector<std::string> tokens_;  // in order
  std::vector<size_t> words_;        // where the tokens of each begin
};

}  // namespace asyncstore::text
