// A storage that remembers what would be left after a power cut.
//
// Beside the files themselves (the live image) it keeps a durable one: of a file what it held at
// its last sync, of a folder the names it had at its last sync_folder. What was not synced may have
// reached the disk or not: cut() chooses for each folder and for each 512 bytes of each file.
// Simplified: making a folder is durable at once.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "io/storage.h"

namespace asyncstore::storage_test {

// What reached the disk of what was not synced.
enum class Cut : uint8_t { nothing, everything, any };

class PowerCutStorage final : public io::Storage {
  struct Inode {
    std::mutex mutex;
    std::unique_ptr<io::File> file;
    std::vector<std::byte> durable;

    std::vector<std::byte> live() const {
      const auto size = file->size();
      std::vector<std::byte> content(size.ok() ? size.value() : 0);
      static_cast<void>(file->read_at(0, content).ok());
      return content;
    }
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

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
      return file_->write_at(offset, source);
    }
    base::Status sync() override {
      const std::lock_guard lock(inode_->mutex);
      inode_->durable = inode_->live();
      return {};
    }
    base::Status truncate(uint64_t size) override { return file_->truncate(size); }
    base::Status allocate(uint64_t offset, uint64_t length) override {
      return file_->allocate(offset, length);
    }
    base::Result<uint64_t> size() override { return file_->size(); }

   private:
    std::unique_ptr<io::File> file_;
    std::shared_ptr<Inode> inode_;
  };

 public:
  base::Result<std::unique_ptr<io::File>> open(const std::string& path, io::Open mode) override {
    const std::lock_guard lock(mutex_);
    TRY_ASSIGN(auto file, storage_->open(path, mode));
    auto& inode = live_[io::parent_folder(path)][name_of(path)];
    if (!inode) {
      inode = std::make_shared<Inode>();
      TRY_ASSIGN(inode->file, storage_->open(path, io::Open::read_write));
    }
    return std::unique_ptr<io::File>(std::make_unique<CutFile>(std::move(file), inode));
  }
  base::Status rename(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    TRY(storage_->rename(from, to));
    auto node = live_[io::parent_folder(from)].extract(name_of(from));
    live_[io::parent_folder(to)][name_of(to)] = std::move(node.mapped());
    return {};
  }
  base::Status remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    TRY(storage_->remove(path));
    live_[io::parent_folder(path)].erase(name_of(path));
    return {};
  }
  base::Status create_folder(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    folders_.insert(path);
    return storage_->create_folder(path);
  }
  base::Status remove_folder(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    TRY(storage_->remove_folder(path));
    removals_.push_back(path);
    return {};
  }
  base::Result<std::vector<std::string>> list(const std::string& path) override {
    return storage_->list(path);
  }
  bool exists(const std::string& path) override { return storage_->exists(path); }
  base::Status sync_folder(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    durable_[path] = live_[path];
    return {};
  }

  // Writes to the folder `target` what is left of the tree below `root`.
  void cut(const std::string& root, const std::string& target, Cut how, uint64_t seed) {
    const std::lock_guard lock(mutex_);
    std::mt19937_64 random(seed);
    // Removals of folders reach the disk in their order.
    const size_t removed = how == Cut::nothing      ? 0
                           : how == Cut::everything ? removals_.size()
                                                    : random() % (removals_.size() + 1);
    for (const auto& folder : folders_) {
      if (std::any_of(removals_.begin(), removals_.begin() + static_cast<ptrdiff_t>(removed),
                      [&](const auto& gone) { return (folder + "/").starts_with(gone + "/"); })) {
        continue;
      }
      const std::string place = target + folder.substr(root.size());
      std::filesystem::create_directories(place);
      const bool live = how == Cut::everything || (how == Cut::any && random() % 2 == 0);
      for (const auto& [name, inode] : live ? live_[folder] : durable_[folder]) {
        const auto content = left_of(*inode, how, random);
        std::ofstream file(place + "/" + name, std::ios::binary);
        file.write(reinterpret_cast<const char*>(content.data()),
                   static_cast<std::streamsize>(content.size()));
      }
    }
  }

 private:
  static std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

  static std::vector<std::byte> left_of(Inode& inode, Cut how, std::mt19937_64& random) {
    const std::lock_guard lock(inode.mutex);
    if (how == Cut::nothing || (how == Cut::any && random() % 3 == 0)) {
      return inode.durable;
    }
    auto content = inode.live();
    if (how == Cut::everything || random() % 2 == 0) {
      return content;
    }
    constexpr size_t k_sector = 512;
    for (size_t begin = 0; begin < content.size(); begin += k_sector) {
      if (random() % 2 == 0) {
        continue;
      }
      for (size_t at = begin; at < std::min(begin + k_sector, content.size()); ++at) {
        content[at] = at < inode.durable.size() ? inode.durable[at] : std::byte{0};
      }
    }
    return content;
  }

  std::shared_ptr<io::Storage> storage_ = io::make_posix_storage();
  std::mutex mutex_;
  std::set<std::string> folders_;
  std::map<std::string, Names> live_;
  std::map<std::string, Names> durable_;
  std::vector<std::string> removals_;
};

}  // namespace asyncstore::storage_test
