// The files of a collection as of one operation, held open while they are copied elsewhere.
//
// A checkpoint has just brought them to that operation. What it wrote is never changed in place:
// files are replaced by others and removed, which an open file does not see. Three kinds change:
//
//   N.vectors, N.rows   grow behind the rows that the manifest counts: those alone are copied
//   N.page              blocks that no value claims are written again; those of values that the
//                       checkpoint knows are not, as long as a view from before it is held
//   tracker             changes in place with the next flush: it is copied at once
//
// So the log is not needed, and holding a snapshot costs the space of what is removed meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/collection.h"
#include "io/storage.h"

namespace asyncstore::engine {

class Snapshot {
 public:
  struct File {
    std::string name;  // in the collection's folder
    std::unique_ptr<io::File> file;
    uint64_t bytes = 0;  // from its beginning: the file may be longer
  };

  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // By the thread that makes checkpoints, right after one. `before`: a view from before that began.
  // An error leaves nothing behind but for a file that the next open removes.
  static base::Result<std::shared_ptr<Snapshot>> take(Collection& collection,
                                                      std::shared_ptr<const View> before);

  // --- any thread ---
  uint64_t lsn() const { return lsn_; }
  // COLLECTION, MANIFEST, and what it names; the order is always the same.
  const std::vector<File>& files() const { return files_; }
  // Lets go of files and blocks; afterwards there are none. Once, when nobody reads them any more.
  void release();

 private:
  explicit Snapshot(std::shared_ptr<const View> before) : before_(std::move(before)) {}
  base::Status add(Collection& collection, const std::string& name, uint64_t bytes_max);
  base::Status add_segments(Collection& collection, const Manifest& manifest);
  base::Status add_values(Collection& collection, size_t at, uint64_t flush);
  base::Status add_tracker(Collection& collection, const std::string& folder);

  std::shared_ptr<const View> before_;
  uint64_t lsn_ = 0;
  std::vector<File> files_;
};

}  // namespace asyncstore::engine
