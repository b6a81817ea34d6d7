// What an index of a payload field is made for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "payload/path.h"
#include "text/analyzer.h"

namespace asyncstore::fields {

// Written to disk: numbers stay.
enum class Kind : uint8_t {
  keyword = 0,   // strings
  integer = 1,   // of 64 bits
  real = 2,      // every number that a double reaches
  boolean = 3,   //
  datetime = 4,  // strings that parse_datetime() takes
  uuid = 5,      // strings in the canonical spelling: hyphens, lower case
  geo = 6,       // objects {"lon": …, "lat": …}
  text = 7,      // the tokens of strings
};
inline constexpr uint8_t k_kinds = 8;

struct Schema {
  payload::Path path;
  std::string key;  // the path as the user wrote it
  Kind kind = Kind::keyword;
  // Of integers: whether the index answers for single values, and for ranges.
  bool lookup = true;
  bool range = true;
  std::optional<text::Analyzer> analyzer = std::nullopt;  // of texts, and of them alone

  friend bool operator==(const Schema&, const Schema&) = default;
};

// Whether a string is a term (terms.h).
inline bool is_of_strings(Kind kind) {
  return kind == Kind::keyword || kind == Kind::uuid;
}
// Whether keys are numbers of terms: of strings, or of tokens.
inline bool has_terms(Kind kind) {
  return is_of_strings(kind) || kind == Kind::text;
}

}  // namespace asyncstore::fields
