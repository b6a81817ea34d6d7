#include "payload/scan.h"

#include <algorithm>

#include "base/assert.h"
#include "payload/limits.h"
#include "payload/token.h"

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

namespace asyncstore::payload {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr uint32_t k_unnumbered = UINT32_MAX;
constexpr std::string_view k_whitespace = " \t\r\n";

// Reads every token once and copies it into the scan. Each function is false after a fault; the
// first fault is kept.
class Walk {
 public:
  Walk(std::string_view text, uint32_t levels, Scan& scan)
      : text_(text), levels_(levels), scan_(scan) {}

  // `text` must be followed by SIMDJSON_PADDING bytes.
  bool root();

  const Fault& fault() const { return fault_; }

 private:
  bool root_container(ondemand::document& document, char bracket);
  bool object(ondemand::object members, uint32_t level);
  bool array(ondemand::array elements, uint32_t level);
  // `level` containers are around the value; its key was written at `key_begin`, if it has one.
  bool value(ondemand::value value, uint32_t key_begin, uint32_t level);
  bool scalar(std::string_view token, const char* begin);
  // Copies the key of a field; `key` points behind its first quote.
  bool key(const char* key);
  bool open(char bracket, uint32_t level, const char* begin);

  // Numbers the value that is about to be written, and tells where it ends.
  uint32_t begin_value(uint32_t key_begin, uint32_t level);
  void end_value(uint32_t number);
  uint32_t written() const { return static_cast<uint32_t>(scan_.text.size()); }

  bool failed(const char* fault, const char* at);
  bool failed(simdjson::error_code error);
  bool failed_before_the_first_token(simdjson::error_code error);

