#include "payload/outline.h"

#include "base/assert.h"
#include "payload/limits.h"
#include "payload/token.h"

namespace asyncstore::payload {

base::Result<Outline> Outline::parse(base::Bytes text, uint32_t levels, Root root,
                                     std::string_view subject) {
  if (text.size() > k_payload_bytes_max) {
    return base::invalid_argument(std::string(subject) + " has " + std::to_string(text.size()) +
                                  " bytes; at most " + std::to_string(k_payload_bytes_max) +
                                  " are allowed.");
  }
  Outline outline;
  const std::string_view characters(reinterpret_cast<const char*>(text.data()), text.size());
  if (const auto fault = scan(characters, levels, outline.scan_)) {
    return base::invalid_argument(std::string(subject) + " is not accepted: " + fault->what +
                                  " (at byte " + std::to_string(fault->offset) + ").");
  }
  if (root == Root::object && !outline.is_object(0)) {
    return base::invalid_argument(std::string(subject) + " is not a JSON object.");
  }
  return outline;
}

std::string_view Outline::text(uint32_t value) const {
  const ScannedValue& found = scan_.values[value];
  return std::string_view(scan_.text).substr(found.begin, found.end - found.begin);
}

std::string_view Outline::key_text(uint32_t member) const {
  const ScannedValue& found = scan_.values[member];
  ASSERT(found.key_begin < found.begin);
  // The colon stands between key and value.
  return std::string_view(scan_.text).substr(found.key_begin, found.begin - 1 - found.key_begin);
}

std::string Outline::key(uint32_t member) const {
  return decode_string(key_text(member));
}

bool Outline::has_key(uint32_t member, std::string_view key) const {
  const std::string_view token = key_text(member);
  if (token.find('\\') != std::string_view::npos) {
    return decode_string(token) == key;
  }
  return token.substr(1, token.size() - 2) == key;
}

}  // namespace asyncstore::payload
