#include "filter/group_keys.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "filter/number.h"
#include "filter/values.h"
#include "payload/outline.h"
#include "payload/token.h"

namespace asyncstore::filter {

namespace {

std::optional<Scalar> key_of(const payload::Outline& outline, uint32_t value) {
  if (is_string(outline, value)) {
    return payload::decode_string(outline.text(value));
  }
  const auto number =
      is_number(outline, value) ? number_of(outline.text(value)) : std::optional<Number>();
  const auto* integer = number ? std::get_if<int64_t>(&*number) : nullptr;
  return integer != nullptr ? std::optional<Scalar>(*integer) : std::nullopt;
}

}  // namespace

base::Result<std::vector<Scalar>> group_keys(base::Bytes payload, const payload::Path& path) {
  TRY_ASSIGN(const auto outline,
             payload::Outline::parse(payload, levels_for(path), payload::Outline::Root::object,
                                     "The payload"));
  std::vector<uint32_t> found;
  values_at(outline, 0, path, found);
  std::vector<Scalar> keys;
  for_each_value(outline, found, [&](uint32_t value) {
    if (auto key = key_of(outline, value)) {
      keys.push_back(*std::move(key));
    }
  });
  return keys;
}

std::vector<std::byte> group_keys_text(const std::vector<Scalar>& keys) {
  std::string text;
  for (const Scalar& key : keys) {
    text += text.empty() ? "" : ",";
    if (const auto* string = std::get_if<std::string>(&key)) {
      text += payload::encode_string(*string);
    } else if (const auto* integer = std::get_if<int64_t>(&key)) {
      text += std::to_string(*integer);
    }
  }
  text = R"({"keys":[)" + text + "]}";
  const base::Bytes bytes = base::bytes_of(std::string_view(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace asyncstore::filter
