#include "engine/group_points.h"

#include <algorithm>
#include <utility>

namespace asyncstore::engine {

using base::Bytes;
using base::Result;
using points::PointId;

void GroupPoints::add(const Operation& operation) {
  const bool of_vectors =
      operation.kind == Kind::set_vectors || operation.kind == Kind::delete_vectors;
  uint32_t text = 0;
  for (uint32_t i = 0; i < operation.ids.size(); ++i) {
    Point& point = points_[operation.ids[i]];
    point.exists = operation.kind != Kind::remove;
    if (operation.kind != Kind::set_payload) {
      follow_vectors(point, operation, i);
    }
    if (of_vectors) {
      continue;
    }
    point.has_payload = true;
    point.payload.clear();
    if (operation.payload && operation.payload->present.has(i)) {
      const Bytes bytes = operation.payload->value[text++];
      point.payload.assign(bytes.begin(), bytes.end());
    }
  }
}

void GroupPoints::follow_vectors(Point& point, const Operation& operation, uint32_t index) const {
  if (operation.kind == Kind::upsert || operation.kind == Kind::remove) {
    point.is_new = true;
    point.vectors.clear();
  }
  const bool given = operation.kind != Kind::delete_vectors;
  for (const FieldRows& rows : operation.fields) {
    if (!given || rows.has(index)) {
      point.vectors.emplace_back(rows.field, given);
    }
  }
  for (const KeptVectors& kept : operation.kept) {
    if (!given || kept.values.present.has(index)) {
      point.vectors.emplace_back(table_.fields() + kept.number, given);
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
  TRY_ASSIGN(auto value, values_.payload().read_own(slot));
  return value ? std::move(*value) : std::vector<std::byte>();
}

bool GroupPoints::has_vector(const PointId& id, uint32_t number) const {
  const auto found = points_.find(id);
  if (found != points_.end()) {
    const auto& vectors = found->second.vectors;
    const auto last = std::find_if(vectors.rbegin(), vectors.rend(),
                                   [&](const auto& vector) { return vector.first == number; });
    if (last != vectors.rend()) {
      return last->second;
    }
    if (found->second.is_new) {
      return false;
    }
  }
  const uint32_t slot = table_.find(id);
  return slot != points::k_no_slot && engine::has_vector(table_, values_, slot, number);
}

}  // namespace asyncstore::engine
