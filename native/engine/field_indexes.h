// The payload indexes of a collection.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/index_definition.h"
#include "engine/operation.h"
#include "engine/saved_indexes.h"
#include "fields/field_index.h"
#include "gridstore/gridstore.h"
#include "payload/path.h"

namespace asyncstore::engine {

// One of them. Until it is made of the points that are there it has no content: filters then test
// payloads. While it is being made, the slots that change are noted.
class PayloadIndex {
 public:
  explicit PayloadIndex(IndexDefinition definition) : definition_(std::move(definition)) {}

  // --- any thread ---
  const IndexDefinition& definition() const { return definition_; }
  // Null while it is being made.
  std::shared_ptr<fields::FieldIndex> content() const;
  // The user has dropped it.
  bool dropped() const { return dropped_.load(std::memory_order_relaxed); }
  void drop() { dropped_.store(true, std::memory_order_relaxed); }
  SavedIndex saved() const;
  void set_saved(SavedIndex saved);
  // From here on, until end_build(), slots that change are noted.
  void begin_build();
  void end_build();
  // Those that were since the last call.
  std::vector<uint32_t> take_changed();

  // --- writer (and opening, before anything else) ---
  // Without flags, the values are those of a slot without a point.
  void set(uint32_t slot, const fields::Values& values);
  void begin_use(std::shared_ptr<fields::FieldIndex> content);
  uint64_t changes = 0;  // since it was saved

 private:
  const IndexDefinition definition_;
  std::atomic<bool> dropped_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<fields::FieldIndex> content_;
  bool is_building_ = false;
  std::vector<uint32_t> changed_;
  SavedIndex saved_;
};

// Any thread reads the list; the writer changes it.
class FieldIndexes {
 public:
  using List = std::vector<std::shared_ptr<PayloadIndex>>;

  FieldIndexes() : list_(std::make_shared<const List>()) {}

  // In the order of their making.
  std::shared_ptr<const List> list() const;
  // Of a field, whether it has content or not; null when there is none.
  std::shared_ptr<PayloadIndex> find(const std::string& key) const;
  // The content of one of the values at a path, where there is one.
  std::shared_ptr<const fields::FieldIndex> find(const payload::Path& path) const;

  // --- writer ---
  // In place of another one of the field. Nothing happens when there is the same already.
  void create(IndexDefinition definition);
  void drop(const std::string& key);
  void add(std::shared_ptr<PayloadIndex> index);
  void remove_slot(uint32_t slot);

 private:
  void replace(List list);

  mutable std::mutex mutex_;
  std::shared_ptr<const List> list_;
};

// What an operation changes in the indexes, worked out before anybody is kept waiting.
class IndexUpdate {
 public:
  // Error: a payload does not parse.
  static base::Result<IndexUpdate> of(const FieldIndexes& indexes, const Operation& operation);
  // Shows it: point `point` of the operation is in this slot.
  void publish(uint32_t point, uint32_t slot) const;

 private:
  std::shared_ptr<const FieldIndexes::List> list_;  // null: nothing changes
  std::vector<fields::Values> values_;              // for each point, for each index of the list
};

// What the payloads of a point hold for several indexes; `payload` may be empty.
class IndexedValues {
 public:
  explicit IndexedValues(const FieldIndexes::List& list);
  // Appends one for each index. Error: it does not parse.
  base::Status extract(base::Bytes payload, std::vector<fields::Values>& values) const;
  // The same of a slot with a point, whose payload is read. Any other error: it cannot be read.
  base::Status read(const gridstore::Gridstore& payloads, uint32_t slot,
                    std::vector<fields::Values>& values) const;

 private:
  const FieldIndexes::List& list_;
  uint32_t levels_ = 0;
};

}  // namespace asyncstore::engine
