// A JSON path: names values inside a payload.
//
//   path    = key { "." key | "[]" | "[" digits "]" }
//   key     = bare | '"' anything but '"' and '\' '"'
//   bare    = one or more of: letters, digits, "_", "-", any character beyond ASCII
//
// `a.b` is a member, `a[0].b` goes through one element, `a[].b` through every element, and
// `"a.b".c` quotes a key that holds other characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace asyncstore::payload {

struct Step {
  enum class Kind : uint8_t {
    key,
    index,  // [3]
    every,  // []
  };
  Kind kind = Kind::key;
  std::string key = {};
  uint32_t index = 0;

  friend bool operator==(const Step&, const Step&) = default;
};

class Path {
 public:
  // Error (invalid_argument) for anything else than the grammar above, more than
  // k_payload_depth_max steps, an index of more than 32 bits, text that is not UTF-8; the message
  // names the character, counted in bytes from 0.
  static base::Result<Path> parse(std::string_view text);

  // At least one; the first is a key.
  const std::vector<Step>& steps() const { return steps_; }

  friend bool operator==(const Path&, const Path&) = default;

 private:
  explicit Path(std::vector<Step> steps) : steps_(std::move(steps)) {}

  std::vector<Step> steps_;
};

}  // namespace asyncstore::payload
