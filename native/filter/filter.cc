#include "filter/filter.h"

#include <algorithm>
#include <utility>

namespace asyncstore::filter {

namespace {

template <typename T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input counts.
uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

}  // namespace

ValueSet::ValueSet(const std::vector<Scalar>& values) {
  std::vector<std::string_view> strings;
  size_t size_bytes = 0;
  for (const Scalar& value : values) {
    if (const auto* flag = std::get_if<bool>(&value)) {
      (*flag ? has_true_ : has_false_) = true;
    } else if (const auto* integer = std::get_if<int64_t>(&value)) {
      integers_.push_back(*integer);
    } else {
      strings.push_back(std::get<std::string>(value));
      size_bytes += strings.back().size();
    }
  }
  sort_unique(integers_);
  sort_unique(strings);
  std::string text;
  text.reserve(size_bytes);
  for (const std::string_view one : strings) {
    text += one;
  }
  text_ = std::make_shared<const std::string>(std::move(text));
  strings_.reserve(strings.size());
  for (size_t at = 0; const std::string_view one : strings) {
    strings_.push_back(std::string_view(*text_).substr(at, one.size()));
    at += one.size();
  }
}

bool ValueSet::contains(int64_t value) const {
  return std::binary_search(integers_.begin(), integers_.end(), value);
}

bool ValueSet::contains(std::string_view value) const {
  return std::binary_search(strings_.begin(), strings_.end(), value);
}

bool Slice::has(const points::PointId& id) const {
  return mixed(mixed(id.high + (id.is_uuid ? 1 : 0)) + id.low) % total == index;
}

}  // namespace asyncstore::filter
