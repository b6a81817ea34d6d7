// What an index of text makes of texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace asyncstore::text {

// Where tokens begin and end. Written to disk: numbers stay.
enum class Tokenizer : uint8_t {
  word = 0,          // runs of letters and numbers, with the marks that belong to them
  whitespace = 1,    // between white space
  prefix = 2,        // as `word`; a token stands for every beginning of it
  multilingual = 3,  // as `word`; a character of a script without spaces is a token of its own
};
inline constexpr uint8_t k_tokenizers = 4;

// A prefix of a token has no more characters: the tokens of a long word would take the square of
// its size.
inline constexpr uint32_t k_prefix_len_max = 128;

struct Parameters {
  Tokenizer tokenizer = Tokenizer::word;
  // Of tokens, in characters. Others are left out; of prefixes, those of these lengths are made.
  uint32_t min_token_len = 0;
  uint32_t max_token_len = UINT32_MAX;
  bool lowercase = true;
  bool ascii_folding = false;               // letters with marks become those without
  std::string stemmer = {};                 // the language of Snowball's stemmer; empty: none
  std::vector<std::string> stopwords = {};  // left out

  friend bool operator==(const Parameters&, const Parameters&) = default;
};

// On disk: u8 tokenizer, u8 flags (1 lowercase, 2 ascii_folding), u32 min_token_len, u32
// max_token_len, stemmer (text), u32 number of stop words, each a text; a text is a u32 size and
// its bytes.
void put(base::ByteWriter& writer, const Parameters& parameters);
// Unset when they do not parse; the reader may be ok().
std::optional<Parameters> take_parameters(base::ByteReader& reader);

}  // namespace asyncstore::text
