// Looking for damage.
#include <algorithm>
#include <span>

#include "gridstore/flush_journal.h"
#include "gridstore/gridstore.h"

namespace asyncstore::gridstore {

using base::MutableBytes;
using base::Status;

Status Gridstore::check(uint32_t begin, uint32_t end, const Report& report) const {
  std::unique_ptr<io::File> file;  // of the piece before: values of a group lie side by side
  std::vector<Piece> pieces;
  std::vector<std::byte> stored;
  std::vector<std::byte> value;
  for (uint32_t slot = begin; slot < std::min(end, slot_count()); ++slot) {
    const auto found = find(slot);
    if (!found.ok()) {
      report(slot, found.error());
      continue;
    }
    if (!found.value()) {
      continue;
    }
    const Entry& entry = *found.value();
    pieces.clear();
    page_files_.pieces(entry, pieces);
    stored.resize(entry.stored_bytes());
    MutableBytes rest = stored;
    Status sound;
    for (const Piece& piece : pieces) {
      if (!file || file->path() != piece.source->path()) {
        TRY_ASSIGN(file, storage_->open(piece.source->path(), io::Open::read));
      }
      sound = file->read_at(piece.offset, rest.first(piece.length));
      if (!sound.ok()) {
        break;
      }
      rest = rest.subspan(piece.length);
    }
    if (sound.ok()) {
      sound = decode(slot, entry, stored, value);
    }
    if (!sound.ok()) {
      report(slot, sound.error());
    }
  }
  return {};
}

void Gridstore::check_tracker(const ReportPage& report) const {
  const uint32_t pages = tracker_pages_.load(std::memory_order_relaxed);
  if (pages == 0) {
    return;
  }
  const auto file = storage_->open(tracker_path(), io::Open::read);
  TrackerPage page;
  for (uint32_t number = 0; number < pages; ++number) {
    Status sound = file.ok() ? file.value()->read_at(page_offset(number),
                                                     std::as_writable_bytes(std::span(&page, 1)))
                             : Status(file.error());
    if (sound.ok() && !holds(page, number, options_.owner)) {
      sound = base::corruption(tracker_path(), page_offset(number),
                               "a tracker page does not match its checksum");
    }
    if (!sound.ok()) {
      report(number, sound.error());
    }
  }
}

Status Gridstore::check_journal(uint64_t flush_number) const {
  if (flush_number == 0) {
    return {};
  }
  const std::string unfinished = flush_path(folder_, flush_number);
  const std::string path =
      storage_->exists(unfinished) ? unfinished : done_path(folder_, flush_number);
  TRY_ASSIGN(const FlushJournal journal,
             FlushJournal::open(*storage_, path, options_.owner, flush_number));
  return journal.visit([](const TrackerPage&) {});
}

void Gridstore::rewrite_page(uint32_t page) {
  ASSERT(pending_.empty());
  if (page < pages_of(tracker_.slot_count())) {
    tracker_.touch(page);
  }
}

bool Gridstore::space_is_sound() const {
  ASSERT(pending_.empty());
  BlockMask seen;
  seen.resize(base::round_up(space_.tail() + 1, 64), false);
  bool sound = true;
  uint64_t blocks = 0;
  const auto see = [&](BlockRun run) {
    sound = sound && space_.used(run) && !seen.any_used(run);
    if (sound) {
      seen.set(run);
    }
    blocks += run.count;
  };
  for (uint32_t slot = 0; slot < tracker_.slot_count(); ++slot) {
    const Entry entry = tracker_.find(slot);
    if (entry.present() && entry.stored_bytes() > 0) {
      see(entry.run(page_files_.page_blocks()));
    }
  }
  waiting_.visit(see);
  for (const BlockRun& run : page_files_.missing()) {
    see(run);
  }
  return sound && blocks + space_.free_blocks() == space_.end() &&
         space_.end() == page_files_.end();
}

}  // namespace asyncstore::gridstore
