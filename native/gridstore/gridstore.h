// A key-value store for payload, sparse vectors and multivectors: keys are slots, values are bytes.
//
// Files, in a folder of their own:
//
//   tracker            for each slot, where its value is (tracker_page.h)
//   00000001.page, …   the values, in blocks of 128 bytes (page_files.h)
//   N.flush or N.done  the tracker pages that flush N changed (flush_journal.h)
//   D.dictionary, D.mirror  what values were compressed with (dictionary.h)
//
// put() writes to free blocks only and changes a pointer in memory. Until the next flush the disk
// knows nothing of it, so a crash gives back exactly the last flush that was committed. What is
// free is not written anywhere: it is what no pointer claims, found out at open (40 ns a value,
// most of it for reading the tracker). So no block is lost for good and no list contradicts the
// pointers.
//
// A flush, in order:
//
//   1 plan_flush  writer      notes which tracker pages changed
//   2 prepare     any thread  copies these pages, as they were at 1; syncs the values, writes and
//                             syncs new dictionaries, then N.flush; syncs the folder
//   3 (caller)                names N in its manifest: this commits the flush
//   4 finish      any thread  writes the images in place, syncs; N.flush becomes N.done
//   5 committed   writer      blocks that only older flushes knew may be used again
//
// If 2 or 3 fails: abandon() on the writer instead of the rest. If a sync failed (prepare, finish),
// the caller must stop writing: a sync is never tried again. Otherwise it may go on, with another
// number; if 3 failed so that N may be committed or not, with no further flush.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "gridstore/dictionary.h"
#include "gridstore/entry.h"
#include "gridstore/flush_journal.h"
#include "gridstore/flush_plan.h"
#include "gridstore/free_space.h"
#include "gridstore/page_files.h"
#include "gridstore/tracker.h"
#include "gridstore/value_codec.h"
#include "gridstore/waiting_blocks.h"
#include "io/storage.h"

namespace asyncstore::gridstore {

struct Options {
  uint64_t owner = 0;  // identity of the collection: files of another are refused
  bool direct_io = false;
  bool compress = true;
  // Other sizes are for tests: multiples of k_block_bytes and of 64.
  uint32_t page_file_bytes = k_page_file_bytes;
  uint32_t region_blocks = k_region_blocks;
  uint32_t dictionary_bytes = k_dictionary_bytes;
};

struct Statistics {
  uint64_t values = 0;
  uint64_t live_bytes = 0;      // of the values as stored
  uint64_t live_blocks = 0;     // that they take
  uint64_t waiting_blocks = 0;  // of old values, for readers or a flush
  uint64_t free_blocks = 0;
  uint64_t file_bytes = 0;  // of the page files and the tracker
  uint64_t dictionaries = 0;
  uint64_t ram_bytes = 0;
};

// Any thread may read at any time; one thread at a time, the writer, does the rest.
class Gridstore {
 public:
  // Opens what flush `flush_number` left, 0 for a new store; makes the folder if it is not there
  // (its parent is). Whatever a crash left besides is removed. Damaged tracker pages are listed in
  // damaged(); only a damaged N.flush, or a folder without what N needs, fails.
  static base::Result<std::unique_ptr<Gridstore>> open(std::shared_ptr<io::Storage> storage,
                                                       std::string folder, Options options,
                                                       uint64_t flush_number);

  // --- any thread ---
  // Where the value of the slot is; nothing when it has none; Code::corruption when damage took the
  // pointer. The value stays there until the holder that the caller has (release()) is gone.
  base::Result<std::optional<Entry>> find(uint32_t slot) const;
  // Appends where to read, in order: decode() takes all pieces in a row. None for an empty value.
  void pieces(const Entry& entry, std::vector<Piece>& pieces) const {
    page_files_.pieces(entry, pieces);
  }
  // Makes `value` of what was read; Code::corruption when it is not what was put.
  base::Status decode(uint32_t slot, const Entry& entry, base::Bytes stored,
                      std::vector<std::byte>& value) const;
  // The work of a put() that need not be the writer's. The value outlives the put().
  base::Status encode(uint32_t slot, base::Bytes value, Encoded& encoded) const;
  // find(), a read that waits, and decode(). Needs no holder.
  base::Result<std::optional<std::vector<std::byte>>> read(uint32_t slot) const;
  uint32_t slot_count() const { return tracker_.slot_count(); }  // highest slot ever used + 1
  Statistics statistics() const;
  // Found at open; the same as long as the store is open.
  const std::vector<base::Error>& damaged() const { return damaged_; }
  // Damage found at open that was mended then; likewise.
  const std::vector<base::Error>& mended() const { return mended_; }

  // Calls `report` for each value of slots [begin, end) that cannot be read as it was put. Any
  // thread; the caller has a holder. An error is one of opening a file.
  using Report = std::function<void(uint32_t slot, const base::Error&)>;
  base::Status check(uint32_t begin, uint32_t end, const Report& report) const;
  // The same for the pages of the tracker file, and for the journal of the flush that was committed
  // last. While no finish() runs.
  using ReportPage = std::function<void(uint32_t page, const base::Error&)>;
  void check_tracker(const ReportPage& report) const;
  base::Status check_journal(uint64_t flush_number) const;
  // And for the files of the dictionaries that flushes have saved.
  using ReportDictionary = std::function<void(uint32_t number, const base::Error&)>;
  void check_dictionaries(const ReportDictionary& report) const;
  // Writes the files of a dictionary anew that are damaged, from memory, and syncs them; one that
  // both files have lost stays lost. While nobody flushes.
  base::Status mend_dictionary(uint32_t number);

