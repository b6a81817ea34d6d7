// The values that a path names in a payload.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "filter/geo.h"
#include "payload/outline.h"
#include "payload/path.h"
#include "text/document.h"

namespace asyncstore::filter {

// Appends the numbers of the values in the outline, below `root`: a key goes into an object, `[0]`
// into one element and `[]` into every element of an array. Nothing is flattened.
void values_at(const payload::Outline& outline, uint32_t root, const payload::Path& path,
               std::vector<uint32_t>& found);

// Levels below the root that the outline of a payload numbers for values_at() and for what is asked
// of the values: their elements, and the members of those.
inline uint32_t levels_for(const payload::Path& path) {
  return static_cast<uint32_t>(path.steps().size()) + 2;
}

// Shows each value that tests look at: the values found, and in place of an array its elements.
template <typename Visit>
void for_each_value(const payload::Outline& outline, const std::vector<uint32_t>& found,
                    const Visit& visit) {
  for (const uint32_t value : found) {
    if (!outline.is_array(value)) {
      visit(value);
      continue;
    }
    const uint32_t end = outline.after(value);
    for (uint32_t i = payload::Outline::first_child(value); i < end; i = outline.after(i)) {
      visit(i);
    }
  }
}

// As IsEmpty and IsNull mean it.
bool all_empty(const payload::Outline& outline, const std::vector<uint32_t>& found);
bool any_null(const payload::Outline& outline, const std::vector<uint32_t>& found);

inline bool is_null(const payload::Outline& outline, uint32_t value) {
  return outline.text(value) == "null";
}
// A JSON number; only integers of 64 bits written without fraction and exponent are integers.
inline bool is_number(const payload::Outline& outline, uint32_t value) {
  const char first = outline.text(value).front();
  return first == '-' || (first >= '0' && first <= '9');
}
inline bool is_string(const payload::Outline& outline, uint32_t value) {
  return outline.text(value).front() == '"';
}

// The strings among the values that tests look at, as one text.
text::Document text_of(const text::Analyzer& analyzer, const payload::Outline& outline,
                       const std::vector<uint32_t>& found);

// The point of an object {"lon": …, "lat": …}; nothing when the value is something else or no place
// on earth.
std::optional<GeoPoint> geo_point_of(const payload::Outline& outline, uint32_t value);

}  // namespace asyncstore::filter
