// Characters: what they are, and their other forms, by the Unicode Character Database.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace asyncstore::text {

// Takes the first character off the text, which is not empty; a byte that is not part of UTF-8
// comes as U+FFFD.
char32_t take_character(std::string_view& text);
size_t count_characters(std::string_view text);

// A letter or a number (categories L… and N…).
bool is_alphanumeric(char32_t character);
// One that changes the character before it: an accent, a vowel sign (Mn, Mc).
bool is_mark(char32_t character);
// The property White_Space.
bool is_white_space(char32_t character);
// Of a script that is written without spaces: Han, Hiragana, Katakana.
bool is_without_spaces(char32_t character);

// Full mapping to lower case, with the sigma at the end of a word.
std::string lowercase(std::string_view text);
// Letters of Latin script become those of ASCII: what a character is made of by NFKD, without
// accents, where that is ASCII alone, and what is usual for letters that are not made of others (ß,
// ø). Other characters stay.
std::string folded_to_ascii(std::string_view text);

// Of the Unicode Character Database.
std::string unicode_version();

}  // namespace asyncstore::text
