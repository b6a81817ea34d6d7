// What a point is grouped by.
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "filter/filter.h"
#include "payload/path.h"

namespace asyncstore::filter {

// The strings and the integers that the path names in a payload, those in an array each by itself,
// as {"keys":[…]} in the order of the text. Other values are no keys.
base::Result<std::vector<std::byte>> group_keys(base::Bytes payload, const payload::Path& path);

// The same of values that are known.
std::vector<std::byte> group_keys(const std::vector<Scalar>& values);

}  // namespace asyncstore::filter
