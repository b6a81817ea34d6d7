#include "payload/numbers.h"

#include <charconv>
#include <cmath>

namespace asyncstore::payload {

namespace {

constexpr size_t k_number_bytes = 18;  // of a float32 that was written as a double, mostly

// One list, from its first character on.
class List {
 public:
  explicit List(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool take(char c) {
    skip_spaces();
    if (at_ == end_ || *at_ != c) {
      return false;
    }
    ++at_;
    return true;
  }

  std::optional<float> number() {
    skip_spaces();
    double value = 0;
    const auto [stop, error] = std::from_chars(at_, end_, value);
    const std::string_view token(at_, static_cast<size_t>(stop - at_));
    if (error != std::errc() || !is_number(token)) {
      return std::nullopt;
    }
    at_ = stop;
    const auto rounded = static_cast<float>(value);
    return std::isfinite(rounded) ? std::optional(rounded) : std::nullopt;
  }

  bool ended() {
    skip_spaces();
    return at_ == end_;
  }

 private:
  void skip_spaces() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) {
      ++at_;
    }
  }
  // Of what from_chars took: it also takes leading zeros, a point without digits beside it, and the
  // words for what is no number.
  static bool is_number(std::string_view token) {
    const size_t first = token.starts_with('-') ? 1 : 0;
    const auto digit = [&](size_t place) {
      return place < token.size() && token[place] >= '0' && token[place] <= '9';
    };
    if (!digit(first) || (token[first] == '0' && digit(first + 1))) {
      return false;
    }
    const size_t point = token.find('.');
    return point == std::string_view::npos || digit(point + 1);
  }

  const char* at_;
  const char* end_;
};

}  // namespace

std::optional<std::vector<float>> parse_numbers(std::string_view text) {
  List list(text);
  if (!list.take('[')) {
    return std::nullopt;
  }
  std::vector<float> numbers;
  numbers.reserve(text.size() / k_number_bytes + 1);
  do {
    const std::optional<float> number = list.number();
    if (!number) {
      return std::nullopt;
    }
    numbers.push_back(*number);
  } while (list.take(','));
  if (!list.take(']') || !list.ended()) {
    return std::nullopt;
  }
  return numbers;
}

}  // namespace asyncstore::payload
