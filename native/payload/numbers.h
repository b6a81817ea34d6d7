// JSON lists of numbers as float32: what vectors are in requests.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace asyncstore::payload {

// The numbers of `text`, a flat JSON list of them, each as the double that is nearest to it and
// then as the float that is nearest to that. Nothing where it is anything else, or a number is
// beyond float32.
std::optional<std::vector<float>> parse_numbers(std::string_view text);

}  // namespace asyncstore::payload
