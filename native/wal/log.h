// The write-ahead log of one collection.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/storage.h"
#include "wal/log_format.h"

namespace asyncstore::wal {

enum class Durability : uint8_t {
  fsync,  // commit() returns when the frames survive power loss
  flush,  // … when they survive the death of the process
  none,   // the same bytes as flush, but no promise and no sync anywhere
};

struct LogOptions {
  uint64_t capacity_bytes = 32 << 20;  // of one file, once the log is in full use
  Durability durability = Durability::fsync;
  uint64_t owner = 0;  // identity of the collection
};

// Frames are made in memory, committed together with one write and one sync, and stay in memory
// until the next begin_group(), so that they can be applied from there. One thread at a time.
class Log {
 public:
  using Replay = std::function<base::Status(uint64_t lsn, uint32_t kind, base::Bytes payload)>;

  // Opens the log in `folder` (which exists) and calls `replay` for each frame after `applied_lsn`,
  // in order. Files wholly before it are taken for reuse. A torn tail ends the log; what cannot be
  // torn is Code::corruption.
  static base::Result<std::unique_ptr<Log>> open(std::shared_ptr<io::Storage> storage,
                                                 std::string folder, LogOptions options,
                                                 uint64_t applied_lsn, const Replay& replay);

  // The lsn of the last frame made or replayed.
  uint64_t last_lsn() const { return last_lsn_; }
  // Of all files in use.
  uint64_t size_bytes() const;
  // Of frames that a crash would have replayed.
  uint64_t replay_bytes() const;

  // Forgets the frames of the group before.
  void begin_group();
  // Space for the payload of the next frame; zeroed. To be filled, then end_frame() or
  // drop_frame().
  base::Result<base::MutableBytes> begin_frame(uint32_t kind, uint64_t payload_bytes);
  // Seals the frame and gives its lsn.
  uint64_t end_frame();
  void drop_frame();
  // The payloads of the group, in order; valid until the next begin_group().
  struct Frame {
    uint64_t lsn;
    uint32_t kind;
    base::Bytes payload;
  };
  std::vector<Frame> frames() const;

  // Writes and syncs the group. After a failed write the group is taken back: its frames are not in
  // the log and their numbers are used again. After a failed sync, or when taking back failed, the
  // log is failed: every later call says so until the log is opened again.
  base::Status commit();

  // Between groups: the next frame begins a new file, so that nothing more comes to depend on the
  // one that is written to now, and forget_until() may free it.
  void end_file();
  // Frees the files all of whose frames are ≤ lsn, for reuse.
  base::Status forget_until(uint64_t lsn);
  // Removes the files that wait to be used again. They make the writing of a new file quicker, and
  // take space as long as nothing is written.
  base::Status remove_spares();

 private:
  struct LogFile {  // a file in use
    uint32_t number = 0;
    uint64_t first_lsn = 0;
    uint64_t last_lsn = 0;  // 0: no frame yet
    uint64_t end = 0;       // where the next frame goes
    uint64_t size = 0;      // allocated
    std::unique_ptr<io::File> file;
  };
  struct Pending {  // a frame of the group
    size_t file;    // index into files_
    uint64_t file_offset;
    uint64_t buffer_offset;  // of its header
    uint64_t bytes;          // with header and padding
  };

  Log(std::shared_ptr<io::Storage> storage, std::string folder, LogOptions options);

  base::Status recover(uint64_t applied_lsn, const Replay& replay);
  base::Status roll(uint64_t frame_bytes);
  base::Status write_group();
  base::Status take_back();
  base::Status set_aside(uint32_t number);
  std::string path_of(uint32_t number) const;
  base::Error failed() const;
  Pending& open_frame();

  std::shared_ptr<io::Storage> storage_;
  std::string folder_;
  LogOptions options_;
  std::vector<LogFile> files_;       // oldest first; frames go to the last
  std::vector<std::string> spares_;  // paths of files that may be used again
  std::vector<std::byte> buffer_;
  std::vector<Pending> pending_;
  size_t group_files_ = 0;  // files_ that existed before the group
  uint64_t group_end_ = 0;  // `end` of the last of them before the group
  uint64_t group_first_lsn_ = 0;
  uint64_t last_lsn_ = 0;
  uint64_t durable_lsn_ = 0;
  uint32_t next_number_ = 1;
  uint64_t
      next_bytes_;  // of the next file: small at first, so that a small collection costs little
  std::string failure_;
};

}  // namespace asyncstore::wal
