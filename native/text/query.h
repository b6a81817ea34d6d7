// What is looked for in texts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/analyzer.h"

namespace asyncstore::text {

struct Query {
  enum class Kind : uint8_t {
    all,     // every token is in the text
    any,     // at least one is
    phrase,  // they are in it one behind the other; with prefixes, words begin with them
  };

  static Query of(const Analyzer& analyzer, Kind kind, std::string_view text);

  Kind kind;
  Analyzer analyzer;                // of the texts, too
  std::vector<std::string> tokens;  // of a phrase in order, else ascending, each once
};

}  // namespace asyncstore::text
