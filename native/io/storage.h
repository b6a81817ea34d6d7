// Files and folders as the engine writes them: the seam through which every byte reaches the disk.
//
// One implementation talks to the operating system; tests wrap it to record what was written, to
// fail the k-th call, or to build what a power cut leaves. EINTR and short transfers are retried
// here and nowhere else; a failed sync is never retried.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace asyncstore::io {

// An open file. Positions are explicit, so reads may run from several threads; writes belong to one
// thread at a time. Closed by the destructor, which syncs nothing.
class File {
 public:
  virtual ~File() = default;

  virtual const std::string& path() const = 0;
  // For the readers of io/ and for locks; owned by this object.
  virtual int fd() const = 0;

  // Fills `target` wholly; the end of the file before that is an io error (os_errno 0).
  virtual base::Status read_at(uint64_t offset, base::MutableBytes target) = 0;
  // Writes all of `source`; after a failure the range holds any mixture of old and new.
  virtual base::Status write_at(uint64_t offset, base::Bytes source) = 0;
  // Makes what was written durable (fdatasync, which also covers the size).
  virtual base::Status sync() = 0;
  // The same for much that nobody waits for: a megabyte after the other, so that the sync of
  // another file (the log) finds the device free soon.
  virtual base::Status sync_gently() { return sync(); }
  virtual base::Status truncate(uint64_t size) = 0;
  // Makes sure that [offset, offset + length) has blocks on disk, growing the file with zeros where
  // needed: a later write there cannot fail for want of space.
  virtual base::Status allocate(uint64_t offset, uint64_t length) = 0;
  virtual base::Result<uint64_t> size() = 0;
};

enum class Open : uint8_t {
  read,        // must exist
  read_write,  // must exist
  create,      // must not exist; read and write
  create_or_open,
};

// A tree of folders. All calls may come from any thread.
class Storage {
 public:
  virtual ~Storage() = default;

  virtual base::Result<std::unique_ptr<File>> open(const std::string& path, Open mode) = 0;
  virtual base::Status rename(const std::string& from, const std::string& to) = 0;
  virtual base::Status remove(const std::string& path) = 0;  // a file
  // Creates the folder if it is not there; parents must exist.
  virtual base::Status create_folder(const std::string& path) = 0;
  virtual base::Status remove_folder(const std::string& path) = 0;  // with all that is in it
  virtual base::Result<std::vector<std::string>> list(
      const std::string& path) = 0;  // names, sorted
  virtual bool exists(const std::string& path) = 0;
  // Makes creations, renames and removals in the folder durable.
  virtual base::Status sync_folder(const std::string& path) = 0;
};

std::shared_ptr<Storage> make_posix_storage();

// Writes `path` so that after a crash it holds the old content or the new, never a mixture: a new
// file beside it, sync, rename, sync of the folder.
base::Status replace_file(Storage& storage, const std::string& path, base::Bytes content);

base::Result<std::vector<std::byte>> read_file(Storage& storage, const std::string& path,
                                               uint64_t size_max);

base::Result<uint64_t> file_bytes(Storage& storage, const std::string& path);

std::string parent_folder(const std::string& path);

}  // namespace asyncstore::io
