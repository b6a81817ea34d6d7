#include "filter/group_keys.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "filter/values.h"
#include "payload/outline.h"

namespace asyncstore::filter {

namespace {

bool is_key(const payload::Outline& outline, uint32_t value) {
  return is_string(outline, value) ||
         (is_number(outline, value) &&
          outline.text(value).find_first_of(".eE") == std::string_view::npos);
}

}  // namespace

base::Result<std::vector<std::byte>> group_keys(base::Bytes payload, const payload::Path& path) {
  TRY_ASSIGN(const auto outline,
             payload::Outline::parse(payload, levels_for(path), payload::Outline::Root::object,
                                     "The payload"));
  std::vector<uint32_t> found;
  values_at(outline, 0, path, found);
  std::string keys = R"({"keys":[)";
  bool first = true;
  for_each_value(outline, found, [&](uint32_t value) {
    if (is_key(outline, value)) {
      keys += first ? "" : ",";
      keys += outline.text(value);
      first = false;
    }
  });
  keys += "]}";
  const base::Bytes bytes = base::bytes_of(std::string_view(keys));
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

}  // namespace asyncstore::filter
