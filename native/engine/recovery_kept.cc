// Opening a collection: the indexes of vectors that are kept as values.
#include <algorithm>
#include <string>
#include <utility>

#include "engine/collection.h"
#include "multivector/multivector.h"
#include "sparse/index_file.h"
#include "sparse/sparse_vector.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Status;

// An index that cannot be loaded, or that a new point table tells nothing about, is made of the
// vectors.
Status Collection::load_sparse(const Manifest& manifest) {
  for (uint32_t number = 0; number < sparse_indexes_.count(); ++number) {
    const ManifestSparse& saved = manifest.sparse[number];
    last_index_number_ = std::max(last_index_number_, saved.number);
    if (saved.number > 0 && !whole_table_ && !load_saved_sparse(number, saved)) {
      sparse_indexes_.clear(number);
    }
    TRY(follow_sparse(number));
  }
  return {};
}

bool Collection::load_saved_sparse(uint32_t number, const ManifestSparse& saved) {
  const std::string path = sparse_path(saved.number);
  auto read = sparse::load_index(*storage_, path, identity(), table_->slot_count());
  if (read.ok() && read.value().lsn != saved.lsn) {
    read = base::corruption(path, 0, "the file holds another index");
  }
  const auto bytes = io::file_bytes(*storage_, path);
  if (!read.ok() || !bytes.ok()) {
    add_rebuilt("index of sparse vector '" + sparse_names()[number] +
                "', from the vectors: " + (read.ok() ? bytes.error() : read.error()).message);
    return false;
  }
  sparse_indexes_.load(number, std::move(read.value().index),
                       {saved.number, saved.lsn, bytes.value()});
  return true;
}

// Vectors that changed since the index was saved are read again; all of them, where it was not.
Status Collection::follow_sparse(uint32_t number) {
  const SavedIndex saved = sparse_indexes_.saved(number);
  TRY_ASSIGN(const uint64_t lost,
             follow_kept(
                 number, saved.number > 0 ? saved.lsn : 0, sparse::is_sound,
                 [&](uint32_t slot, Bytes stored) { sparse_indexes_.set(number, slot, stored); },
                 [&](uint32_t slot) { sparse_indexes_.remove(number, slot); }));
  tell_lost(lost, "index of sparse vector '" + sparse_names()[number] + "'");
  return {};
}

// Codes are made of the vectors.
Status Collection::load_multivectors() {
  for (uint32_t number = 0; number < multivectors().size(); ++number) {
    if (!multivector_indexes_.has_codes(number)) {
      continue;
    }
    const segment::Field& field = multivectors()[number];
    TRY_ASSIGN(
        const uint64_t lost,
        follow_kept(
            schema().sparse + number, 0,
            [&](Bytes stored) { return multivector::is_sound(field, stored); },
            [&](uint32_t slot, Bytes stored) { multivector_indexes_.set(number, slot, stored); },
            [&](uint32_t slot) { multivector_indexes_.remove(number, slot); }));
    tell_lost(lost, "codes of multivector '" + field.name + "'");
  }
  return {};
}

// Calls `set` for the vectors of points of later versions than `lsn`, and `remove` for slots that
// have none: how many are damaged.
template <typename IsSound, typename Set, typename Remove>
base::Result<uint64_t> Collection::follow_kept(uint32_t number, uint64_t lsn,
                                               const IsSound& is_sound, const Set& set,
                                               const Remove& remove) {
  const gridstore::Gridstore& store = values_->kept(number);
  uint64_t lost = 0;
  for (uint32_t slot = 0; slot < table_->slot_count(); ++slot) {
    const bool live = table_->live(slot);
    if (live && lsn > 0 && table_->version(slot) <= lsn) {
      continue;
    }
    auto vector = live ? store.read(slot) : std::optional<std::vector<std::byte>>();
    if (!vector.ok() && vector.error().code != base::Code::corruption) {
      return std::move(vector.error());
    }
    const bool is_lost = !vector.ok() || (vector.value() && !is_sound(*vector.value()));
    lost += is_lost ? 1 : 0;
    if (!is_lost && vector.value()) {
      set(slot, *vector.value());
    } else {
      remove(slot);
    }
  }
  return lost;
}

void Collection::tell_lost(uint64_t lost, const std::string& what) {
  if (lost > 0) {
    add_rebuilt(what + ", but for " + std::to_string(lost) +
                " vectors that are damaged and are reported when they are read");
  }
}

}  // namespace asyncstore::engine