  std::string_view text_;
  const uint32_t levels_;
  Scan& scan_;
  const char* reached_ = nullptr;  // the token read last, for faults that simdjson finds
  Fault fault_;
};

bool Walk::root() {
  reached_ = text_.data();
  ondemand::parser parser;
  ondemand::document document;
  const simdjson::padded_string_view padded(text_.data(), text_.size(),
                                            text_.size() + simdjson::SIMDJSON_PADDING);
  if (const auto error = parser.iterate(padded).get(document)) {
    return failed_before_the_first_token(error);
  }
  const size_t begin = text_.find_first_not_of(k_whitespace);
  ASSERT(begin != std::string_view::npos);
  const uint32_t number = begin_value(0, 0);
  if (text_[begin] == '{' || text_[begin] == '[') {
    if (!root_container(document, text_[begin])) {
      return false;
    }
  } else {
    const size_t end = text_.find_last_not_of(k_whitespace) + 1;
    if (!scalar(text_.substr(begin, end - begin), text_.data() + begin)) {
      return false;
    }
  }
  end_value(number);
  return true;
}

bool Walk::root_container(ondemand::document& document, char bracket) {
  bool ok = false;
  if (bracket == '{') {
    ondemand::object members;
    const auto error = document.get_object().get(members);
    ok = error ? failed(error) : object(members, 0);
  } else {
    ondemand::array elements;
    const auto error = document.get_array().get(elements);
    ok = error ? failed(error) : array(elements, 0);
  }
  if (!ok) {
    return false;
  }
  const char* more = nullptr;
  if (document.current_location().get(more) == simdjson::SUCCESS) {
    return failed("more follows after its end", more);
  }
  return true;
}

bool Walk::object(ondemand::object members, uint32_t level) {
  if (!open('{', level, reached_)) {
    return false;
  }
  bool first = true;
  for (auto member : members) {
    ondemand::raw_json_string name;
    ondemand::value member_value;
    if (const auto error = member.key().get(name)) {
      return failed(error);
    }
    if (!first) {
      scan_.text += ',';
    }
    first = false;
    const uint32_t key_begin = written();
    if (!key(name.raw())) {
      return false;
    }
    if (const auto error = member.value().get(member_value)) {
      return failed(error);
    }
    if (!value(member_value, key_begin, level + 1)) {
      return false;
    }
  }
  scan_.text += '}';
  return true;
}

bool Walk::array(ondemand::array elements, uint32_t level) {
  if (!open('[', level, reached_)) {
    return false;
  }
  bool first = true;
  for (auto element : elements) {
    ondemand::value element_value;
    if (const auto error = element.get(element_value)) {
      return failed(error);
    }
    if (!first) {
      scan_.text += ',';
    }
    first = false;
    if (!value(element_value, written(), level + 1)) {
      return false;
    }
  }
  scan_.text += ']';
  return true;
}

bool Walk::value(ondemand::value value, uint32_t key_begin, uint32_t level) {
  const std::string_view token = value.raw_json_token();
  reached_ = token.data();
  const uint32_t number = begin_value(key_begin, level);
  bool ok = false;
  if (token[0] == '{') {
    ondemand::object members;
    const auto error = value.get_object().get(members);
    ok = error ? failed(error) : object(members, level);
  } else if (token[0] == '[') {
    ondemand::array elements;
    const auto error = value.get_array().get(elements);
    ok = error ? failed(error) : array(elements, level);
  } else if (token[0] == '"') {
    // A string must be taken: simdjson, left to skip it, would skip a colon after it as well.
    ondemand::raw_json_string taken;
    const auto error = value.get_raw_json_string().get(taken);
    const std::string_view rest = text_.substr(static_cast<size_t>(token.data() - text_.data()));
    ok = error ? failed(error) : scalar(rest.substr(0, string_token_size(rest)), token.data());
  } else {
    ok = scalar(token.substr(0, token.find_last_not_of(k_whitespace) + 1), token.data());
  }
  end_value(number);
  return ok;
}

bool Walk::scalar(std::string_view token, const char* begin) {
  if (!is_scalar_token(token)) {
    return failed(*begin == '"' ? "a string with an invalid escape" : "not a JSON value", begin);
  }
  scan_.text += token;
  return true;
}

bool Walk::key(const char* key) {
  const std::string_view rest = text_.substr(static_cast<size_t>(key - 1 - text_.data()));
  reached_ = rest.data();
  const size_t size = string_token_size(rest);
  if (size == 0) {
    return failed("a key with an invalid escape", rest.data());
  }
  scan_.text += rest.substr(0, size);
  scan_.text += ':';
  return true;
}

bool Walk::open(char bracket, uint32_t level, const char* begin) {
  if (level == k_payload_depth_max) {
    return failed("more than 64 levels deep", begin);
  }
  scan_.depth = std::max(scan_.depth, level + 1);
  scan_.text += bracket;
  return true;
}

uint32_t Walk::begin_value(uint32_t key_begin, uint32_t level) {
  if (level > levels_) {
    return k_unnumbered;
  }
  scan_.values.push_back({key_begin, written(), 0, 0});
  return static_cast<uint32_t>(scan_.values.size() - 1);
}

void Walk::end_value(uint32_t number) {
  if (number != k_unnumbered) {
    scan_.values[number].end = written();
    scan_.values[number].after = static_cast<uint32_t>(scan_.values.size());
  }
}

bool Walk::failed(const char* fault, const char* at) {
  fault_ = {fault, static_cast<size_t>(at - text_.data())};
  return false;
}

// simdjson met something else than the bracket, comma, colon or key that must come here.
bool Walk::failed(simdjson::error_code error) {
  ASSERT(error != simdjson::MEMALLOC);
  return failed("a bracket, comma, colon or key is wrong or missing after this token", reached_);
}

bool Walk::failed_before_the_first_token(simdjson::error_code error) {
  ASSERT(error != simdjson::MEMALLOC);
  if (error == simdjson::EMPTY) {
    return failed("it is empty", text_.data());
  }
  if (!is_utf8(text_)) {
    size_t begin = 0;
    for (size_t end = 1; end <= text_.size() && end - begin <= 4; ++end) {
      if (is_utf8(text_.substr(begin, end - begin))) {
        begin = end;
      }
    }
    return failed("not UTF-8", text_.data() + begin);
  }
  // What is left is a string that is not closed or that holds a control character.
  for (size_t at = text_.find('"'); at != std::string_view::npos; at = text_.find('"', at)) {
    size_t end = at + 1;
    while (end < text_.size() && text_[end] != '"' && static_cast<uint8_t>(text_[end]) >= 0x20) {
      end += text_[end] == '\\' ? 2 : 1;
    }
    if (end >= text_.size() || text_[end] != '"') {
      return failed("a string that is not closed or holds a control character", text_.data() + at);
    }
    at = end + 1;
  }
  return failed("not a JSON value", text_.data());
}

}  // namespace

std::optional<Fault> scan(std::string_view text, uint32_t levels, Scan& scan) {
  ASSERT(text.size() <= k_payload_bytes_max);
  std::string padded;
  padded.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  padded += text;
  padded.append(simdjson::SIMDJSON_PADDING, '\0');
  scan.text.reserve(text.size());
  Walk walk(std::string_view(padded).substr(0, text.size()), levels, scan);
  if (!walk.root()) {
    return walk.fault();
  }
  return std::nullopt;
}

bool is_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace asyncstore::payload
