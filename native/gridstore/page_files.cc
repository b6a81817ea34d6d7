#include "gridstore/page_files.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "base/limits.h"
#include "io/bus_guard.h"

namespace asyncstore::gridstore {

using base::Bytes;
using base::Result;
using base::Status;

namespace {

// Growth: as much again as there is, then a sixteenth of it, so that little of the disk is taken in
// vain; at most a file.
constexpr uint64_t k_step_bytes_min = 64 << 10;
constexpr uint64_t k_step_bytes_doubling = 4 << 20;
// Files open for writing at once; more are closed and opened again when they are needed. Their
// sources keep the kernel from forgetting a failed write in between.
constexpr uint32_t k_files_open_max = 256;
// One write at most, and never across a page of the cache. The page cache of newer kernels keeps
// what one write brought in one piece (a large folio), and a small write into a large piece costs
// in proportion to it: overwriting 640 bytes took 5.5 us (p99.9 100 us) in files written by 1
// MiB, 3.0 by 64 KiB, 2.0 by 16 KiB and 1.5 (p99.9 5 us) by 4 KiB, on ext4 of Linux 6.18.
constexpr uint64_t k_write_bytes = base::k_page_bytes;

}  // namespace

PageFiles::PageFiles(std::shared_ptr<io::Storage> storage, std::string folder, uint32_t page_bytes,
                     bool direct_io)
    : storage_(std::move(storage)),
      folder_(std::move(folder)),
      page_bytes_(page_bytes),
      direct_io_(direct_io) {
  ASSERT(page_bytes > 0 && page_bytes % k_block_bytes == 0);
  io::install_bus_guard();
}

std::string PageFiles::path(uint32_t page) const {
  char name[32];
  std::snprintf(name, sizeof name, "/%08" PRIu32 ".page", page);
  return folder_ + name;
}

template <typename Visit>
Status PageFiles::visit_parts(uint64_t begin, uint64_t bytes, Visit visit) const {
  for (uint64_t at = begin; at < begin + bytes;) {
    const uint64_t index = at / page_bytes_;
    const uint64_t offset = at % page_bytes_;
    const uint64_t length = std::min(begin + bytes - at, page_bytes_ - offset);
    TRY(visit(static_cast<uint32_t>(index), offset, length));
    at += length;
  }
  return {};
}

// --- any thread ---

void PageFiles::pieces(const Entry& entry, std::vector<Piece>& pieces) const {
  const uint64_t begin = entry.run(page_blocks()).begin * k_block_bytes;
  const auto add = [&](uint32_t index, uint64_t offset, uint64_t bytes) -> Status {
    for (uint64_t done = 0; done < bytes;) {
      const auto length =
          static_cast<uint32_t>(std::min<uint64_t>(bytes - done, base::k_read_bytes_max));
      pieces.push_back({sources_[index].source, offset + done, length});
      done += length;
    }
    return {};
  };
  ASSERT(visit_parts(begin, entry.stored_bytes(), add).ok());
}

Status PageFiles::read(const Entry& entry, std::vector<std::byte>& stored) const {
  const uint64_t begin = entry.run(page_blocks()).begin * k_block_bytes;
  return visit_parts(begin, entry.stored_bytes(),
                     [&](uint32_t index, uint64_t offset, uint64_t bytes) -> Status {
                       TRY_ASSIGN(const Bytes map, sources_[index].source->map());
                       const size_t at = stored.size();
                       stored.resize(at + bytes);
                       if (offset + bytes > map.size() ||
                           !io::guarded_copy(stored.data() + at, map.data() + offset, bytes)) {
                         return base::io_error("cannot read", path(index + 1), offset, EIO);
                       }
                       return {};
                     });
}

// --- writer ---

uint64_t PageFiles::end() const {
  return pages_.empty()
             ? 0
             : uint64_t{page_blocks()} * (pages_.size() - 1) + pages_.back().bytes / k_block_bytes;
}

Status PageFiles::grow(uint64_t end) {
  const uint64_t present = this->end() * k_block_bytes;
  const uint64_t wanted = end * k_block_bytes;
  if (wanted <= present) {
    return {};
  }
  const uint64_t wished = std::max(std::min(present, k_step_bytes_doubling), present / 16);
  const uint64_t step =
      std::clamp(base::round_up(wished, base::k_page_bytes),
                 std::min<uint64_t>(k_step_bytes_min, page_bytes_), uint64_t{page_bytes_});
  // Up to the end of a page file and no further, unless more is needed.
  const uint64_t ahead = std::min(present + step, base::round_up(present + 1, page_bytes_));
  Status grown = allocate(std::max(wanted, ahead));
  if (!grown.ok() && grown.error().os_errno == ENOSPC && ahead > wanted) {
    grown = allocate(base::round_up(wanted, base::k_page_bytes));
  }
  return grown;
}

// Makes sure of the first `end` bytes of the line; after an error all is as before.
Status PageFiles::allocate(uint64_t end) {
  const uint32_t count = this->count();
  const uint64_t last_bytes = pages_.empty() ? 0 : pages_.back().bytes;
  while (this->end() * k_block_bytes < end) {
    if (pages_.empty() || pages_.back().bytes == page_bytes_) {
      if (this->count() == Entry::k_page_max || !sources_.grow(pages_.size() + 1)) {
        cut(count, last_bytes);
        return base::io_error("no room for another page file in", folder_, 0, ENOMEM);
      }
      pages_.emplace_back();
    }
    const uint64_t page_begin = uint64_t{page_bytes_} * (pages_.size() - 1);
    Status extended = extend(this->count() - 1, std::min<uint64_t>(page_bytes_, end - page_begin));
    if (!extended.ok()) {
      cut(count, last_bytes);
      return extended;
    }
  }
  return {};
}

Status PageFiles::extend(uint32_t index, uint64_t bytes) {
  Page& page = pages_[index];
  TRY_ASSIGN(io::File* const file, this->file(index));
  if (page.bytes == 0) {
    TRY(file->truncate(0));  // what a failed removal left
  }
  page.unsynced = true;  // its size
  TRY(file->allocate(page.bytes, bytes - page.bytes));
  file_bytes_ += bytes - page.bytes;
  page.bytes = bytes;
  return page.source ? Status() : open_source(index);
}

// Gives back what was allocated behind `count` files, of which the last has `last_bytes`. What
// cannot be given back is not counted and does no harm.
void PageFiles::cut(uint32_t count, uint64_t last_bytes) {
  while (this->count() > count) {
    file_bytes_ -= pages_.back().bytes;
    files_open_ -= pages_.back().file ? 1 : 0;
    pages_.pop_back();
    static_cast<void>(storage_->remove(path(this->count() + 1)).ok());
  }
  if (count > 0 && pages_.back().file) {
    static_cast<void>(pages_.back().file->truncate(last_bytes).ok());
    file_bytes_ -= pages_.back().bytes - last_bytes;
    pages_.back().bytes = last_bytes;
  }
}

Status PageFiles::open_source(uint32_t index) {
  TRY_ASSIGN(pages_[index].source, io::Source::open(path(index + 1), {direct_io_, page_bytes_}));
  sources_[index] = {pages_[index].source.get()};
  return {};
}

Result<io::File*> PageFiles::file(uint32_t index) {
  Page& page = pages_[index];
  if (!page.file) {
    if (files_open_ >= k_files_open_max) {
      close_some();
    }
    const auto mode = page.bytes == 0 ? io::Open::create_or_open : io::Open::read_write;
    TRY_ASSIGN(page.file, storage_->open(path(index + 1), mode));
    ++files_open_;
  }
  return page.file.get();
}

void PageFiles::close_some() {
  for (Page& page : pages_) {
    page.file.reset();
  }
  files_open_ = 0;
}

Status PageFiles::write(uint64_t block, Bytes bytes) {
  return visit_parts(
      block * k_block_bytes, bytes.size(),
      [&](uint32_t index, uint64_t offset, uint64_t length) -> Status {
        ASSERT(offset + length <= pages_[index].bytes);
        TRY_ASSIGN(io::File* const file, this->file(index));
        pages_[index].unsynced = true;
        for (uint64_t at = offset; at < offset + length;) {
          const uint64_t part =
              std::min(offset + length, base::round_down(at, k_write_bytes) + k_write_bytes) - at;
          TRY(file->write_at(at, bytes.first(part)));
          bytes = bytes.subspan(part);
          at += part;
        }
        return {};
      });
}

std::vector<UnsyncedPage> PageFiles::take_unsynced() {
  std::vector<UnsyncedPage> unsynced;
  for (uint32_t index = 0; index < pages_.size(); ++index) {
    Page& page = pages_[index];
    if (page.unsynced) {
      unsynced.push_back({index + 1, std::move(page.file)});
      page.unsynced = false;
    }
    page.file.reset();
  }
  files_open_ = 0;
  return unsynced;
}

std::vector<uint64_t> PageFiles::source_ids() const {
  std::vector<uint64_t> ids;
  for (const Page& page : pages_) {
    if (page.source) {
      ids.push_back(page.source->id());
    }
  }
  return ids;
}

void PageFiles::give_back(const std::vector<UnsyncedPage>& pages) {
  for (const UnsyncedPage& unsynced : pages) {
    pages_[unsynced.page - 1].unsynced = true;
  }
}

// --- loading ---

Status PageFiles::load(uint32_t count) {
  ASSERT(pages_.empty() && sources_.grow(count));
  for (uint32_t index = 0; index < count; ++index) {
    Page& page = pages_.emplace_back();
    if (!storage_->exists(path(index + 1))) {
      continue;
    }
    TRY_ASSIGN(const auto file, storage_->open(path(index + 1), io::Open::read));
    TRY_ASSIGN(const uint64_t size, file->size());
    page.bytes = base::round_down(std::min<uint64_t>(size, page_bytes_), k_block_bytes);
    file_bytes_ += page.bytes;
    TRY(open_source(index));
  }
  return {};
}

bool PageFiles::on_disk(BlockRun run) const {
  for (uint64_t at = run.begin; at < run.end();) {
    const uint64_t index = at / page_blocks();
    const uint64_t stop = std::min(run.end(), (index + 1) * page_blocks());
    if (index >= pages_.size() ||
        (stop - index * page_blocks()) * k_block_bytes > pages_[index].bytes) {
      return false;
    }
    at = stop;
  }
  return true;
}

Status PageFiles::remove_behind(uint32_t count) {
  while (this->count() > count) {
    const bool there = pages_.back().source != nullptr;
    file_bytes_ -= pages_.back().bytes;
    pages_.pop_back();
    if (there) {
      TRY(storage_->remove(path(this->count() + 1)));
    }
  }
  return {};
}

std::vector<BlockRun> PageFiles::missing() const {
  std::vector<BlockRun> runs;
  for (uint64_t index = 0; index + 1 < pages_.size(); ++index) {
    const uint64_t blocks = pages_[index].bytes / k_block_bytes;
    if (blocks < page_blocks()) {
      runs.push_back({index * page_blocks() + blocks, page_blocks() - blocks});
    }
  }
  return runs;
}

}  // namespace asyncstore::gridstore
