#include "payload/members.h"

namespace asyncstore::payload {

Members::Members(const Outline& outline, uint32_t object) {
  const uint32_t end = outline.after(object);
  for (uint32_t i = Outline::first_child(object); i < end; i = outline.after(i)) {
    std::string key = outline.key(i);
    const auto [place, added] = places_.try_emplace(key, members_.size());
    if (added) {
      members_.push_back({std::move(key), i});
    } else {
      members_[place->second].number = i;
    }
  }
}

const Members::Member* Members::find(std::string_view key) const {
  const auto place = places_.find(key);
  return place == places_.end() ? nullptr : &members_[place->second];
}

}  // namespace asyncstore::payload
