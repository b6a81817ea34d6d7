// A JSON text that was checked in full, and where the values in its upper levels stand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "payload/scan.h"

namespace asyncstore::payload {

// Owns a copy of the text without the whitespace between its tokens; views are valid as long as the
// outline is and is not moved. Values are numbered in the order of the text, the root is 0.
// Immutable; any thread may read.
class Outline {
 public:
  enum class Root : uint8_t { object, any };

  // `subject` names the text in messages, as in "The payload". Values are numbered down to `levels`
  // levels below the root; what is deeper is checked like the rest, but has no number, and
  // first_child() must not be asked of a value at the last level.
  // Error (invalid_argument): not JSON, not UTF-8, not of the kind of root asked for, beyond
  // k_payload_bytes_max or k_payload_depth_max.
  static base::Result<Outline> parse(base::Bytes text, uint32_t levels, Root root,
                                     std::string_view subject);

  bool is_object(uint32_t value) const { return scan_.text[scan_.values[value].begin] == '{'; }
  bool is_array(uint32_t value) const { return scan_.text[scan_.values[value].begin] == '['; }
  std::string_view text(uint32_t value) const;
  // The key of a member as it is spelled, with its quotes.
  std::string_view key_text(uint32_t member) const;
  std::string key(uint32_t member) const;
  bool has_key(uint32_t member, std::string_view key) const;

  // Children of an object or array: from first_child(value) up to after(value), each one followed
  // by its after().
  static uint32_t first_child(uint32_t value) { return value + 1; }
  uint32_t after(uint32_t value) const { return scan_.values[value].after; }

  // Containers inside each other; 0 for a scalar.
  uint32_t depth() const { return scan_.depth; }

 private:
  Scan scan_;
};

}  // namespace asyncstore::payload
