#include "engine/check_values.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "engine/errors.h"

namespace asyncstore::engine {

using base::Error;
using base::Status;

namespace {

constexpr uint32_t k_part_slots = 256;  // between two looks at `stopping`
constexpr int k_attempts = 3;
constexpr auto k_attempt_wait = std::chrono::milliseconds(10);

struct Wrong {
  uint32_t slot;
  Error error;
};

Damage damage_of(DamageKind kind, uint32_t part, uint32_t first, const Error& error) {
  return {kind, {true, error.file, error.offset_bytes, error.message}, part, 0, first, 1};
}

// Of slots [begin, end): a value without a point is one too many, one that is lost is lost to a
// point.
void sort_out(const points::PointTable& table, uint32_t part, const CheckedStore& values,
              uint32_t begin, uint32_t end, const std::vector<Wrong>& wrong,
              std::vector<Damage>& found) {
  const auto lock = table.read_lock();
  const auto live = [&](uint32_t slot) { return slot < table.slot_count() && table.live(slot); };
  for (const auto& [slot, error] : wrong) {
    if (live(slot)) {
      found.push_back(damage_of(DamageKind::value, part, slot, error));
      found.back().finding.text +=
          ": " + values.what + " of point " + table.id(slot).text() + " is lost. " + values.remedy;
    }
  }
  for (uint32_t slot = begin; slot < end; ++slot) {
    const auto value = values.store->find(slot);
    if ((!value.ok() || value.value()) && !live(slot)) {
      found.push_back(damage_of(
          DamageKind::orphan_value, part, slot,
          base::corruption(values.folder, slot,
                           "slot " + std::to_string(slot) + " has a value, but no point,")));
    }
  }
}

std::vector<Damage> look_at_pointers(const CheckedStore& values, uint32_t part) {
  std::vector<Damage> found;
  values.store->check_tracker([&](uint32_t page, const Error& error) {
    found.push_back(damage_of(DamageKind::tracker_page, part, page, error));
  });
  values.store->check_dictionaries([&](uint32_t number, const Error& error) {
    found.push_back(damage_of(DamageKind::dictionary, part, number, error));
  });
  const Status journal = values.store->check_journal(values.flush_number);
  if (!journal.ok()) {
    found.push_back(damage_of(DamageKind::journal, part, 0, journal.error()));
  }
  return found;
}

}  // namespace

std::vector<CheckedStore> stores_of(Collection& collection) {
  const Manifest saved = collection.saved();
  ValueStores& values = collection.values();
  std::vector<CheckedStore> stores = {
      {&values.payload(), values.folder(0), "the payload",
       "overwrite_payload and clear_payload replace it, upsert and delete the point; or put "
       "the file back from a copy while the store is closed",
       saved.flushes[0]}};
  std::vector<std::string> names = collection.sparse_names();
  for (const segment::Field& field : collection.multivectors()) {
    names.push_back(field.name);
  }
  for (uint32_t number = 0; number < names.size(); ++number) {
    const std::string name = names[number].empty() ? "" : " '" + names[number] + "'";
    stores.push_back({&values.kept(number), values.folder(1 + number), "the vector" + name,
                      "update_vectors and delete_vectors replace it, upsert and delete the point; "
                      "or put the file back from a copy while the store is closed",
                      saved.flushes[1 + number]});
  }
  return stores;
}

Status check_values(Collection& collection, uint32_t part, uint32_t begin, uint32_t end,
                    const std::function<bool()>& stopping, std::vector<Damage>& found) {
  const CheckedStore values = stores_of(collection)[part];
  end = std::min(end, values.store->slot_count());
  for (uint32_t first = begin; first < end; first += std::min(k_part_slots, end - first)) {
    if (stopping()) {
      return store_closed();
    }
    const uint32_t last = first + std::min(k_part_slots, end - first);
    std::vector<Wrong> wrong;
    const auto view = collection.view();  // holds the values that are looked at
    const Status read = values.store->check(
        first, last, [&](uint32_t slot, const Error& error) { wrong.push_back({slot, error}); });
    if (!read.ok()) {
      found.push_back(damage_of(DamageKind::file_gone, part, first, read.error()));
    }
    sort_out(collection.table(), part, values, first, last, wrong, found);
  }
  return {};
}

void check_pointers(Collection& collection, uint32_t part, std::vector<Damage>& found) {
  std::vector<Damage> damage;
  for (int attempt = 0; attempt < k_attempts && (attempt == 0 || !damage.empty()); ++attempt) {
    std::this_thread::sleep_for(attempt * k_attempt_wait);
    damage = look_at_pointers(stores_of(collection)[part], part);
  }
  std::move(damage.begin(), damage.end(), std::back_inserter(found));
}

}  // namespace asyncstore::engine
