// What one payload holds for one index.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fields/schema.h"
#include "payload/outline.h"

namespace asyncstore::fields {

// Foreign values are neither null nor held by the index; what tests can tell apart about them.
enum class Flag : uint8_t {
  present,         // there is a point
  has_null,        // as IsNull means it
  is_empty,        // as IsEmpty means it
  foreign_text,    // a string; of an index of text, which holds its tokens, every string
  foreign_number,  // a number that a double reaches
  foreign_other,   // a boolean, an object, an array, any other number
};
inline constexpr uint8_t k_flags = 6;

class Flags {
 public:
  Flags() = default;
  explicit Flags(uint8_t bits) : bits_(bits) {}
  bool has(Flag flag) const { return (bits_ >> static_cast<uint8_t>(flag) & 1) != 0; }
  void add(Flag flag) { bits_ |= static_cast<uint8_t>(1 << static_cast<uint8_t>(flag)); }
  uint8_t bits() const { return bits_; }

 private:
  uint8_t bits_ = 0;
};

// A uuid is 16 bytes, a keyword its characters, a text has its tokens; they get their numbers in
// the index.
struct Values {
  Flags flags;
  std::vector<uint64_t> keys;      // ascending, each once; of kinds without terms
  std::vector<std::string> terms;  // ascending, each once; of kinds with terms
};

// Looks at what tests look at. The outline is of an object, with filter::levels_for(schema.path)
// levels or more.
Values extract(const Schema& schema, const payload::Outline& outline);
// Of a point without payload.
Values values_of_nothing();

// A uuid as text.
std::string uuid_text(std::string_view term);
// The term of a text that is a uuid in the canonical spelling; empty otherwise.
std::string uuid_term(std::string_view text);

}  // namespace asyncstore::fields
