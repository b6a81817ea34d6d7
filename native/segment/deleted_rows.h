// Which rows of a segment are deleted: a bitmap that never changes, so that a search may hold it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "io/storage.h"

namespace asyncstore::segment {

// A set of rows in blocks of 4,096; blocks without a deleted row are not stored. A new version
// shares all blocks that did not change.
class DeletedRows {
 public:
  static constexpr uint32_t k_block_rows = 4096;
  using Block = std::array<uint64_t, k_block_rows / 64>;

  uint32_t count() const { return count_; }
  bool contains(uint32_t row) const { return (word(row / 64) >> (row % 64) & 1) != 0; }
  // Bit b is row 64 · index + b.
  uint64_t word(uint32_t index) const {
    const uint32_t block = index / (k_block_rows / 64);
    return block < blocks_.size() && blocks_[block] ? (*blocks_[block])[index % (k_block_rows / 64)]
                                                    : 0;
  }
  uint64_t ram_bytes() const;

  // A checked file, magic "ASDELETE", header fields {segment, count, words, 0}, payload the words.
  base::Status write(io::Storage& storage, const std::string& path, uint64_t owner,
                     uint32_t segment) const;
  static base::Result<std::shared_ptr<const DeletedRows>> read(io::Storage& storage,
                                                               const std::string& path,
                                                               uint64_t owner, uint32_t segment,
                                                               uint32_t rows);

 private:
  friend class DeletedRowsBuilder;
  std::vector<std::shared_ptr<const Block>> blocks_;
  uint32_t count_ = 0;
};

// Makes the next version. Not thread-safe.
class DeletedRowsBuilder {
 public:
  explicit DeletedRowsBuilder(std::shared_ptr<const DeletedRows> base) : base_(std::move(base)) {}
  // Marks a row; marking twice is marking once.
  void mark(uint32_t row);
  // Takes a mark back.
  void unmark(uint32_t row);
  // The base itself when nothing was changed.
  std::shared_ptr<const DeletedRows> build();

 private:
  void change(uint32_t row, bool deleted);

  std::shared_ptr<const DeletedRows> base_;
  std::shared_ptr<DeletedRows> next_;
  std::vector<DeletedRows::Block*> own_;  // blocks copied for next_
};

}  // namespace asyncstore::segment
