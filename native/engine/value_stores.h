// The Gridstores of a collection: payload, then each sparse vector and each multivector. Their keys
// are slots; what one operation changes in them is seen, flushed and named by the manifest
// together.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/operation.h"
#include "gridstore/gridstore.h"
#include "io/storage.h"
#include "points/point_table.h"

namespace asyncstore::engine {

class ValueStores {
 public:
  // Opens what the flushes of a manifest left: one number a store, or none at all when they are
  // new.
  static base::Result<std::unique_ptr<ValueStores>> open(
      const std::shared_ptr<io::Storage>& storage, const std::string& collection_folder,
      uint64_t owner, const Schema& schema, std::span<const uint64_t> flushes);
  // Whether a folder in a collection's folder belongs to a store.
  static bool is_folder(std::string_view name);

  // --- any thread ---
  gridstore::Gridstore& payload() const { return *stores_.front(); }
  // Of a vector, by its number among those that are kept as values.
  gridstore::Gridstore& kept(uint32_t number) const { return *stores_[1 + number]; }
  size_t size() const { return stores_.size(); }
  gridstore::Gridstore& operator[](size_t at) const { return *stores_[at]; }
  const std::string& folder(size_t at) const { return folders_[at]; }

  // --- writer ---
  // The space for the values of an operation.
  base::Status reserve(const Operation& operation);
  // Writes the values that the operation gives its points, and removes those that it takes; a slot
  // a point. Nobody sees it yet.
  base::Status put(const Operation& operation, std::span<const uint32_t> slots);
  // Shows what was put to a slot; in the order of the points.
  void publish(uint32_t slot);
  // Removes all values of a slot, for all to see.
  void erase(uint32_t slot);
  // Ends the operation.
  base::Status write_out();
  void release(const std::shared_ptr<const void>& holder);
  std::vector<uint64_t> source_ids() const;

 private:
  ValueStores() = default;
  std::vector<std::unique_ptr<gridstore::Gridstore>> stores_;
  std::vector<std::string> folders_;
};

// Whether the point of a slot has a vector, by its number in the schema. Any thread.
bool has_vector(const points::PointTable& table, const ValueStores& values, uint32_t slot,
                uint32_t number);

}  // namespace asyncstore::engine
