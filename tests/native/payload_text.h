// Payload texts in tests: strings in, strings out.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "payload/payload.h"

namespace asyncstore::payload {

inline std::string text_of(const base::Result<std::vector<std::byte>>& result) {
  if (!result.ok()) {
    return "error: " + result.error().message;
  }
  return {reinterpret_cast<const char*>(result.value().data()), result.value().size()};
}

inline Path path_of(std::string_view text) {
  auto path = Path::parse(text);
  REQUIRE_MESSAGE(path.ok(), std::string(text));
  return path.value();
}

inline std::vector<Path> paths_of(const std::vector<std::string>& texts) {
  std::vector<Path> paths;
  for (const std::string& text : texts) {
    paths.push_back(path_of(text));
  }
  return paths;
}

inline bool is_payload(std::string_view text) {
  return check(base::bytes_of(text)).ok();
}
inline std::string merged(std::string_view payload, std::string_view changes) {
  return text_of(merge(base::bytes_of(payload), base::bytes_of(changes)));
}
inline std::string merged_at(std::string_view payload, std::string_view path,
                             std::string_view changes) {
  return text_of(merge_at(base::bytes_of(payload), path_of(path), base::bytes_of(changes)));
}
inline std::string replaced_at(std::string_view payload, std::string_view path,
                               std::string_view value) {
  return text_of(replace_at(base::bytes_of(payload), path_of(path), base::bytes_of(value)));
}
inline std::string removed(std::string_view payload, const std::vector<std::string>& paths) {
  return text_of(remove(base::bytes_of(payload), paths_of(paths)));
}
inline std::string included(std::string_view payload, const std::vector<std::string>& paths) {
  return text_of(include(base::bytes_of(payload), paths_of(paths)));
}
inline std::string excluded(std::string_view payload, const std::vector<std::string>& paths) {
  return text_of(exclude(base::bytes_of(payload), paths_of(paths)));
}

// `text` repeated.
inline std::string times(size_t count, std::string_view text) {
  std::string all;
  all.reserve(count * text.size());
  for (size_t i = 0; i < count; ++i) {
    all += text;
  }
  return all;
}

}  // namespace asyncstore::payload
