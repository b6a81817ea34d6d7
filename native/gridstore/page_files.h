// The files that values lie in: 00000001.page, 00000002.page, …
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/stable_array.h"
#include "gridstore/blocks.h"
#include "gridstore/entry.h"
#include "io/source.h"
#include "io/storage.h"

namespace asyncstore::gridstore {

// A part of a value, for a reader of io/: at most k_read_bytes_max bytes of one page file.
struct Piece {
  io::Source* source;  // lives as long as the Gridstore
  uint64_t offset;     // bytes
  uint32_t length;     // bytes
};

// A page file that was written since the last flush, for another thread to sync.
struct UnsyncedPage {
  uint32_t page;
  std::unique_ptr<io::File> file;  // null: to be opened
};

// Files of blocks only, without a header, allocated in growing steps and never sparse. Each file
// but the last has its full size. One descriptor a file, and one more while it has unsynced writes.
class PageFiles {
 public:
  // `page_bytes` is a multiple of k_block_bytes.
  PageFiles(std::shared_ptr<io::Storage> storage, std::string folder, uint32_t page_bytes,
            bool direct_io);

  uint32_t page_blocks() const { return page_bytes_ / k_block_bytes; }
  std::string path(uint32_t page) const;

  // --- any thread, for entries that a tracker gave ---
  // Appends the pieces of the value, in order.
  void pieces(const Entry& entry, std::vector<Piece>& pieces) const;
  // Appends the stored value to `stored`, through the map.
  base::Status read(const Entry& entry, std::vector<std::byte>& stored) const;

  // --- writer ---
  // Blocks on disk, counted from the begin of the line.
  uint64_t end() const;
  uint64_t file_bytes() const { return file_bytes_; }
  // Makes sure of blocks up to `end`, and takes more in advance unless the disk is full. After an
  // error all is as before.
  base::Status grow(uint64_t end);
  // Writes from `block` on, to blocks below end(); durable after a sync of what take_unsynced()
  // gives.
  base::Status write(uint64_t block, base::Bytes bytes);
  std::vector<UnsyncedPage> take_unsynced();
  // Of the files that readers may know (io::Source::id).
  std::vector<uint64_t> source_ids() const;
  // They are unsynced after all.
  void give_back(const std::vector<UnsyncedPage>& pages);

  // --- loading ---
  // Takes note of the files 1 … `count`; one may be missing or too short.
  base::Status load(uint32_t count);
  // Whether all blocks of the run are on disk.
  bool on_disk(BlockRun run) const;
  // Removes the files behind the first `count`.
  base::Status remove_behind(uint32_t count);
  uint32_t count() const { return static_cast<uint32_t>(pages_.size()); }
  // The blocks that are missing at the end of files before the last.
  std::vector<BlockRun> missing() const;

 private:
  struct Page {
    uint64_t bytes = 0;  // allocated, at most page_bytes_
    bool unsynced = false;
    std::shared_ptr<io::Source> source;  // null: the file is missing
    std::unique_ptr<io::File> file;      // open for writing
  };
  // Calls `visit(page index, offset in it, bytes)` for each part of [begin, begin + bytes).
  template <typename Visit>
  base::Status visit_parts(uint64_t begin, uint64_t bytes, Visit visit) const;
  base::Status allocate(uint64_t end);
  base::Status extend(uint32_t index, uint64_t bytes);
  void cut(uint32_t count, uint64_t last_bytes);
  base::Status open_source(uint32_t index);
  base::Result<io::File*> file(uint32_t index);
  void close_some();

  std::shared_ptr<io::Storage> storage_;
  std::string folder_;
  uint32_t page_bytes_;
  bool direct_io_;
  std::vector<Page> pages_;  // the writer's
  uint64_t file_bytes_ = 0;
  uint32_t files_open_ = 0;  // for writing
  // For all threads; a page's source is there before an entry names the page.
  struct Known {
    io::Source* source;
  };
  base::StableArray<Known> sources_;
};

}  // namespace asyncstore::gridstore
