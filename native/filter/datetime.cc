#include "filter/datetime.h"

#include <chrono>

namespace asyncstore::filter {

namespace {

constexpr int64_t k_second_us = 1'000'000;

// Takes pieces off the front of the text; once one is not there, nothing is.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  bool next_is(std::string_view characters) const {
    return !rest_.empty() && characters.find(rest_.front()) != std::string_view::npos;
  }
  char take() {
    const char taken = rest_.front();
    rest_.remove_prefix(1);
    return taken;
  }
  void expect(std::string_view characters) {
    ok_ = ok_ && next_is(characters);
    if (ok_) {
      take();
    }
  }
  // So many digits.
  int number(int digits, int max) {
    int value = 0;
    for (int i = 0; i < digits && ok_; ++i) {
      ok_ = next_is("0123456789");
      value = ok_ ? value * 10 + (take() - '0') : value;
    }
    ok_ = ok_ && value <= max;
    return value;
  }
  // Digits behind the point, as microseconds.
  int64_t fraction_us() {
    int64_t value = 0;
    int64_t unit = k_second_us / 10;
    ok_ = ok_ && next_is("0123456789");
    while (ok_ && next_is("0123456789")) {
      value += (take() - '0') * unit;
      unit /= 10;
    }
    return value;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

int64_t zone_us(Scanner& scanner) {
  if (scanner.next_is("Zz")) {
    scanner.take();
    return 0;
  }
  if (!scanner.next_is("+-")) {
    return 0;
  }
  const bool east = scanner.take() == '+';
  int64_t minutes = int64_t{scanner.number(2, 23)} * 60;
  scanner.expect(":");
  minutes += scanner.number(2, 59);
  return (east ? minutes : -minutes) * 60 * k_second_us;
}

int64_t time_us(Scanner& scanner) {
  int64_t seconds = int64_t{scanner.number(2, 23)} * 3600;
  scanner.expect(":");
  seconds += int64_t{scanner.number(2, 59)} * 60;
  int64_t fraction = 0;
  if (scanner.next_is(":")) {
    scanner.take();
    seconds += scanner.number(2, 59);
    if (scanner.next_is(".")) {
      scanner.take();
      fraction = scanner.fraction_us();
    }
  }
  return seconds * k_second_us + fraction;
}

}  // namespace

std::optional<int64_t> parse_datetime(std::string_view text) {
  Scanner scanner(text);
  const int year = scanner.number(4, 9999);
  scanner.expect("-");
  const int month = scanner.number(2, 12);
  scanner.expect("-");
  const int day = scanner.number(2, 31);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!scanner.ok() || !date.ok()) {
    return std::nullopt;
  }
  int64_t time = std::chrono::sys_days(date).time_since_epoch().count() * 86'400 * k_second_us;
  if (!scanner.at_end()) {
    scanner.expect("Tt ");
    time += time_us(scanner);
    time -= zone_us(scanner);
  }
  return scanner.ok() && scanner.at_end() ? std::optional(time) : std::nullopt;
}

}  // namespace asyncstore::filter
