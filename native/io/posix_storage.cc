// Files and folders of a POSIX system.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/limits.h"
#include "io/past_end.h"
#include "io/storage.h"

namespace asyncstore::io {
namespace {

using base::io_error;
using base::Result;
using base::Status;

// Calls `call` again while a signal interrupts it.
template <typename Call>
auto retry_interrupted(Call call) {
  while (true) {
    const auto outcome = call();
    if (outcome >= 0 || errno != EINTR) {
      return outcome;
    }
  }
}

class PosixFile final : public File {
 public:
  PosixFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  const std::string& path() const override { return path_; }
  int fd() const override { return fd_; }
  Status read_at(uint64_t offset, base::MutableBytes target) override;
  Status write_at(uint64_t offset, base::Bytes source) override;
  Status sync() override;
  Status sync_gently() override;
  Status truncate(uint64_t size) override;
  Status allocate(uint64_t offset, uint64_t length) override;
  Result<uint64_t> size() override;

 private:
  Status write_zeros(uint64_t begin, uint64_t end);

  const std::string path_;
  const int fd_;
};

Status PosixFile::read_at(uint64_t offset, base::MutableBytes target) {
  while (!target.empty()) {
    const ssize_t count = retry_interrupted(
        [&] { return ::pread(fd_, target.data(), target.size(), static_cast<off_t>(offset)); });
    if (count < 0) {
      return io_error("cannot read", path_, offset, errno);
    }
    if (count == 0) {
      TRY_ASSIGN(const uint64_t present, size());
      return past_end(path_, offset, target.size(), present);
    }
    offset += static_cast<uint64_t>(count);
    target = target.subspan(static_cast<size_t>(count));
  }
  return {};
}

Status PosixFile::write_at(uint64_t offset, base::Bytes source) {
  while (!source.empty()) {
    const ssize_t count = retry_interrupted(
        [&] { return ::pwrite(fd_, source.data(), source.size(), static_cast<off_t>(offset)); });
    if (count < 0) {
      return io_error("cannot write", path_, offset, errno);
    }
    if (count == 0) {  // POSIX leaves this open for regular files; without progress it is an error.
      return io_error("cannot write", path_, offset, EIO);
    }
    offset += static_cast<uint64_t>(count);
    source = source.subspan(static_cast<size_t>(count));
  }
  return {};
}

// Never retried: after a failed sync the kernel may have dropped the dirty pages, and a second call
// would report a success that is none.
Status PosixFile::sync() {
  if (::fdatasync(fd_) != 0) {
    return io_error("cannot sync", path_, 0, errno);
  }
  return {};
}

// The steps wait for the device without making anything durable. One that fails has taken the
// kernel's note of the failure, so it is a sync that failed.
Status PosixFile::sync_gently() {
  constexpr uint64_t k_step = 1 << 20;
  constexpr unsigned k_write_and_wait =
      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  TRY_ASSIGN(const uint64_t end, size());
  // What is one step is synced at once.
  for (uint64_t begin = 0; end > k_step && begin < end; begin += k_step) {
    const int outcome = retry_interrupted([&] {
      return ::sync_file_range(fd_, static_cast<off_t>(begin), k_step, k_write_and_wait);
    });
    if (outcome != 0 && (errno == EIO || errno == ENOSPC || errno == ENOMEM)) {
      return io_error("cannot sync", path_, begin, errno);
    }
    if (outcome != 0) {
      break;  // not for this kind of file, or not allowed
    }
  }
  return sync();
}

Status PosixFile::truncate(uint64_t size) {
  if (retry_interrupted([&] { return ::ftruncate(fd_, static_cast<off_t>(size)); }) != 0) {
    return io_error("cannot truncate", path_, size, errno);
  }
  return {};
}

Status PosixFile::allocate(uint64_t offset, uint64_t length) {
  if (length == 0) {
    return {};
  }
  const int outcome = retry_interrupted(
      [&] { return ::fallocate(fd_, 0, static_cast<off_t>(offset), static_cast<off_t>(length)); });
  if (outcome == 0) {
    return {};
  }
  if (errno != EOPNOTSUPP && errno != ENOSYS) {
    return io_error("cannot allocate space in", path_, offset, errno);
  }
  // The file system cannot reserve blocks (NFS before 4.2, some FUSE ones). Zeros are written
  // behind the end only: what lies before it may be data, and whether it has blocks cannot be
  // asked.
  TRY_ASSIGN(const uint64_t present, size());
  return present < offset + length ? write_zeros(present, offset + length) : Status();
}

Status PosixFile::write_zeros(uint64_t begin, uint64_t end) {
  static constexpr std::array<std::byte, 64 << 10> k_zeros{};
  while (begin < end) {
    // The first piece ends on a page, so that the others are whole pages.
    const uint64_t page_rest = base::k_page_bytes - begin % base::k_page_bytes;
    const uint64_t length =
        std::min(end - begin, page_rest < base::k_page_bytes ? page_rest : k_zeros.size());
    TRY(write_at(begin, base::Bytes(k_zeros).first(length)));
    begin += length;
  }
  return {};
}

Result<uint64_t> PosixFile::size() {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) {
    return io_error("cannot ask for the size of", path_, 0, errno);
  }
  return static_cast<uint64_t>(status.st_size);
}

class PosixStorage final : public Storage {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, Open mode) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status create_folder(const std::string& path) override;
  Status remove_folder(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  bool exists(const std::string& path) override;
  Status sync_folder(const std::string& path) override;
};

int flags_of(Open mode) {
  switch (mode) {
    case Open::read:
      return O_RDONLY;
    case Open::read_write:
      return O_RDWR;
    case Open::create:
      return O_RDWR | O_CREAT | O_EXCL;
    case Open::create_or_open:
      return O_RDWR | O_CREAT;
  }
  ASSERT(false);
  return 0;
}

Result<std::unique_ptr<File>> PosixStorage::open(const std::string& path, Open mode) {
  const int flags = flags_of(mode) | O_CLOEXEC;
  const int fd = retry_interrupted([&] { return ::open(path.c_str(), flags, 0666); });
  if (fd < 0) {
    return io_error(mode == Open::create ? "cannot create" : "cannot open", path, 0, errno);
  }
  return std::unique_ptr<File>(std::make_unique<PosixFile>(path, fd));
}

Status PosixStorage::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return io_error("cannot rename to " + to + " the file", from, 0, errno);
  }
  return {};
}

