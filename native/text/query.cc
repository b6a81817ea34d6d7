#include "text/query.h"

#include <algorithm>

namespace asyncstore::text {

Query Query::of(const Analyzer& analyzer, Kind kind, std::string_view text) {
  std::vector<std::string> tokens = analyzer.tokens_of_query(text);
  if (kind != Kind::phrase) {
    std::sort(tokens.begin(), tokens.end());
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  }
  return {kind, analyzer, std::move(tokens)};
}

}  // namespace asyncstore::text
