#include "engine/group_points.h"

#include <utility>

namespace asyncstore::engine {

using base::Bytes;
using base::Result;
using points::PointId;

void GroupPoints::add(const Operation& operation) {
  if (operation.kind == Kind::set_vectors || operation.kind == Kind::delete_vectors) {
    return;  // of points that exist, and stay
  }
  uint32_t text = 0;
  for (uint32_t i = 0; i < operation.ids.size(); ++i) {
    Point& point = points_[operation.ids[i]];
    point.exists = operation.kind != Kind::remove;
    point.has_payload = true;
    point.payload.clear();
    if (operation.payload && operation.payload->present.has(i)) {
      const Bytes bytes = operation.payload->value[text++];
      point.payload.assign(bytes.begin(), bytes.end());
    }
  }
}

bool GroupPoints::exists(const PointId& id) const {
  const auto found = points_.find(id);
  return found != points_.end() ? found->second.exists : table_.find(id) != points::k_no_slot;
}

Result<std::vector<std::byte>> GroupPoints::payload(const PointId& id) {
  const auto found = points_.find(id);
  if (found != points_.end() && found->second.has_payload) {
    return found->second.payload;
  }
  const uint32_t slot = table_.find(id);
  if (slot == points::k_no_slot) {
    return std::vector<std::byte>();
  }
  TRY_ASSIGN(auto value, payload_.read_own(slot));
  return value ? std::move(*value) : std::vector<std::byte>();
}

}  // namespace asyncstore::engine
