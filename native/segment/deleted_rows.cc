#include "segment/deleted_rows.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "io/checked_file.h"

namespace asyncstore::segment {
namespace {
constexpr io::Magic k_magic = {'A', 'S', 'D', 'E', 'L', 'E', 'T', 'E'};
}

uint64_t DeletedRows::ram_bytes() const {
  const auto stored = std::count_if(blocks_.begin(), blocks_.end(),
                                    [](const auto& block) { return block != nullptr; });
  return static_cast<uint64_t>(stored) * sizeof(Block) +
         blocks_.capacity() * sizeof(blocks_.front());
}

base::Status DeletedRows::write(io::Storage& storage, const std::string& path, uint64_t owner,
                                uint32_t segment) const {
  const uint64_t words = blocks_.size() * std::tuple_size_v<Block>;
  TRY_ASSIGN(auto file, io::CheckedFileWriter::create(storage, path, {k_magic, owner},
                                                      {segment, count_, words, 0}));
  const Block empty{};
  for (const auto& block : blocks_) {
    TRY(file.append(std::as_bytes(std::span(block ? *block : empty))));
  }
  return file.finish();
}

base::Result<std::shared_ptr<const DeletedRows>> DeletedRows::read(io::Storage& storage,
                                                                   const std::string& path,
                                                                   uint64_t owner, uint32_t segment,
                                                                   uint32_t rows) {
  TRY_ASSIGN(const io::CheckedFile file, io::CheckedFile::open(storage, path, {k_magic, owner}));
  const auto [file_segment, count, words, zero] = file.fields();
  const uint64_t words_max = base::round_up(uint64_t{rows} + 1, k_block_rows) / 64;
  if (file_segment != segment || words > words_max || words % std::tuple_size_v<Block> != 0 ||
      file.payload_bytes() != words * 8) {
    return base::corruption(path, 32, "the header's counts do not fit the segment");
  }
  auto deleted = std::make_shared<DeletedRows>();
  uint64_t offset = 0;
  while (offset < file.payload_bytes()) {
    auto block = std::make_shared<Block>();
    TRY(file.read(offset, std::as_writable_bytes(std::span(*block))));
    uint32_t marked = 0;
    for (const uint64_t word : *block) {
      marked += static_cast<uint32_t>(std::popcount(word));
    }
    deleted->count_ += marked;
    deleted->blocks_.push_back(marked > 0 ? std::move(block) : nullptr);
    offset += sizeof(Block);
  }
  bool beyond = false;  // a row that the segment does not have
  for (uint64_t row = rows; row < words * 64; ++row) {
    beyond = beyond || deleted->contains(static_cast<uint32_t>(row));
  }
  if (deleted->count_ != count || beyond) {
    return base::corruption(path, 64, "the number of deleted rows does not fit the header");
  }
  return std::shared_ptr<const DeletedRows>(std::move(deleted));
}

void DeletedRowsBuilder::mark(uint32_t row) {
  change(row, true);
}

void DeletedRowsBuilder::unmark(uint32_t row) {
  change(row, false);
}

void DeletedRowsBuilder::change(uint32_t row, bool deleted) {
  const uint32_t index = row / DeletedRows::k_block_rows;
  if (!next_) {
    next_ = base_ ? std::make_shared<DeletedRows>(*base_) : std::make_shared<DeletedRows>();
  }
  if (next_->blocks_.size() <= index) {
    next_->blocks_.resize(index + 1);
  }
  own_.resize(std::max(own_.size(), next_->blocks_.size()), nullptr);
  if (own_[index] == nullptr) {
    auto copy = next_->blocks_[index] ? std::make_shared<DeletedRows::Block>(*next_->blocks_[index])
                                      : std::make_shared<DeletedRows::Block>();
    own_[index] = copy.get();
    next_->blocks_[index] = std::move(copy);
  }
  uint64_t& word = (*own_[index])[row % DeletedRows::k_block_rows / 64];
  const uint64_t bit = uint64_t{1} << (row % 64);
  const bool was_deleted = (word & bit) != 0;
  next_->count_ += static_cast<uint32_t>(deleted) - static_cast<uint32_t>(was_deleted);
  word = deleted ? word | bit : word & ~bit;
}

std::shared_ptr<const DeletedRows> DeletedRowsBuilder::build() {
  own_.clear();
  return next_ ? std::exchange(next_, nullptr) : base_;
}

}  // namespace asyncstore::segment
