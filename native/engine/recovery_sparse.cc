// Opening a collection: the indexes of its sparse vectors.
#include <algorithm>
#include <string>
#include <utility>

#include "engine/collection.h"
#include "sparse/index_file.h"
#include "sparse/sparse_vector.h"

namespace asyncstore::engine {

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
  const gridstore::Gridstore& store = values_->kept(number);
  const SavedIndex saved = sparse_indexes_.saved(number);
  uint64_t lost = 0;
  for (uint32_t slot = 0; slot < table_->slot_count(); ++slot) {
    const bool live = table_->live(slot);
    if (live && saved.number > 0 && table_->version(slot) <= saved.lsn) {
      continue;
    }
    auto vector = live ? store.read(slot) : std::optional<std::vector<std::byte>>();
    if (!vector.ok() && vector.error().code != base::Code::corruption) {
      return std::move(vector.error());
    }
    if (!vector.ok() || (vector.value() && !sparse::is_sound(*vector.value()))) {
      ++lost;
    }
    if (vector.ok() && vector.value() && sparse::is_sound(*vector.value())) {
      sparse_indexes_.set(number, slot, *vector.value());
    } else {
      sparse_indexes_.remove(number, slot);
    }
  }
  if (lost > 0) {
    add_rebuilt("index of sparse vector '" + sparse_names()[number] + "', but for " +
                std::to_string(lost) +
                " vectors that are damaged and are reported when they are read");
  }
  return {};
}

}  // namespace asyncstore::engine
