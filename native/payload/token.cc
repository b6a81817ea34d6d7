#include "payload/token.h"

#include <cstdint>

#include "base/assert.h"

namespace asyncstore::payload {
namespace {

constexpr uint32_t k_no_unit = UINT32_MAX;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_high_surrogate(uint32_t unit) {
  return unit >= 0xd800 && unit <= 0xdbff;
}
bool is_low_surrogate(uint32_t unit) {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

// The UTF-16 unit of "\uXXXX" at the front of `text`; k_no_unit if that is not there.
uint32_t escaped_unit(std::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') {
    return k_no_unit;
  }
  uint32_t unit = 0;
  for (size_t i = 2; i < 6; ++i) {
    const char c = text[i];
    const char lower = static_cast<char>(c | 0x20);
    if (!is_digit(c) && (lower < 'a' || lower > 'f')) {
      return k_no_unit;
    }
    unit = unit * 16 + static_cast<uint32_t>(is_digit(c) ? c - '0' : lower - 'a' + 10);
  }
  return unit;
}

// Size of the escape at the front of `text`, a pair of surrogates counted as one; 0 if not valid.
size_t escape_size(std::string_view text) {
  constexpr std::string_view k_short = "\"\\/bfnrt";
  if (text.size() >= 2 && k_short.find(text[1]) != std::string_view::npos) {
    return 2;
  }
  const uint32_t unit = escaped_unit(text);
  if (unit == k_no_unit || is_low_surrogate(unit)) {
    return 0;
  }
  if (!is_high_surrogate(unit)) {
    return 6;
  }
  const uint32_t next = escaped_unit(text.substr(6));
  return next != k_no_unit && is_low_surrogate(next) ? 12 : 0;
}

void append_utf8(std::string& out, uint32_t character) {
  if (character < 0x80) {
    out += static_cast<char>(character);
    return;
  }
  const int continued = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
  constexpr uint32_t k_lead[] = {0, 0xc0, 0xe0, 0xf0};
  out += static_cast<char>(k_lead[continued] | character >> (6 * continued));
  for (int i = continued - 1; i >= 0; --i) {
    out += static_cast<char>(0x80 | ((character >> (6 * i)) & 0x3f));
  }
}

// Appends what a valid escape stands for.
void append_escape(std::string& out, std::string_view escape) {
  constexpr std::string_view k_names = "bfnrt";
  constexpr std::string_view k_meant = "\b\f\n\r\t";
  if (escape.size() == 2) {
    const size_t name = k_names.find(escape[1]);
    out += name == std::string_view::npos ? escape[1] : k_meant[name];
  } else if (escape.size() == 6) {
    append_utf8(out, escaped_unit(escape));
  } else {
    const uint32_t high = escaped_unit(escape) - 0xd800;
    const uint32_t low = escaped_unit(escape.substr(6)) - 0xdc00;
    append_utf8(out, 0x10000 + (high << 10) + low);
  }
}

// -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
bool is_number(std::string_view token) {
  size_t at = 0;
  const auto peek = [&] { return at < token.size() ? token[at] : '\0'; };
  const auto digits = [&] {
    const size_t begin = at;
    while (is_digit(peek())) {
      ++at;
    }
    return at - begin;
  };
  at += peek() == '-' ? 1 : 0;
  const bool zero = peek() == '0';
  const size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) {
    return false;
  }
  if (peek() == '.') {
    ++at;
    if (digits() == 0) {
      return false;
    }
  }
  if (peek() == 'e' || peek() == 'E') {
    ++at;
    at += peek() == '+' || peek() == '-' ? 1 : 0;
    if (digits() == 0) {
      return false;
    }
  }
  return at == token.size();
}

}  // namespace

size_t string_token_size(std::string_view text) {
  if (text.empty() || text[0] != '"') {
    return 0;
  }
  for (size_t at = 1; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      return at + 1;
    }
    const size_t size = c == '\\' ? escape_size(text.substr(at)) : 1;
    if (size == 0 || static_cast<unsigned char>(c) < 0x20) {
      return 0;
    }
    at += size;
  }
  return 0;
}

bool is_scalar_token(std::string_view token) {
  if (token.empty()) {
    return false;
  }
  if (token[0] == '"') {
    return string_token_size(token) == token.size();
  }
  return token == "true" || token == "false" || token == "null" || is_number(token);
}

std::string decode_string(std::string_view token) {
  ASSERT(token.size() >= 2 && token.front() == '"' && token.back() == '"');
  const std::string_view inside = token.substr(1, token.size() - 2);
  std::string out;
  for (size_t at = 0; at < inside.size();) {
    if (inside[at] != '\\') {
      out += inside[at++];
      continue;
    }
    const size_t size = escape_size(inside.substr(at));
    ASSERT(size > 0);
    append_escape(out, inside.substr(at, size));
    at += size;
  }
  return out;
}

std::string encode_string(std::string_view text) {
  constexpr std::string_view k_hex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += k_hex[byte >> 4];
      out += k_hex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

}  // namespace asyncstore::payload