Status PosixStorage::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    return io_error("cannot remove", path, 0, errno);
  }
  return {};
}

Status PosixStorage::create_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) == 0) {
    return {};
  }
  const int mkdir_errno = errno;
  struct stat status {};
  if (mkdir_errno == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return {};
  }
  return io_error("cannot create the folder", path, 0, mkdir_errno);
}

Status PosixStorage::remove_folder(const std::string& path) {
  std::error_code failure;
  std::filesystem::remove_all(path, failure);
  if (failure) {
    return io_error("cannot remove the folder", path, 0, failure.value());
  }
  return {};
}

Result<std::vector<std::string>> PosixStorage::list(const std::string& path) {
  DIR* folder = ::opendir(path.c_str());  // glibc opens it with O_CLOEXEC
  if (folder == nullptr) {
    return io_error("cannot list the folder", path, 0, errno);
  }
  std::vector<std::string> names;
  errno = 0;  // readdir tells its end from an error by errno alone
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
    errno = 0;
  }
  const int list_errno = errno;
  ::closedir(folder);
  if (list_errno != 0) {
    return io_error("cannot list the folder", path, 0, list_errno);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool PosixStorage::exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Status PosixStorage::sync_folder(const std::string& path) {
  const int fd =
      retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd < 0) {
    return io_error("cannot open the folder", path, 0, errno);
  }
  const int sync_errno = ::fsync(fd) == 0 ? 0 : errno;  // never retried, see PosixFile::sync
  ::close(fd);
  if (sync_errno != 0) {
    return io_error("cannot sync the folder", path, 0, sync_errno);
  }
  return {};
}

}  // namespace

std::shared_ptr<Storage> make_posix_storage() {
  return std::make_shared<PosixStorage>();
}

base::Status replace_file(Storage& storage, const std::string& path, base::Bytes content) {
  const std::string beside = path + ".new";
  {
    // A crash may have left the file behind; its content never counted.
    if (storage.exists(beside)) {
      TRY(storage.remove(beside));
    }
    TRY_ASSIGN(const std::unique_ptr<File> file, storage.open(beside, Open::create));
    TRY(file->write_at(0, content));
    TRY(file->sync());
  }
  TRY(storage.rename(beside, path));
  return storage.sync_folder(parent_folder(path));
}

base::Result<uint64_t> file_bytes(Storage& storage, const std::string& path) {
  TRY_ASSIGN(const std::unique_ptr<File> file, storage.open(path, Open::read));
  return file->size();
}

base::Result<std::vector<std::byte>> read_file(Storage& storage, const std::string& path,
                                               uint64_t size_max) {
  TRY_ASSIGN(const std::unique_ptr<File> file, storage.open(path, Open::read));
  TRY_ASSIGN(const uint64_t size, file->size());
  if (size > size_max) {
    return base::corruption(path, size_max,
                            "the file has " + std::to_string(size) + " bytes, more than the " +
                                std::to_string(size_max) + " it can have");
  }
  std::vector<std::byte> content(size);
  TRY(file->read_at(0, content));
  return content;
}

std::string parent_folder(const std::string& path) {
  const size_t end = path.find_last_not_of('/');  // "a/b/" names the same folder as "a/b"
  if (end == std::string::npos) {
    return path.empty() ? "." : "/";
  }
  const size_t slash = path.find_last_of('/', end);
  if (slash == std::string::npos) {
    return ".";
  }
  const size_t parent_end = path.find_last_not_of('/', slash);
  return parent_end == std::string::npos ? "/" : path.substr(0, parent_end + 1);
}

}  // namespace asyncstore::io
