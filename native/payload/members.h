// The members of one object, each key once: at its first place, with its last value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "payload/outline.h"

namespace asyncstore::payload {

class Members {
 public:
  struct Member {
    std::string key;  // decoded
    uint32_t number;  // of the value in the outline
  };

  Members() = default;  // of an object that is not there yet
  Members(const Outline& outline, uint32_t object);

  // In the order of the text.
  const std::vector<Member>& all() const { return members_; }
  // Null if there is none.
  const Member* find(std::string_view key) const;

 private:
  std::vector<Member> members_;
  std::map<std::string, size_t, std::less<>> places_;  // key -> index in members_
};

}  // namespace asyncstore::payload
