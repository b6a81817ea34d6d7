#include "engine/catalog.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <random>
#include <utility>

#include "base/limits.h"
#include "engine/value_stores.h"

namespace asyncstore::engine {

using base::Result;
using base::Status;

namespace {

constexpr uint64_t k_description_bytes_max = 64 << 20;  // COLLECTION

// The folders of a collection's data that are there.
Result<std::vector<std::string>> data_folders(io::Storage& storage, const std::string& folder) {
  TRY_ASSIGN(const auto names, storage.list(folder));
  std::vector<std::string> folders;
  for (const std::string& name : names) {
    const bool fixed = name == "segments" || name == "points" || name == "wal";
    if (fixed || ValueStores::is_folder(name)) {
      folders.push_back(std::string(folder).append("/").append(name));
    }
  }
  return folders;
}

uint64_t random_identity() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

uint64_t number_of(const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

Status Catalog::open() {
  TRY_ASSIGN(const auto names, storage_->list(folder_));
  for (const auto& name : names) {
    const uint64_t number = number_of(name);
    if (number > 0) {  // others are not ours
      next_number_ = std::max(next_number_, number + 1);
      TRY(open_folder(name));
    }
  }
  open_aliases();
  return {};
}

// Where the name of a collection cannot be read, any alias may be its.
void Catalog::open_aliases() {
  const bool is_any =
      std::any_of(broken_.begin(), broken_.end(), [](const auto& one) { return !one.has_name; });
  aliases_.open([&](const std::string& name) { return is_any || is_collection(name); });
}

Status Catalog::open_folder(const std::string& number) {
  const std::string folder = folder_ + "/" + number;
  const std::string description = folder + "/COLLECTION";
  const auto described = storage_->open(description, io::Open::read);
  if (!described.ok() && described.error().os_errno == ENOENT) {
    if (is_remnant(folder)) {
      return remove_files(folder);
    }
    broken_.push_back({number, folder,
                       base::corruption(description, 0,
                                        "the file is missing, but the folder around it "
                                        "holds data: put it back, or remove the folder;"),
                       false});
    return {};
  }
  auto opened = Collection::open(storage_, folder, options_);
  if (opened.ok()) {
    collections_.emplace(opened.value()->name(), opened.value());
    return {};
  }
  const auto content = io::read_file(*storage_, description, k_description_bytes_max);
  auto file = content.ok() ? parse_collection(description, content.value())
                           : Result<CollectionFile>(content.error());
  broken_.push_back(
      {file.ok() ? file.value().name : number, folder, std::move(opened.error()), file.ok()});
  return {};
}

void Catalog::close() {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, collection] : collections_) {
    collection->close();
  }
  collections_.clear();
}

std::vector<std::shared_ptr<Collection>> Catalog::collections() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Collection>> all;
  all.reserve(collections_.size());
  for (const auto& [name, collection] : collections_) {
    all.push_back(collection);
  }
  return all;
}

std::vector<BrokenCollection> Catalog::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

bool Catalog::is_collection(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return collections_.contains(name) ||
         std::any_of(broken_.begin(), broken_.end(),
                     [&](const auto& one) { return one.name == name; });
}

Status Catalog::change_aliases(std::span<const AliasAction> actions) {
  return aliases_.change(actions, [&](const std::string& name) { return is_collection(name); });
}

Result<std::shared_ptr<Collection>> Catalog::create(CollectionFile file) {
  const std::string name = file.name;
  file.identity = random_identity();
  if (is_collection(name)) {
    return name_taken(name);
  }
  TRY_ASSIGN(const bool is_alias, aliases_.contains(name));
  if (is_alias) {
    return base::invalid_argument("Can't create collection with name " + name +
                                  ". Alias with the same name already exists");
  }
  TRY(aliases_.settle());
  uint64_t number;
  {
    const std::lock_guard lock(mutex_);
    if (collections_.size() >= base::k_collections_max) {
      return base::invalid_argument("a store holds at most " +
                                    std::to_string(base::k_collections_max) + " collections");
    }
    number = next_number_++;
  }
  const std::string folder = folder_ + "/" + std::to_string(number);
  TRY(storage_->create_folder(folder));
  auto made = Collection::create(storage_, folder, options_, std::move(file));
  Status synced = made.ok() ? storage_->sync_folder(folder_) : Status(std::move(made.error()));
  if (!synced.ok()) {
    static_cast<void>(
        storage_->remove_folder(folder).ok());  // an orphan is removed at the next open
    return std::move(synced.error());
  }
  const std::lock_guard lock(mutex_);
  collections_.emplace(name, made.value());
  return made.value();
}

Result<bool> Catalog::remove(const std::string& name,
                             const std::function<void(Collection&)>& leave) {
  std::shared_ptr<Collection> collection;
  std::string folder;
  {
    const std::lock_guard lock(mutex_);
    const auto found = collections_.find(name);
    const auto damaged = std::find_if(broken_.begin(), broken_.end(),
                                      [&](const auto& one) { return one.name == name; });
    if (found != collections_.end()) {
      collection = found->second;
      folder = collection->folder();
    } else if (damaged != broken_.end()) {
      folder = damaged->folder;
    } else {
      return false;
    }
  }
  if (collection) {
    leave(*collection);
  }
  TRY(mark_deleted(folder));  // from here on it is gone
  {
    const std::lock_guard lock(mutex_);
    collections_.erase(name);
    std::erase_if(broken_, [&](const auto& one) { return one.folder == folder; });
  }
  aliases_.forget(name);
  // Searches that hold the files go on reading them; what cannot be removed is an orphan.
  static_cast<void>(remove_files(folder).ok());
  return true;
}

// One step of the file system, so that a crash leaves the collection or none.
Status Catalog::mark_deleted(const std::string& folder) {
  const std::string mark = folder + "/DELETED";
  if (storage_->exists(folder + "/COLLECTION")) {
    TRY(storage_->rename(folder + "/COLLECTION", mark));
  } else {
    TRY(storage_->open(mark, io::Open::create_or_open));  // lost with other files
  }
  return storage_->sync_folder(folder);
}

// Whether a folder without COLLECTION is what a crash left of a creation or a deletion. Where there
// is data, and no mark that it was deleted, the file was lost.
bool Catalog::is_remnant(const std::string& folder) {
  if (storage_->exists(folder + "/DELETED")) {
    return true;
  }
  const auto parts = data_folders(*storage_, folder);
  if (!parts.ok()) {
    return false;
  }
  return std::all_of(parts.value().begin(), parts.value().end(), [&](const std::string& part) {
    const auto names = storage_->list(part);
    return names.ok() ? names.value().empty() : names.error().os_errno == ENOENT;
  });
}

// The mark of a deletion goes last, so that a crash on the way leaves a remnant.
Status Catalog::remove_files(const std::string& folder) {
  TRY_ASSIGN(const auto parts, data_folders(*storage_, folder));
  for (const std::string& part : parts) {
    TRY(storage_->remove_folder(part));
  }
  return storage_->remove_folder(folder);
}

}  // namespace asyncstore::engine
