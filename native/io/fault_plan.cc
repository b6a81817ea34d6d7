#include "io/fault_plan.h"

#include <charconv>
#include <string>

namespace asyncstore::io {

base::Result<FaultPlan> parse_fault_plan(std::string_view text) {
  FaultPlan plan;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t at = item.find('@');
    uint64_t number = 0;
    const std::string_view digits = at == item.npos ? std::string_view() : item.substr(at + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      return base::invalid_argument("fault '" + std::string(item) +
                                    "' is not of the form NAME@NUMBER");
    }
    const std::string_view name = item.substr(0, at);
    if (name == "io_error") {
      plan.faults[number] = Fault::io_error;
    } else if (name == "end_of_file") {
      plan.faults[number] = Fault::end_of_file;
    } else if (name == "delay") {
      plan.faults[number] = Fault::delay;
    } else if (name == "reorder") {
      plan.reorder = true;
      plan.seed = number;
    } else {
      return base::invalid_argument("unknown fault '" + std::string(name) +
                                    "'; there are io_error, end_of_file, delay and reorder");
    }
  }
  return plan;
}

}  // namespace asyncstore::io
