// Checks a JSON text in full and notes where the values in its upper levels stand: the only user of
// simdjson, which finds the tokens, with a kernel chosen at run time, and checks UTF-8, brackets,
// commas and colons. Scalars are checked by payload/token.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asyncstore::payload {

// Offsets are into Scan::text, in bytes.
struct ScannedValue {
  uint32_t key_begin;  // of the key's first quote; equal to `begin` where there is no key
  uint32_t begin;
  uint32_t end;
  uint32_t after;  // the number of the next value that is not inside this one
};
static_assert(sizeof(ScannedValue) == 16);

struct Scan {
  std::string text;                  // without the whitespace between tokens
  std::vector<ScannedValue> values;  // in the order of the text; the root is 0
  uint32_t depth = 0;                // containers inside each other; 0 for a scalar
};

struct Fault {
  const char* what = "";
  size_t offset = 0;  // in the text given, in bytes
};

// Fills an empty `scan` from one JSON value of at most k_payload_bytes_max bytes, with values down
// to `levels` levels below the root; after a fault `scan` holds part of it.
std::optional<Fault> scan(std::string_view text, uint32_t levels, Scan& scan);

bool is_utf8(std::string_view text);

}  // namespace asyncstore::payload