  // --- writer: changes ---
  // The space for `values` more values of `bytes` in all: until the end of the group, so much of
  // put() fails for no other reason than a device error. Adds to what the group reserved before.
  base::Status reserve(uint64_t bytes, uint64_t values);
  // The value is in force, and readers see it, once it was published. An error for want of space or
  // memory leaves the rest of the group as it is. One of writing takes back what was put or removed
  // and not yet published.
  base::Status put(uint32_t slot, base::Bytes value);
  // The same with the value encoded before, by this store.
  base::Status put(const Encoded& encoded);
  void remove(uint32_t slot);
  // Ends a group: writes what was put, without a sync, and publishes what was not published yet.
  // After an error the group is taken back: the old values stand.
  base::Status write_out();
  // The same in steps, for who has more to change in the same moment: write() what was put, then
  // publish() slot by slot, in the order in which they were put and removed.
  base::Status write();
  void publish(uint32_t slot);
  // As the writer sees it, with what it put in this group; to that end it may write out.
  base::Result<std::optional<std::vector<std::byte>>> read_own(uint32_t slot);
  // To be told of every holder (a view, say) that is replaced: blocks of values that were replaced
  // since the last call may be used again once this holder and all before it are gone. Between
  // groups.
  void release(std::shared_ptr<const void> holder);
  // Of the files that readers may know (io::Source::id).
  std::vector<uint64_t> source_ids() const { return page_files_.source_ids(); }

  // --- flush, one at a time ---
  // The last flush that was committed; the number to name in a manifest.
  uint64_t flush_number() const { return flush_number_; }
  // Between groups. Null when nothing changed since the last flush: its number stays.
  std::unique_ptr<FlushPlan> plan_flush();
  base::Status prepare(FlushPlan& plan, uint64_t number) const;
  base::Status finish(FlushPlan& plan) const;
  void committed(std::unique_ptr<FlushPlan> plan);
  void abandon(std::unique_ptr<FlushPlan> plan);

  // Writer, between groups: the next flush writes this page of the tracker anew, and so a journal.
  void rewrite_page(uint32_t page);

  // For tests: whether the blocks in use are those of all values and of those that wait, each once.
  // Between groups.
  bool space_is_sound() const;

 private:
  Gridstore(std::shared_ptr<io::Storage> storage, std::string folder, Options options);

  struct Pending {  // put or removed in this group; absent: removed
    uint32_t slot;
    Entry entry;
  };
  struct Gathered {  // bytes of gathered_ that go to blocks in a row
    uint64_t block;
    uint64_t offset;
    uint64_t bytes;
  };

  std::string tracker_path() const { return folder_ + "/tracker"; }
  base::Error lost(uint32_t slot) const;
  base::Error no_memory() const;
  base::Status write_group();
  void publish_next();
  void take_back();
  void forget_group();
  bool is_pending(uint32_t slot) const;
  void set_pending(uint32_t slot, bool value);
  base::Result<BlockRun> take_blocks(uint64_t count);
  base::Status grow_tracker(uint32_t slots);
  void count_value(const Entry& entry, bool added);
  void note_space();

  // gridstore_dictionaries.cc
  base::Status load_dictionaries(uint32_t count);
  base::Status rewrite_dictionary(const Dictionary& dictionary, DictionaryCopy damaged);
  std::vector<DictionaryFile> lacking_dictionaries() const;

  // gridstore_open.cc
  struct Names;
  base::Status make_new(const Names& names);
  base::Status load(const Names& names, uint64_t flush_number);
  base::Status load_unfinished(const std::string& path, uint32_t& dictionaries);
  base::Status load_done(const std::string& path, uint32_t& dictionaries);
  base::Status fits(const FlushJournal& journal) const;
  base::Result<uint32_t> slots_of_tracker() const;
  base::Result<std::vector<uint32_t>> load_tracker(uint32_t slots);
  base::Status load_space(const Names& names);
  void note_lacking(const std::vector<uint32_t>& pages);
  void note_damage(const base::Error& error);

  std::shared_ptr<io::Storage> storage_;
  std::string folder_;
  Options options_;
  Tracker tracker_;
  PageFiles page_files_;
  ValueCodec codec_;
  FreeSpace space_;
  WaitingBlocks waiting_;
  std::vector<base::Error> damaged_;
  std::vector<base::Error> mended_;

  // The group.
  Encoded encoded_;  // the latest of put() with a value
  std::vector<std::byte> gathered_;
  std::vector<Gathered> runs_;
  std::vector<Pending> pending_;
  size_t published_ = 0;              // of pending_
  std::vector<uint64_t> is_pending_;  // a bit a slot
  uint64_t reserved_blocks_ = 0;
  uint64_t reserved_values_ = 0;

  uint64_t flush_number_ = 0;
  std::atomic<uint32_t> dictionaries_saved_{0};  // by that flush
  uint32_t plans_ = 0;                           // so far
  bool planned_ = false;
  std::vector<std::string> journals_;  // on disk, committed or not
  bool folder_is_new_ = false;
  uint64_t tracker_file_bytes_ = 0;  // allocated
  // Of the tracker file, all as the last flush left them; 0: not known.
  std::atomic<uint32_t> tracker_pages_{0};

  // For statistics(); written by the writer.
  std::atomic<uint64_t> values_{0};
  std::atomic<uint64_t> live_bytes_{0};
  std::atomic<uint64_t> live_blocks_{0};
  std::atomic<uint64_t> waiting_blocks_{0};
  std::atomic<uint64_t> free_blocks_{0};
  std::atomic<uint64_t> file_bytes_{0};
  std::atomic<uint64_t> space_ram_bytes_{0};
  std::atomic<uint64_t> dictionaries_{0};
};

}  // namespace asyncstore::gridstore
