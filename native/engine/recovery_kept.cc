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
// vectors. Else those that changed since it was saved are read again.
Status Collection::load_kept(const Manifest& manifest) {
  for (uint32_t kept = 0; kept < manifest.kept.size(); ++kept) {
    const ManifestKept& saved = manifest.kept[kept];
    last_index_number_ = std::max(last_index_number_, saved.number);
    const bool sparse = kept < schema().sparse;
    const uint32_t number = sparse ? kept : kept - schema().sparse;
    const std::string what = sparse ? "index of sparse vector '" + sparse_names()[number] + "'"
                                    : "codes of multivector '" + multivectors()[number].name + "'";
    if (!sparse && !multivector_indexes_.has_codes(number)) {
      continue;
    }
    if (saved.number > 0 && !whole_table_) {
      const Status loaded = sparse ? load_sparse(number, saved) : load_codes(number, saved);
      if (!loaded.ok()) {
        add_rebuilt(what + ", from the vectors: " + loaded.error().message);
      }
    }
    TRY_ASSIGN(const uint64_t lost, sparse ? follow_sparse(number) : follow_codes(number));
    if (lost > 0) {
      add_rebuilt(what + ", but for " + std::to_string(lost) +
                  " vectors that are damaged and are reported when they are read");
    }
  }
  return {};
}

Status Collection::load_sparse(uint32_t number, const ManifestKept& saved) {
  const std::string path = kept_path(number, saved.number);
  TRY_ASSIGN(auto loaded, sparse::load_index(*storage_, path, identity(), table_->slot_count()));
  TRY_ASSIGN(const SavedIndex found, found_index(path, saved, loaded.lsn));
  sparse_indexes_.load(number, std::move(loaded.index), found);
  return {};
}

Status Collection::load_codes(uint32_t number, const ManifestKept& saved) {
  const multivector::CodeFile file = codes_file(number, saved.number);
  TRY_ASSIGN(auto loaded, multivector::load_codes(*storage_, file, multivectors()[number],
                                                  table_->slot_count()));
  TRY_ASSIGN(const SavedIndex found, found_index(file.path, saved, loaded.lsn));
  multivector_indexes_.load(number, std::move(loaded.index), found);
  return {};
}

// What a manifest names and a file holds.
base::Result<SavedIndex> Collection::found_index(const std::string& path, const ManifestKept& saved,
                                                 uint64_t lsn) const {
  if (lsn != saved.lsn) {
    return base::corruption(path, 0, "the file holds another index");
  }
  TRY_ASSIGN(const uint64_t bytes, io::file_bytes(*storage_, path));
  return SavedIndex{saved.number, lsn, bytes};
}

base::Result<uint64_t> Collection::follow_sparse(uint32_t number) {
  return follow_kept(
      number, sparse::is_sound,
      [&](uint32_t slot, Bytes stored) { sparse_indexes_.set(number, slot, stored); },
      [&](uint32_t slot) { sparse_indexes_.remove(number, slot); });
}

base::Result<uint64_t> Collection::follow_codes(uint32_t number) {
  return follow_kept(
      schema().sparse + number,
      [&](Bytes stored) { return multivector::is_sound(multivectors()[number], stored); },
      [&](uint32_t slot, Bytes stored) { multivector_indexes_.set(number, slot, stored); },
      [&](uint32_t slot) { multivector_indexes_.remove(number, slot); });
}

// Calls `set` for the vectors of points of later versions than the index has, which are all where
// it was not loaded, and `remove` for slots that have none: how many are damaged.
template <typename IsSound, typename Set, typename Remove>
base::Result<uint64_t> Collection::follow_kept(uint32_t kept, const IsSound& is_sound,
                                               const Set& set, const Remove& remove) {
  const gridstore::Gridstore& store = values_->kept(kept);
  const uint64_t lsn = kept_saved_.saved(kept).lsn;
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

}  // namespace asyncstore::engine
