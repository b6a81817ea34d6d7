// A storage that remembers what would be left after a power cut.
//
// Of each file and each folder it keeps what its last sync made durable, and all that was done to
// it since: writes, truncations and allocations of a file; of a folder the names that came, went
// and changed, folders among them. cut() decides what of it reached the disk. Files and folders do
// so apart from each other: POSIX orders nothing but what a sync waits for.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "io/storage.h"

namespace asyncstore::storage_test {

enum class Cut : uint8_t {
  synced,   // only what was synced
  prefix,   // all that was done until the cut
  mixture,  // of each file and folder any part: all, nothing, a prefix whose last write is torn, or
            // each change there, absent, or torn, in 512 bytes or 4 KiB
};

class PowerCutStorage final : public io::Storage {
  using Content = std::vector<std::byte>;
  struct Change {  // of a file
    uint64_t offset = 0;
    Content written = {};
    uint64_t size = 0;  // at least, or, of a truncation, exactly
    bool truncates = false;
  };
  struct Inode {
    std::mutex mutex;
    Content durable;
    std::vector<Change> since;
  };
  struct Folder;
  struct Entry {  // one of both, or, where a name went, none
    std::shared_ptr<Inode> file = nullptr;
    std::shared_ptr<Folder> folder = nullptr;
  };
  using Names = std::map<std::string, Entry>;
  struct Folder {
    Names live;
    Names durable;
    // What one call did to names; a rename is one change of two names.
    std::vector<Names> since;

    void change(Names names) {
      set(live, names);
      since.push_back(std::move(names));
    }
    static void set(Names& target, const Names& names) {
      for (const auto& [name, entry] : names) {
        if (entry.file || entry.folder) {
          target[name] = entry;
        } else {
          target.erase(name);
        }
      }
    }
  };

  class CutFile final : public io::File {
   public:
    CutFile(std::unique_ptr<io::File> file, std::shared_ptr<Inode> inode)
        : file_(std::move(file)), inode_(std::move(inode)) {}
    const std::string& path() const override { return file_->path(); }
    int fd() const override { return file_->fd(); }
    base::Status read_at(uint64_t offset, base::MutableBytes target) override {
      return file_->read_at(offset, target);
    }
    base::Status write_at(uint64_t offset, base::Bytes source) override {
      TRY(file_->write_at(offset, source));
      return note({offset, {source.begin(), source.end()}, offset + source.size()});
    }
    base::Status sync() override {
      const std::lock_guard lock(inode_->mutex);
      for (const Change& change : inode_->since) {
        apply(change, inode_->durable);
      }
      inode_->since.clear();
      return {};
    }
    base::Status truncate(uint64_t size) override {
      TRY(file_->truncate(size));
      return note({0, {}, size, true});
    }
    base::Status allocate(uint64_t offset, uint64_t length) override {
      TRY(file_->allocate(offset, length));
      return note({0, {}, offset + length});
    }
    base::Result<uint64_t> size() override { return file_->size(); }

   private:
    base::Status note(Change change) {
      const std::lock_guard lock(inode_->mutex);
      inode_->since.push_back(std::move(change));
      return {};
    }

    std::unique_ptr<io::File> file_;
    std::shared_ptr<Inode> inode_;
  };

