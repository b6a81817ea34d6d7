#include "payload/path.h"

#include <charconv>
#include <optional>
#include <system_error>

#include "payload/limits.h"
#include "payload/scan.h"
#include "payload/token.h"

namespace asyncstore::payload {
namespace {

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || static_cast<unsigned char>(c) >= 0x80;
}

// Takes steps off the front of the text; after a failed one `fault` says why, at `position`.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<Step> step() {
    if (position_ == 0) {
      return key();
    }
    switch (text_[position_]) {
      case '.':
        ++position_;
        return key();
      case '[':
        ++position_;
        return bracket();
      default:
        return failed("a key with this character must be quoted, or a \".\" is missing");
    }
  }
  bool at_end() const { return position_ == text_.size(); }
  size_t position() const { return position_; }
  const char* fault() const { return fault_; }

 private:
  std::optional<Step> failed(const char* fault) {
    fault_ = fault;
    return std::nullopt;
  }
  std::optional<Step> key();
  std::optional<Step> quoted_key();
  std::optional<Step> bracket();

  std::string_view text_;
  size_t position_ = 0;
  const char* fault_ = "";
};

std::optional<Step> Scanner::key() {
  if (!at_end() && text_[position_] == '"') {
    return quoted_key();
  }
  size_t end = position_;
  while (end < text_.size() && is_bare(text_[end])) {
    ++end;
  }
  if (end == position_) {
    const bool missing = at_end() || text_[end] == '.' || text_[end] == '[';
    return failed(missing ? "a key is missing" : "a key with this character must be quoted");
  }
  Step step{.kind = Step::Kind::key, .key = std::string(text_.substr(position_, end - position_))};
  position_ = end;
  return step;
}

std::optional<Step> Scanner::quoted_key() {
  const size_t end = text_.find_first_of("\"\\", position_ + 1);
  if (end == std::string_view::npos) {
    return failed("the quote is not closed");
  }
  if (text_[end] == '\\') {
    position_ = end;
    return failed("a quoted key cannot hold a backslash");
  }
  Step step{.kind = Step::Kind::key,
            .key = std::string(text_.substr(position_ + 1, end - position_ - 1))};
  position_ = end + 1;
  return step;
}

std::optional<Step> Scanner::bracket() {
  const size_t end = text_.find(']', position_);
  if (end == std::string_view::npos) {
    return failed("the bracket is not closed");
  }
  if (end == position_) {
    ++position_;
    return Step{.kind = Step::Kind::every};
  }
  Step step{.kind = Step::Kind::index};
  const char* last = text_.data() + end;
  const auto [stopped, error] = std::from_chars(text_.data() + position_, last, step.index);
  if (error == std::errc::result_out_of_range) {
    return failed("the index is larger than 4294967295");
  }
  if (error != std::errc() || stopped != last) {
    return failed("an index is digits only, and not negative");
  }
  position_ = end + 1;
  return step;
}

base::Error bad_path(std::string_view text, size_t position, const char* fault) {
  constexpr size_t k_shown_max = 200;
  const bool shown = text.size() <= k_shown_max && is_utf8(text);
  return base::invalid_argument((shown ? encode_string(text) : "The text") +
                                " is not a JSON path: " + fault + " (at character " +
                                std::to_string(position) + ").");
}

}  // namespace

base::Result<Path> Path::parse(std::string_view text) {
  if (!is_utf8(text)) {
    return bad_path(text, 0, "it is not UTF-8");
  }
  std::vector<Step> steps;
  Scanner scanner(text);
  do {
    std::optional<Step> step = scanner.step();
    if (!step.has_value()) {
      return bad_path(text, scanner.position(), scanner.fault());
    }
    if (steps.size() == k_payload_depth_max) {
      return bad_path(text, scanner.position(), "it has more than 64 steps");
    }
    steps.push_back(*std::move(step));
  } while (!scanner.at_end());
  return Path(std::move(steps));
}

}  // namespace asyncstore::payload
