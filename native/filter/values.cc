#include "filter/values.h"

#include <span>
#include <variant>

#include "filter/number.h"
#include "payload/token.h"

namespace asyncstore::filter {

using payload::Outline;
using payload::Step;

namespace {

// Recursion: one call a step of the path.
void follow(const Outline& outline, uint32_t value, std::span<const Step> rest,
            std::vector<uint32_t>& found) {
  if (rest.empty()) {
    found.push_back(value);
    return;
  }
  const Step& step = rest.front();
  const bool by_key = step.kind == Step::Kind::key;
  if (by_key ? !outline.is_object(value) : !outline.is_array(value)) {
    return;
  }
  const uint32_t end = outline.after(value);
  uint32_t index = 0;
  uint32_t last_of_key = end;  // of a key that stands twice, the last counts
  for (uint32_t i = Outline::first_child(value); i < end; i = outline.after(i), ++index) {
    if (by_key) {
      last_of_key = outline.has_key(i, step.key) ? i : last_of_key;
    } else if (step.kind == Step::Kind::every || index == step.index) {
      follow(outline, i, rest.subspan(1), found);
    }
  }
  if (last_of_key != end) {
    follow(outline, last_of_key, rest.subspan(1), found);
  }
}

std::optional<double> coordinate(const Outline& outline, uint32_t value, double limit) {
  if (!is_number(outline, value)) {
    return std::nullopt;
  }
  const auto number = number_of(outline.text(value));
  if (!number) {
    return std::nullopt;
  }
  const double degrees = std::visit([](auto it) { return static_cast<double>(it); }, *number);
  return degrees >= -limit && degrees <= limit ? std::optional(degrees) : std::nullopt;
}

}  // namespace

void values_at(const Outline& outline, uint32_t root, const payload::Path& path,
               std::vector<uint32_t>& found) {
  follow(outline, root, path.steps(), found);
}

bool all_empty(const Outline& outline, const std::vector<uint32_t>& found) {
  for (const uint32_t value : found) {
    if (!is_null(outline, value) && outline.text(value) != "[]") {
      return false;
    }
  }
  return true;
}

bool any_null(const Outline& outline, const std::vector<uint32_t>& found) {
  for (const uint32_t value : found) {
    if (is_null(outline, value)) {
      return true;
    }
  }
  return false;
}

text::Document text_of(const text::Analyzer& analyzer, const Outline& outline,
                       const std::vector<uint32_t>& found) {
  text::Document document(analyzer);
  for_each_value(outline, found, [&](uint32_t value) {
    if (is_string(outline, value)) {
      document.add(payload::decode_string(outline.text(value)));
    }
  });
  return document;
}

std::optional<GeoPoint> geo_point_of(const Outline& outline, uint32_t value) {
  if (!outline.is_object(value)) {
    return std::nullopt;
  }
  std::optional<double> lon;
  std::optional<double> lat;
  const uint32_t end = outline.after(value);
  for (uint32_t i = Outline::first_child(value); i < end; i = outline.after(i)) {
    if (outline.has_key(i, "lon")) {
      lon = coordinate(outline, i, 180);
    } else if (outline.has_key(i, "lat")) {
      lat = coordinate(outline, i, 90);
    }
  }
  return lon && lat ? std::optional(GeoPoint{*lon, *lat}) : std::nullopt;
}

}  // namespace asyncstore::filter