 public:
  base::Result<std::unique_ptr<io::File>> open(const std::string& path, io::Open mode) override {
    const std::lock_guard lock(mutex_);
    TRY_ASSIGN(auto file, storage_->open(path, mode));
    Folder& folder = folder_of(path);
    auto inode = folder.live[name_of(path)].file;
    if (!inode) {
      inode = std::make_shared<Inode>();
      folder.change({{name_of(path), {inode}}});
    }
    return std::unique_ptr<io::File>(std::make_unique<CutFile>(std::move(file), inode));
  }
  base::Status rename(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    TRY(storage_->rename(from, to));
    REQUIRE(io::parent_folder(from) == io::parent_folder(to));
    Folder& folder = folder_of(from);
    folder.change({{name_of(from), {}}, {name_of(to), folder.live[name_of(from)]}});
    return {};
  }
  base::Status remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    TRY(storage_->remove(path));
    folder_of(path).change({{name_of(path), {}}});
    return {};
  }
  base::Status create_folder(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    TRY(storage_->create_folder(path));
    if (auto& made = folders_[path]; !made) {
      made = std::make_shared<Folder>();
      folder_of(path).change({{name_of(path), {nullptr, made}}});
    }
    return {};
  }
  base::Status remove_folder(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    TRY(storage_->remove_folder(path));
    folder_of(path).change({{name_of(path), {}}});
    std::erase_if(folders_,
                  [&](const auto& one) { return (one.first + "/").starts_with(path + "/"); });
    return {};
  }
  base::Result<std::vector<std::string>> list(const std::string& path) override {
    return storage_->list(path);
  }
  bool exists(const std::string& path) override { return storage_->exists(path); }
  base::Status sync_folder(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = folders_.find(path); found != folders_.end()) {
      found->second->durable = found->second->live;
      found->second->since.clear();
    }
    return {};
  }

  // Writes to the folder `target` what is left of the folder `root`.
  void cut(const std::string& root, const std::string& target, Cut how, uint64_t seed) {
    const std::lock_guard lock(mutex_);
    std::mt19937_64 random(seed);
    std::filesystem::create_directories(target);
    if (const auto found = folders_.find(root); found != folders_.end()) {
      leave(*found->second, target, how, random);
    }
  }

 private:
  // What of a list of changes reached the disk.
  enum class Part : uint8_t { nothing, all, prefix, each };

  static std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

  // A folder above all, which was there before, is durable.
  Folder& folder_of(const std::string& path) {
    auto& folder = folders_[io::parent_folder(path)];
    if (!folder) {
      folder = std::make_shared<Folder>();
    }
    return *folder;
  }

  static Part part_of(Cut how, std::mt19937_64& random) {
    return how == Cut::synced   ? Part::nothing
           : how == Cut::prefix ? Part::all
                                : static_cast<Part>(random() % 4);
  }

  static void leave(Folder& folder, const std::string& target, Cut how, std::mt19937_64& random) {
    const Part part = part_of(how, random);
    Names names = folder.durable;
    size_t left = part == Part::nothing  ? 0
                  : part == Part::prefix ? random() % (folder.since.size() + 1)
                                         : folder.since.size();
    for (size_t i = 0; i < left; ++i) {
      if (part != Part::each || random() % 2 == 0) {
        Folder::set(names, folder.since[i]);
      }
    }
    for (const auto& [name, entry] : names) {
      const std::string path = std::string(target).append("/").append(name);
      if (entry.folder) {
        std::filesystem::create_directory(path);
        leave(*entry.folder, path, how, random);
        continue;
      }
      const Content content = left_of(*entry.file, how, random);
      std::ofstream file(path, std::ios::binary);
      file.write(reinterpret_cast<const char*>(content.data()),
                 static_cast<std::streamsize>(content.size()));
    }
  }

  static Content left_of(Inode& inode, Cut how, std::mt19937_64& random) {
    const std::lock_guard lock(inode.mutex);
    const Part part = part_of(how, random);
    const uint64_t sector = random() % 2 == 0 ? 512 : 4096;
    Content content = inode.durable;
    const size_t left = part == Part::nothing  ? 0
                        : part == Part::prefix ? random() % (inode.since.size() + 1)
                                               : inode.since.size();
    for (size_t i = 0; i < left; ++i) {
      const bool torn =
          part == Part::prefix ? i + 1 == left : part == Part::each && random() % 3 == 0;
      if (torn) {
        apply_torn(inode.since[i], content, sector, random);
      } else if (part != Part::each || random() % 2 == 0) {
        apply(inode.since[i], content);
      }
    }
    return content;
  }

  static void apply(const Change& change, Content& content) {
    if (change.truncates || content.size() < change.size) {
      content.resize(change.size);
    }
    std::copy(change.written.begin(), change.written.end(),
              content.begin() + static_cast<ptrdiff_t>(change.offset));
  }

  // Some of the sectors that it touches; the size is that of all of it, or as far as it got.
  static void apply_torn(const Change& change, Content& content, uint64_t sector,
                         std::mt19937_64& random) {
    if (change.written.empty()) {
      return;  // a size is there or not
    }
    if (random() % 2 == 0) {
      content.resize(std::max<size_t>(content.size(), change.size));
    }
    for (uint64_t at = change.offset; at < change.size;) {
      const uint64_t end = std::min(at / sector * sector + sector, change.size);
      if (random() % 2 == 0) {
        content.resize(std::max<size_t>(content.size(), end));
        const auto begin = change.written.begin() + static_cast<ptrdiff_t>(at - change.offset);
        std::copy(begin, begin + static_cast<ptrdiff_t>(end - at),
                  content.begin() + static_cast<ptrdiff_t>(at));
      }
      at = end;
    }
  }

  std::shared_ptr<io::Storage> storage_ = io::make_posix_storage();
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Folder>> folders_;
};

}  // namespace asyncstore::storage_test
