#include "engine/catalog.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <random>
#include <utility>

#include "base/assert.h"
#include "base/limits.h"
#include "engine/check.h"
#include "engine/errors.h"
#include "engine/value_stores.h"

namespace asyncstore::engine {

using base::Result;
using base::Status;

namespace {

constexpr uint64_t k_description_bytes_max = 64 << 20;  // COLLECTION
constexpr const char* k_parts[] = {"segments", "points", "fields", "wal"};

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

base::Error too_many() {
  return base::invalid_argument("a store holds at most " + std::to_string(base::k_collections_max) +
                                " collections");
}

base::Error alias_has(const std::string& name) {
  return base::invalid_argument("Can't create collection with name " + name +
                                ". Alias with the same name already exists");
}

// Whether every byte of a collection that came from elsewhere is as its checksums say. What an open
// makes anew of other files counts as damage too: nobody would look for its cause later. Its
// description still waits under another name.
Status verify(Collection& collection, const std::function<bool()>& stopping) {
  TRY_ASSIGN(const auto found, check_collection(collection, stopping));
  const auto damage = std::find_if(found.begin(), found.end(), [](const Damage& one) {
    const bool is_damage = one.kind == DamageKind::rebuilt || is_error(one.kind);
    return is_damage && one.kind != DamageKind::collection_file;
  });
  if (damage == found.end()) {
    return {};
  }
  const Finding& finding = damage->finding;
  return base::corruption(finding.file, finding.offset_bytes, finding.text);
}

// Of all files of a log; what cannot be read is told of when the collection is opened.
uint64_t log_bytes(io::Storage& storage, const std::string& folder) {
  const auto names = storage.list(folder);
  uint64_t bytes = 0;
  for (const auto& name : names.ok() ? names.value() : std::vector<std::string>()) {
    const bool counts = name.ends_with(".wal");
    const std::string path = std::string(folder).append("/").append(name);
    const auto size = counts ? io::file_bytes(storage, path) : Result<uint64_t>(0);
    bytes += size.ok() ? size.value() : 0;
  }
  return bytes;
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

// Newest first: where two have the same name, a crash came between the newer one's taking its place
// and the removal of the older one.
Status Catalog::open() {
  TRY_ASSIGN(const auto names, storage_->list(folder_));
  std::vector<uint64_t> numbers;
  for (const auto& name : names) {
    const uint64_t number = number_of(name);
    if (number > 0) {  // others are not ours
      next_number_ = std::max(next_number_, number + 1);
      numbers.push_back(number);
    }
  }
  std::sort(numbers.rbegin(), numbers.rend());
  begin_opening(numbers);
  for (const uint64_t number : numbers) {
    TRY(open_folder(std::to_string(number)));
    if (options_.opening) {
      options_.opening->collection_opened();
    }
  }
  open_aliases();
  return {};
}

void Catalog::begin_opening(std::span<const uint64_t> numbers) {
  if (options_.opening) {
    std::vector<uint64_t> bytes;
    for (const uint64_t number : numbers) {
      bytes.push_back(log_bytes(*storage_, folder_ + "/" + std::to_string(number) + "/wal"));
    }
    options_.opening->begin(bytes);
  }
}

bool Catalog::is_stopped() const {
  return options_.opening && options_.opening->stopped();
}

// Where the name of a collection cannot be read, any alias may be its.
void Catalog::open_aliases() {
  const bool is_any =
      std::any_of(broken_.begin(), broken_.end(), [](const auto& one) { return !one.has_name; });
  aliases_.open([&](const std::string& name) { return is_any || is_collection(name); });
}

Status Catalog::open_folder(const std::string& number) {
  if (is_stopped()) {
    return store_closed();
  }
  const std::string folder = folder_ + "/" + number;
  const std::string description = folder + "/COLLECTION";
  const auto content = io::read_file(*storage_, description, k_description_bytes_max);
  if (!content.ok() && content.error().os_errno == ENOENT) {
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
  auto file = content.ok() ? parse_collection(description, content.value())
                           : Result<CollectionFile>(content.error());
  if (!file.ok()) {
    broken_.push_back({number, folder, std::move(file.error()), false});
    return {};
  }
  const std::string name = file.value().name;
  if (is_taken(name)) {
    return forget_older(folder, name);
  }
  auto opened = Collection::open(storage_, folder, options_, std::move(file.value()));
  if (opened.ok()) {
    collections_.emplace(name, std::move(opened.value()));
  } else if (is_stopped()) {
    return store_closed();
  } else {
    broken_.push_back({name, folder, std::move(opened.error())});
  }
  return {};
}

// The older of two of one name goes, unless the newer one is damaged: then nothing is guessed.
Status Catalog::forget_older(const std::string& folder, const std::string& name) {
  if (collections_.contains(name)) {
    TRY(mark_deleted(folder));
    return remove_files(folder);
  }
  broken_.push_back({name, folder,
                     base::corruption(folder + "/COLLECTION", 0,
                                      "another collection has taken the place of this one, and is "
                                      "damaged: remove the folder of either;")});
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

bool Catalog::is_taken(const std::string& name) const {
  return collections_.contains(name) ||
         std::any_of(broken_.begin(), broken_.end(),
                     [&](const auto& one) { return one.name == name; });
}

bool Catalog::is_collection(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return is_taken(name);
}

Status Catalog::check_no_alias(const std::string& name) {
  TRY_ASSIGN(const bool is_alias, aliases_.contains(name));
  if (is_alias) {
    return alias_has(name);
  }
  return aliases_.settle();
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
  TRY(check_no_alias(name));
  uint64_t number;
  {
    const std::lock_guard lock(mutex_);
    if (collections_.size() >= base::k_collections_max) {
      return too_many();
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

// The description waits under the mark of a deletion, which makes the folder a remnant, until one
// rename makes it a collection.
Result<std::string> Catalog::move_in(const std::string& source, const CollectionFile& file) {
  for (const char* part : k_parts) {
    TRY(storage_->create_folder(source + "/" + part));
  }
  TRY(io::replace_file(*storage_, source + "/DELETED", encode(file)));
  TRY(storage_->remove(source + "/COLLECTION"));
  TRY(storage_->sync_folder(source));
  std::string folder;
  {
    const std::lock_guard lock(mutex_);
    folder = folder_ + "/" + std::to_string(next_number_++);
  }
  TRY(storage_->rename(source, folder));
  Status synced = storage_->sync_folder(folder_);
  if (!synced.ok()) {
    static_cast<void>(storage_->remove_folder(folder).ok());
    return std::move(synced.error());
  }
  return folder;
}

Result<Arrival> Catalog::receive(const std::string& source, const std::string& name,
                                 const std::function<bool()>& stopping) {
  // So that nothing is verified in vain. What counts is what replace() sees: it alone, of the two,
  // runs where aliases are changed.
  TRY_ASSIGN(const bool is_alias, aliases_.contains(name));
  if (is_alias) {
    return alias_has(name);
  }
  const std::string description = source + "/COLLECTION";
  TRY_ASSIGN(const auto content, io::read_file(*storage_, description, k_description_bytes_max));
  TRY_ASSIGN(CollectionFile file, parse_collection(description, content));
  file.name = name;
  TRY_ASSIGN(std::string folder, move_in(source, file));
  Arrival arrival{nullptr, std::move(folder)};
  auto opened = Collection::open(storage_, arrival.folder, options_, std::move(file));
  if (!opened.ok()) {
    refuse(arrival);
    return std::move(opened.error());
  }
  arrival.collection = std::move(opened.value());
  Status sound = verify(*arrival.collection, stopping);
  if (!sound.ok()) {
    refuse(arrival);
    return std::move(sound.error());
  }
  return arrival;
}

void Catalog::refuse(const Arrival& arrival) {
  if (arrival.collection) {
    arrival.collection->drop();
    arrival.collection->close();
  }
  // What cannot be removed is a remnant.
  static_cast<void>(remove_files(arrival.folder).ok());
}

Status Catalog::replace(const Arrival& arrival, const std::function<void(Collection&)>& leave) {
  const std::string& folder = arrival.folder;
  const std::string& name = arrival.collection->name();
  TRY(check_no_alias(name));
  {
    const std::lock_guard lock(mutex_);
    if (!is_taken(name) && collections_.size() >= base::k_collections_max) {
      return too_many();
    }
  }
  TRY(storage_->rename(folder + "/DELETED", folder + "/COLLECTION"));
  Status synced = storage_->sync_folder(folder);
  if (!synced.ok()) {
    static_cast<void>(storage_->rename(folder + "/COLLECTION", folder + "/DELETED").ok());
    return std::move(synced.error());
  }
  remove_replaced(name, folder, leave);
  const std::lock_guard lock(mutex_);
  collections_.emplace(name, arrival.collection);
  return {};
}

// What fails here is done by the next open: the newer folder has the name.
void Catalog::remove_replaced(const std::string& name, const std::string& by,
                              const std::function<void(Collection&)>& leave) {
  std::vector<std::string> folders;
  std::shared_ptr<Collection> collection;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = collections_.find(name); found != collections_.end()) {
      collection = found->second;
      folders.push_back(collection->folder());
      collections_.erase(found);
    }
    for (const BrokenCollection& one : broken_) {
      if (one.name == name) {
        folders.push_back(one.folder);
      }
    }
    std::erase_if(broken_, [&](const auto& one) { return one.name == name; });
  }
  ASSERT(std::find(folders.begin(), folders.end(), by) == folders.end());
  if (collection) {
    leave(*collection);
  }
  for (const std::string& folder : folders) {
    if (mark_deleted(folder).ok()) {
      static_cast<void>(remove_files(folder).ok());
    }
  }
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
