// Single tokens of JSON text: strings, numbers, true, false, null.
//
// simdjson is not asked about them: it converts numbers, and what it takes for a valid escape
// differs from version to version, while a log must be replayed alike by all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace asyncstore::payload {

// Size of the string token that `text` begins with, both quotes included; 0 if there is none, if it
// is not closed, or if an escape, a surrogate or a control character in it is not valid.
size_t string_token_size(std::string_view text);

// Whether all of `token` is one string, number, true, false or null. UTF-8 is taken for granted.
bool is_scalar_token(std::string_view token);

// The characters of a valid string token, in UTF-8.
std::string decode_string(std::string_view token);
// A string token of `text`, which is UTF-8.
std::string encode_string(std::string_view text);

}  // namespace asyncstore::payload
