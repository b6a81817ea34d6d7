// A storage that fails when it is told to: one call of a kind, or everything from a call on. On top
// of the operating system a sync that succeeds does nothing: no power is cut, and tests that sync a
// thousand times stay quick. On top of another storage it is passed on.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "io/storage.h"

namespace asyncstore::storage_test {

enum class Call : uint8_t {
  read,
  write,
  sync,
  truncate,
  allocate,
  open,
  rename,
  remove,
  sync_folder,
};

// How much of a transfer that fails is done all the same.
enum class Torn : uint8_t {
  bytes,  // as many as the fault says
  half,
  all_but_one,
};

// What goes wrong: the `at`-th call of the kind from now on (1: the next) whose path contains
// `path_part`. Of a write that fails, the first `torn_bytes` reach the file; of a read, the caller.
// A read that fails with the number 0 finds the end of the file there.
struct Fault {
  Call call = Call::write;
  uint64_t at = 1;
  int os_errno = EIO;
  uint64_t torn_bytes = 0;
  std::string path_part = {};
  bool sticky = false;  // all later calls of the kind as well
  Torn torn = Torn::bytes;

  uint64_t done_of(uint64_t bytes) const {
    return torn == Torn::half          ? bytes / 2
           : torn == Torn::all_but_one ? bytes - std::min<uint64_t>(bytes, 1)
                                       : std::min(bytes, torn_bytes);
  }
};

// What the faults of all files of one storage share. Any thread.
class FaultBoard {
 public:
  void arm(Fault fault) {
    const std::lock_guard lock(mutex_);
    faults_.push_back(std::move(fault));
  }
  void disarm() {
    const std::lock_guard lock(mutex_);
    faults_.clear();
  }
  // As if the process died in its k-th call that changes something (1: the next): of a write then
  // half of the bytes arrive; every later call of any kind fails.
  void die_at(uint64_t k) {
    const std::lock_guard lock(mutex_);
    die_at_ = changes_ + k;
  }
  // Calls so far that change something.
  uint64_t changes() const {
    const std::lock_guard lock(mutex_);
    return changes_;
  }
  bool died() const {
    const std::lock_guard lock(mutex_);
    return dead_;
  }
  uint64_t faults_met() const {
    const std::lock_guard lock(mutex_);
    return met_;
  }
  std::string last_path_met() const {
    const std::lock_guard lock(mutex_);
    return last_path_met_;
  }

  // The fault that this call meets, if any; `bytes` of a write.
  std::optional<Fault> meet(Call call, const std::string& path, uint64_t bytes = 0) {
    const std::lock_guard lock(mutex_);
    if (dead_) {
      return Fault{call, 0, EIO, 0};
    }
    if (call != Call::read && ++changes_ == die_at_) {
      dead_ = true;
      return Fault{call, 0, EIO, bytes / 2};
    }
    for (Fault& fault : faults_) {
      if (fault.call != call || path.find(fault.path_part) == std::string::npos) {
        continue;
      }
      if (fault.at > 1) {
        --fault.at;
        continue;
      }
      if (fault.at == 1) {
        fault.at = fault.sticky ? 1 : 0;
        ++met_;
        last_path_met_ = path;
        return fault;
      }
    }
    return std::nullopt;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Fault> faults_;
  uint64_t changes_ = 0;
  uint64_t die_at_ = 0;
  uint64_t met_ = 0;
  std::string last_path_met_;
  bool dead_ = false;
};

class FailingFile final : public io::File {
 public:
  FailingFile(std::unique_ptr<io::File> file, std::shared_ptr<FaultBoard> board, bool passes_syncs)
      : file_(std::move(file)), board_(std::move(board)), passes_syncs_(passes_syncs) {}

  const std::string& path() const override { return file_->path(); }
  int fd() const override { return file_->fd(); }
  base::Status read_at(uint64_t offset, base::MutableBytes target) override {
    const auto fault = board_->meet(Call::read, path());
    if (!fault) {
      return file_->read_at(offset, target);
    }
    const auto part = target.first(fault->done_of(target.size()));
    static_cast<void>(file_->read_at(offset, part).ok());
    return fault->os_errno == 0 ? base::io_error("injected end of", path(), offset + part.size(), 0)
                                : error(*fault, offset);
  }
  base::Status write_at(uint64_t offset, base::Bytes source) override {
    const auto fault = board_->meet(Call::write, path(), source.size());
    if (!fault) {
      return file_->write_at(offset, source);
    }
    static_cast<void>(file_->write_at(offset, source.first(fault->done_of(source.size()))).ok());
    return error(*fault, offset);
  }
  base::Status sync() override {
    const auto fault = board_->meet(Call::sync, path());
    return fault ? error(*fault, 0) : passes_syncs_ ? file_->sync() : base::Status();
  }
  base::Status truncate(uint64_t size) override {
    const auto fault = board_->meet(Call::truncate, path());
    return fault ? error(*fault, size) : file_->truncate(size);
  }
  base::Status allocate(uint64_t offset, uint64_t length) override {
    const auto fault = board_->meet(Call::allocate, path());
    return fault ? error(*fault, offset) : file_->allocate(offset, length);
  }
  base::Result<uint64_t> size() override { return file_->size(); }

 private:
  base::Status error(const Fault& fault, uint64_t offset) const {
    return base::io_error("injected fault in", path(), offset, fault.os_errno);
  }

  std::unique_ptr<io::File> file_;
  std::shared_ptr<FaultBoard> board_;
  bool passes_syncs_;
};

class FailingStorage final : public io::Storage {
 public:
  FailingStorage() : storage_(io::make_posix_storage()) {}
  explicit FailingStorage(std::shared_ptr<io::Storage> storage)
      : storage_(std::move(storage)), passes_syncs_(true) {}

  FaultBoard& board() { return *board_; }

  base::Result<std::unique_ptr<io::File>> open(const std::string& path, io::Open mode) override {
    TRY(meet(Call::open, path));
    TRY_ASSIGN(auto file, storage_->open(path, mode));
    return std::unique_ptr<io::File>(
        std::make_unique<FailingFile>(std::move(file), board_, passes_syncs_));
  }
  base::Status rename(const std::string& from, const std::string& to) override {
    TRY(meet(Call::rename, from));
    return storage_->rename(from, to);
  }
  base::Status remove(const std::string& path) override {
    TRY(meet(Call::remove, path));
    return storage_->remove(path);
  }
  base::Status create_folder(const std::string& path) override {
    TRY(meet(Call::open, path));
    return storage_->create_folder(path);
  }
  base::Status remove_folder(const std::string& path) override {
    TRY(meet(Call::remove, path));
    return storage_->remove_folder(path);
  }
  base::Result<std::vector<std::string>> list(const std::string& path) override {
    TRY(meet(Call::read, path));
    return storage_->list(path);
  }
  bool exists(const std::string& path) override { return storage_->exists(path); }
  base::Status sync_folder(const std::string& path) override {
    TRY(meet(Call::sync_folder, path));
    return passes_syncs_ ? storage_->sync_folder(path) : base::Status();
  }

 private:
  base::Status meet(Call call, const std::string& path) {
    const auto fault = board_->meet(call, path);
    return fault ? base::Status(base::io_error("injected fault in", path, 0, fault->os_errno))
                 : base::Status();
  }

  std::shared_ptr<io::Storage> storage_;
  std::shared_ptr<FaultBoard> board_ = std::make_shared<FaultBoard>();
  bool passes_syncs_ = false;
};

}  // namespace asyncstore::storage_test
