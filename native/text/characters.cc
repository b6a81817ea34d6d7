#include "text/characters.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.h"

namespace asyncstore::text {

namespace {

constexpr char32_t k_ascii_end = 0x80;
constexpr char32_t k_replacement = 0xFFFD;

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return static_cast<unsigned char>(byte) < k_ascii_end; });
}

bool is_ascii_letter(char32_t character) {
  const char32_t lower = character | 0x20;
  return lower >= 'a' && lower <= 'z';
}

bool is_ascii_digit(char32_t character) {
  return character >= '0' && character <= '9';
}

bool is_within(char32_t character, char32_t first, char32_t last) {
  return character >= first && character <= last;
}

utf8proc_category_t category_of(char32_t character) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(character));
}

// Whether there is an upper and a lower case of it.
bool is_cased(char32_t character) {
  const utf8proc_category_t category = category_of(character);
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
         category == UTF8PROC_CATEGORY_LT;
}

void append(char32_t character, std::string& text) {
  utf8proc_uint8_t bytes[4];
  const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes);
  ASSERT(size > 0);
  text.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
}

// Whether the next character that is no mark has a case.
bool goes_on_cased(std::string_view rest) {
  while (!rest.empty()) {
    const char32_t next = take_character(rest);
    if (!is_mark(next)) {
      return is_cased(next);
    }
  }
  return false;
}

// Letters of Latin script that are not made of others, by their numbers.
constexpr std::pair<char32_t, const char*> k_folded[] = {
    {U'Æ', "AE"}, {U'Ð', "D"},  {U'Ø', "O"}, {U'Þ', "TH"}, {U'ß', "ss"}, {U'æ', "ae"}, {U'ð', "d"},
    {U'ø', "o"},  {U'þ', "th"}, {U'Đ', "D"}, {U'đ', "d"},  {U'Ħ', "H"},  {U'ħ', "h"},  {U'ı', "i"},
    {U'ĸ', "k"},  {U'Ł', "L"},  {U'ł', "l"}, {U'Ŋ', "N"},  {U'ŋ', "n"},  {U'Œ', "OE"}, {U'œ', "oe"},
    {U'Ŧ', "T"},  {U'ŧ', "t"},  {U'ƒ', "f"}, {U'ẞ', "SS"}};

// Nothing where it has no such form.
const char* own_form(char32_t character) {
  const auto* const found =
      std::lower_bound(std::begin(k_folded), std::end(k_folded), character,
                       [](const auto& entry, char32_t wanted) { return entry.first < wanted; });
  return found != std::end(k_folded) && found->first == character ? found->second : nullptr;
}

void append_folded(char32_t character, std::string& text) {
  constexpr size_t k_parts_max = 32;  // the longest has 18
  constexpr char32_t k_first_accent = 0x300;
  constexpr char32_t k_last_accent = 0x36F;
  utf8proc_int32_t parts[k_parts_max];
  int boundary = 0;
  const auto count = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(character), parts, k_parts_max,
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT), &boundary);
  ASSERT(count >= 0 && static_cast<size_t>(count) <= k_parts_max);
  std::string letters;
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    const auto part = static_cast<char32_t>(parts[i]);
    if (is_within(part, k_first_accent, k_last_accent)) {
      continue;
    }
    const char* form = own_form(part);
    if (form == nullptr && part >= k_ascii_end) {
      append(character, text);
      return;
    }
    if (form == nullptr) {
      append(part, letters);
    } else {
      letters += form;
    }
  }
  text += letters;
}

}  // namespace

char32_t take_character(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < k_ascii_end) {
    text.remove_prefix(1);
    return first;
  }
  utf8proc_int32_t character = 0;
  const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                     static_cast<utf8proc_ssize_t>(text.size()), &character);
  text.remove_prefix(size > 0 ? static_cast<size_t>(size) : 1);
  return size > 0 ? static_cast<char32_t>(character) : k_replacement;
}

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;  // not one that goes on
  }));
}

bool is_alphanumeric(char32_t character) {
  if (character < k_ascii_end) {
    return is_ascii_letter(character) || is_ascii_digit(character);
  }
  const utf8proc_category_t category = category_of(character);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

// Not those that only choose how the character before is drawn, as that of emoji.
bool is_mark(char32_t character) {
  if (character < k_ascii_end) {
    return false;
  }
  const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(character));
  return (property->category == UTF8PROC_CATEGORY_MN ||
          property->category == UTF8PROC_CATEGORY_MC) &&
         !property->ignorable;
}

bool is_white_space(char32_t character) {
  constexpr char32_t k_next_line = 0x85;
  if (character < k_ascii_end) {
    return character == ' ' || is_within(character, '\t', '\r');
  }
  const utf8proc_category_t category = category_of(character);
  return character == k_next_line ||
         (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

bool is_without_spaces(char32_t character) {
  return is_within(character, 0x3005, 0x3007) ||    // 々 〆 〇
         is_within(character, 0x3041, 0x30FF) ||    // Hiragana, Katakana
         is_within(character, 0x31F0, 0x31FF) ||    // Katakana phonetic extensions
         is_within(character, 0x3400, 0x4DBF) ||    // CJK unified ideographs, extension A
         is_within(character, 0x4E00, 0x9FFF) ||    // CJK unified ideographs
         is_within(character, 0xF900, 0xFAFF) ||    // CJK compatibility ideographs
         is_within(character, 0xFF66, 0xFF9D) ||    // Katakana of half width
         is_within(character, 0x1B000, 0x1B16F) ||  // Kana supplement and extensions
         is_within(character, 0x20000, 0x3FFFF);    // the ideographic planes
}

std::string lowercase(std::string_view text) {
  constexpr char32_t k_dotted_capital_i = 0x130;
  constexpr char32_t k_dot_above = 0x307;
  constexpr char32_t k_capital_sigma = 0x3A3;
  constexpr char32_t k_final_sigma = 0x3C2;
  std::string lower;
  lower.reserve(text.size());
  bool follows_cased = false;
  while (!text.empty()) {
    const char32_t character = take_character(text);
    if (character < k_ascii_end) {
      const bool upper = is_within(character, 'A', 'Z');
      lower.push_back(static_cast<char>(upper ? character | 0x20 : character));
      follows_cased = is_ascii_letter(character);
      continue;
    }
    if (character == k_capital_sigma && follows_cased && !goes_on_cased(text)) {
      append(k_final_sigma, lower);
    } else if (character == k_dotted_capital_i) {
      append('i', lower);
      append(k_dot_above, lower);
    } else {
      append(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character))),
             lower);
    }
    follows_cased = is_mark(character) ? follows_cased : is_cased(character);
  }
  return lower;
}

std::string folded_to_ascii(std::string_view text) {
  if (is_ascii(text)) {
    return std::string(text);
  }
  std::string folded;
  while (!text.empty()) {
    const char32_t character = take_character(text);
    if (character < k_ascii_end) {
      folded.push_back(static_cast<char>(character));
    } else {
      append_folded(character, folded);
    }
  }
  return folded;
}

std::string unicode_version() {
  return utf8proc_unicode_version();
}

}  // namespace asyncstore::text
