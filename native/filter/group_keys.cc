#include "filter/group_keys.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "filter/values.h"
#include "payload/outline.h"
#include "payload/token.h"

namespace asyncstore::filter {

namespace {

bool is_key(const payload::Outline& outline, uint32_t value) {
  return is_string(outline, value) ||
         (is_number(outline, value) &&
          outline.text(value).find_first_of(".eE") == std::string_view::npos);
}

// {"keys":[…]}
class Keys {
 public:
  void add(std::string_view json) {
    text_ += text_.size() > k_begin.size() ? "," : "";
    text_ += json;
  }
  std::vector<std::byte> take() {
    text_ += "]}";
    const base::Bytes bytes = base::bytes_of(std::string_view(text_));
    return {bytes.begin(), bytes.end()};
  }

 private:
  static constexpr std::string_view k_begin = R"({"keys":[)";
  std::string text_ = std::string(k_begin);
};

}  // namespace

base::Result<std::vector<std::byte>> group_keys(base::Bytes payload, const payload::Path& path) {
  TRY_ASSIGN(const auto outline,
             payload::Outline::parse(payload, levels_for(path), payload::Outline::Root::object,
                                     "The payload"));
  std::vector<uint32_t> found;
  values_at(outline, 0, path, found);
  Keys keys;
  for_each_value(outline, found, [&](uint32_t value) {
    if (is_key(outline, value)) {
      keys.add(outline.text(value));
    }
  });
  return keys.take();
}

std::vector<std::byte> group_keys(const std::vector<Scalar>& values) {
  Keys keys;
  for (const Scalar& value : values) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      keys.add(payload::encode_string(*text));
    } else if (const auto* integer = std::get_if<int64_t>(&value)) {
      keys.add(std::to_string(*integer));
    }
  }
  return keys.take();
}

}  // namespace asyncstore::filter
