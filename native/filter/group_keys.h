// What a point is grouped by.
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "filter/filter.h"
#include "payload/path.h"

namespace asyncstore::filter {

// The strings and the integers of 64 bits that the path names in a payload, those in an array each
// by itself, in the order of the text. Other values are no keys.
base::Result<std::vector<Scalar>> group_keys(base::Bytes payload, const payload::Path& path);

// Keys as {"keys":[…]}.
std::vector<std::byte> group_keys_text(const std::vector<Scalar>& keys);

}  // namespace asyncstore::filter
