#include "engine/value_stores.h"

#include <algorithm>
#include <utility>

namespace asyncstore::engine {

using base::Result;
using base::Status;
using gridstore::Gridstore;

namespace {

constexpr std::string_view k_payload_folder = "payload";
constexpr std::string_view k_sparse_prefix = "sparse-";
constexpr std::string_view k_multivector_prefix = "multi-";
// Files of two stores of one collection must not pass for each other; that of payload is 0.
constexpr uint64_t k_owner_step = 0x9E3779B97F4A7C15;

Status put_into(Gridstore& store, const Values* given, std::span<const uint32_t> slots,
                bool removes) {
  size_t next = 0;
  for (uint32_t i = 0; i < slots.size(); ++i) {
    if (given != nullptr && given->present.has(i)) {
      TRY(store.put(slots[i], given->value[next++]));
    } else if (removes) {
      store.remove(slots[i]);
    }
  }
  return store.write();
}

const Values* kept_of(const Operation& operation, uint32_t number) {
  const auto found = std::find_if(operation.kept.begin(), operation.kept.end(),
                                  [&](const KeptVectors& given) { return given.number == number; });
  return found == operation.kept.end() ? nullptr : &found->values;
}

}  // namespace

Result<std::unique_ptr<ValueStores>> ValueStores::open(const std::shared_ptr<io::Storage>& storage,
                                                       const std::string& collection_folder,
                                                       uint64_t owner, const Schema& schema,
                                                       std::span<const uint64_t> flushes) {
  std::unique_ptr<ValueStores> stores(new ValueStores);
  const auto add_folder = [&](std::string_view prefix, const std::string& number) {
    stores->folders_.push_back(collection_folder + "/" + std::string(prefix) + number);
  };
  add_folder(k_payload_folder, "");
  for (uint32_t number = 0; number < schema.sparse; ++number) {
    add_folder(k_sparse_prefix, std::to_string(number));
  }
  for (uint32_t number = 0; number < schema.multivectors.size(); ++number) {
    add_folder(k_multivector_prefix, std::to_string(number));
  }
  for (size_t at = 0; at < stores->folders_.size(); ++at) {
    const uint64_t flush = flushes.empty() ? 0 : flushes[at];
    gridstore::Options options;
    options.owner = owner + at * k_owner_step;
    options.compress = at <= schema.sparse;  // rows of numbers do not become smaller
    TRY_ASSIGN(auto store, Gridstore::open(storage, stores->folders_[at], options, flush));
    stores->stores_.push_back(std::move(store));
  }
  return stores;
}

bool ValueStores::is_folder(std::string_view name) {
  return name == k_payload_folder || name.starts_with(k_sparse_prefix) ||
         name.starts_with(k_multivector_prefix);
}

Status ValueStores::reserve(const Operation& operation) {
  if (operation.payload) {
    TRY(payload().reserve(operation.payload->bytes, operation.payload->count));
  }
  for (const KeptVectors& given : operation.kept) {
    TRY(kept(given.number).reserve(given.values.bytes, given.values.count));
  }
  return {};
}

Status ValueStores::put(const Operation& operation, std::span<const uint32_t> slots) {
  const bool whole = operation.kind == Kind::upsert;
  if (whole || operation.kind == Kind::set_payload) {
    TRY(put_into(payload(), operation.payload ? &*operation.payload : nullptr, slots, true));
  }
  for (uint32_t number = 0; number + 1 < stores_.size(); ++number) {
    const Values* given = kept_of(operation, number);
    if (given != nullptr || whole) {
      const bool removes = whole || operation.kind == Kind::delete_vectors;
      TRY(put_into(kept(number), given, slots, removes));
    }
  }
  return {};
}

void ValueStores::publish(uint32_t slot) {
  for (const auto& store : stores_) {
    store->publish(slot);
  }
}

void ValueStores::erase(uint32_t slot) {
  for (const auto& store : stores_) {
    store->remove(slot);
    store->publish(slot);
  }
}

Status ValueStores::write_out() {
  for (const auto& store : stores_) {
    TRY(store->write_out());
  }
  return {};
}

void ValueStores::release(const std::shared_ptr<const void>& holder) {
  for (const auto& store : stores_) {
    store->release(holder);
  }
}

std::vector<uint64_t> ValueStores::source_ids() const {
  std::vector<uint64_t> ids;
  for (const auto& store : stores_) {
    const auto of_store = store->source_ids();
    ids.insert(ids.end(), of_store.begin(), of_store.end());
  }
  return ids;
}

bool has_vector(const points::PointTable& table, const ValueStores& values, uint32_t slot,
                uint32_t number) {
  if (number < table.fields()) {
    return table.location(slot, number).present();
  }
  const auto entry = values.kept(number - table.fields()).find(slot);
  return !entry.ok() || entry.value().has_value();  // damage took the place, not the vector
}

}  // namespace asyncstore::engine
