// The order of a flush; what a crash after each step leaves.
//
//   prepare: values synced     the old flush; the new values are in blocks that it does not use
//            new dictionaries  the same, and files that no journal tells of: removed at open
//            N.flush synced    the same, and an orphan
//            folder synced     the same
//   (caller commits N)         flush N: its journal is laid over the tracker at open
//   finish:  tracker written   the same, with any mixture of old and new pages below it
//            tracker synced    the same
//            renamed to N.done flush N; the tracker has it all
//            old ones removed  the same
#include <algorithm>
#include <span>
#include <utility>

#include "gridstore/flush_journal.h"
#include "gridstore/gridstore.h"

namespace asyncstore::gridstore {

using base::Status;

std::unique_ptr<FlushPlan> Gridstore::plan_flush() {
  ASSERT(pending_.empty() && !planned_);
  auto plan = std::make_unique<FlushPlan>();
  plan->pages_ = tracker_.plan_dirty();
  if (plan->pages_.empty()) {
    return nullptr;
  }
  planned_ = true;
  plan->order_ = ++plans_;
  plan->previous_ = flush_number_;
  plan->slots_ = tracker_.slot_count();
  plan->unsynced_ = page_files_.take_unsynced();
  plan->dictionaries_ = codec_.dictionary_count();
  plan->lacking_ = lacking_dictionaries();
  plan->obsolete_ = std::exchange(journals_, {});
  plan->folder_is_new_ = std::exchange(folder_is_new_, false);
  return plan;
}

Status Gridstore::prepare(FlushPlan& plan, uint64_t number) const {
  ASSERT(number > plan.previous_ && plan.number_ == 0);
  plan.number_ = number;
  // Before the slow part: until a page is copied here, the writer copies it before it changes it.
  plan.images_.reserve(plan.pages_.size());
  for (const uint32_t page : plan.pages_) {
    seal(plan.images_.emplace_back(tracker_.copy_planned(page)), options_.owner);
  }
  for (const UnsyncedPage& unsynced : plan.unsynced_) {
    if (unsynced.file) {
      TRY(unsynced.file->sync_gently());
    } else {
      TRY_ASSIGN(const auto file,
                 storage_->open(page_files_.path(unsynced.page), io::Open::read_write));
      TRY(file->sync_gently());
    }
  }
  // In force with the manifest, as their names are durable with that of the journal.
  for (const DictionaryFile& file : plan.lacking_) {
    TRY(write_dictionary(*storage_, file.path, options_.owner, *file.dictionary));
  }
  plan.journal_ = flush_path(folder_, number);
  std::erase(plan.obsolete_, plan.journal_);  // of a flush with this number that was given up
  TRY(write_journal(
      *storage_, plan.journal_, options_.owner,
      {number, plan.slots_, plan.images_.size(), options_.page_file_bytes, plan.dictionaries_},
      plan.images_));
  TRY(storage_->sync_folder(folder_));
  return plan.folder_is_new_ ? storage_->sync_folder(io::parent_folder(folder_)) : Status();
}

Status Gridstore::finish(FlushPlan& plan) const {
  ASSERT(plan.number_ != 0 && !plan.finished_);
  const std::span<const TrackerPage> images = plan.images_;
  {
    TRY_ASSIGN(const auto file, storage_->open(tracker_path(), io::Open::create_or_open));
    for (size_t begin = 0, end = 0; begin < images.size(); begin = end) {
      // Pages that lie side by side go in one write.
      end = begin + 1;
      while (end < images.size() && images[end].number == images[end - 1].number + 1) {
        ++end;
      }
      TRY(file->write_at(page_offset(images[begin].number),
                         std::as_bytes(images.subspan(begin, end - begin))));
    }
    TRY(file->sync());
  }
  plan.finished_ = true;
  plan.images_ = {};  // here and not on the writer: it may be much memory
  const std::string done = done_path(folder_, plan.number_);
  TRY(storage_->rename(plan.journal_, done));
  plan.journal_ = done;
  while (!plan.obsolete_.empty()) {
    if (storage_->exists(plan.obsolete_.back())) {
      TRY(storage_->remove(plan.obsolete_.back()));
    }
    plan.obsolete_.pop_back();
  }
  return {};
}

void Gridstore::committed(std::unique_ptr<FlushPlan> plan) {
  ASSERT(planned_ && plan->number_ != 0);
  planned_ = false;
  flush_number_ = plan->number_;
  dictionaries_saved_.store(plan->dictionaries_, std::memory_order_relaxed);
  journals_ = std::move(plan->obsolete_);
  journals_.push_back(plan->journal_);
  if (plan->finished_) {
    tracker_pages_.store(pages_of(plan->slots_), std::memory_order_relaxed);
  } else {
    // The next journal replaces this one, so it must have what the tracker lacks.
    tracker_pages_.store(0, std::memory_order_relaxed);
    for (const uint32_t page : plan->pages_) {
      tracker_.touch(page);
    }
  }
  waiting_.committed(plan->order_, [this](BlockRun run) { space_.free(run); });
  note_space();
}

void Gridstore::abandon(std::unique_ptr<FlushPlan> plan) {
  ASSERT(planned_);
  planned_ = false;
  journals_ = std::move(plan->obsolete_);
  if (!plan->journal_.empty()) {
    journals_.push_back(plan->journal_);
  }
  for (const uint32_t page : plan->pages_) {
    tracker_.touch(page);
  }
  page_files_.give_back(plan->unsynced_);
  folder_is_new_ = plan->folder_is_new_;
}

}  // namespace asyncstore::gridstore
