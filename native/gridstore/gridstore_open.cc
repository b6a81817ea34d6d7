// Opening: the tracker, the journal over it, and from the pointers what is in use.
#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>
#include <utility>

#include "gridstore/flush_journal.h"
#include "gridstore/gridstore.h"

namespace asyncstore::gridstore {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

// More findings than anybody reads; a lost pointer is reported by find() all the same.
constexpr size_t k_damaged_max = 1000;
// Tracker pages that the journal promises and the file lacks: beyond this the memory for them is
// not taken on the word of a damaged folder.
constexpr uint64_t k_pages_lacking_max = 1 << 16;
// Page files that may be missing between those that are there.
constexpr uint64_t k_page_files_missing_max = 1024;
constexpr uint64_t k_part_pages = 256;

// The number in "<number><suffix>".
std::optional<uint64_t> number_in(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) {
    return std::nullopt;
  }
  name.remove_suffix(suffix.size());
  uint64_t number = 0;
  const auto [stop, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
  return failure == std::errc() && stop == name.data() + name.size() && !name.empty()
             ? std::optional(number)
             : std::nullopt;
}

bool is_zero(const TrackerPage& page) {
  const auto bytes = std::as_bytes(std::span(&page, 1));
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{}; });
}

}  // namespace

// What the folder has that is ours.
struct Gridstore::Names {
  bool tracker = false;
  std::vector<std::string> journals;
  std::vector<std::string> pages;
  std::vector<std::pair<std::string, uint64_t>> dictionaries;  // with their numbers
  uint32_t page_max = 0;                                       // the highest number of a page file

  static Names of(const std::vector<std::string>& names, const std::string& folder);
};

Gridstore::Names Gridstore::Names::of(const std::vector<std::string>& names,
                                      const std::string& folder) {
  Names ours;
  std::vector<uint64_t> numbers;
  for (const std::string& name : names) {
    if (name == "tracker") {
      ours.tracker = true;
    } else if (number_in(name, ".flush") || number_in(name, ".done")) {
      ours.journals.push_back(std::string(folder).append("/").append(name));
    } else if (const auto number = number_in(name, ".page")) {
      ours.pages.push_back(std::string(folder).append("/").append(name));
      numbers.push_back(*number);
    }
    for (const DictionaryCopy copy : k_dictionary_copies) {
      if (const auto dictionary = number_in(name, suffix_of(copy))) {
        ours.dictionaries.emplace_back(std::string(folder).append("/").append(name), *dictionary);
      }
    }
  }
  std::sort(numbers.begin(), numbers.end());
  for (const uint64_t number : numbers) {
    if (number <= std::min<uint64_t>(ours.page_max + k_page_files_missing_max, Entry::k_page_max)) {
      ours.page_max = static_cast<uint32_t>(number);
    }
  }
  return ours;
}

Result<std::unique_ptr<Gridstore>> Gridstore::open(std::shared_ptr<io::Storage> storage,
                                                   std::string folder, Options options,
                                                   uint64_t flush_number) {
  std::unique_ptr<Gridstore> store(new Gridstore(std::move(storage), std::move(folder), options));
  std::vector<std::string> listed;
  if (store->storage_->exists(store->folder_)) {
    TRY_ASSIGN(listed, store->storage_->list(store->folder_));
  } else {
    TRY(store->storage_->create_folder(store->folder_));
    store->folder_is_new_ = true;
  }
  const Names names = Names::of(listed, store->folder_);
  TRY(flush_number == 0 ? store->make_new(names) : store->load(names, flush_number));
  store->note_space();
  return store;
}

// Nothing was ever committed, so all of this is what a crash left.
Status Gridstore::make_new(const Names& names) {
  if (names.tracker) {
    TRY(storage_->remove(tracker_path()));
  }
  for (const auto* paths : {&names.journals, &names.pages}) {
    for (const std::string& path : *paths) {
      TRY(storage_->remove(path));
    }
  }
  for (const auto& [path, number] : names.dictionaries) {
    TRY(storage_->remove(path));
  }
  folder_is_new_ = true;  // its name need not be durable yet
  return {};
}

Status Gridstore::load(const Names& names, uint64_t flush_number) {
  flush_number_ = flush_number;
  const std::string unfinished = flush_path(folder_, flush_number);
  const std::string done = done_path(folder_, flush_number);
  const auto has = [&](const std::string& path) {
    return std::find(names.journals.begin(), names.journals.end(), path) != names.journals.end();
  };
  if (!has(unfinished) && !has(done)) {
    return base::corruption(unfinished, 0, "the journal of the last flush is missing");
  }
  // Should the journal not tell: as many as there are.
  uint32_t dictionaries = 0;
  for (const auto& [path, number] : names.dictionaries) {
    if (number <= k_dictionaries_max) {
      dictionaries = std::max(dictionaries, static_cast<uint32_t>(number));
    }
  }
  TRY(has(unfinished) ? load_unfinished(unfinished, dictionaries) : load_done(done, dictionaries));
  TRY(load_dictionaries(dictionaries));
  for (const auto& [path, number] : names.dictionaries) {
    if (number == 0 || number > dictionaries) {
      TRY(storage_->remove(path));  // of a flush that was not committed
    }
  }
  TRY(load_space(names));
  for (const std::string& path : names.journals) {
    if (path == (has(unfinished) ? unfinished : done)) {
      journals_.push_back(path);
    } else {
      TRY(storage_->remove(path));
    }
  }
  return {};
}

// The tracker may be of any age and torn: what the journal has counts.
Status Gridstore::load_unfinished(const std::string& path, uint32_t& dictionaries) {
  TRY_ASSIGN(const FlushJournal journal,
             FlushJournal::open(*storage_, path, options_.owner, flush_number_));
  TRY(fits(journal));
  dictionaries = journal.info().dictionaries;
  TRY_ASSIGN(auto lacking, load_tracker(journal.info().slots));
  TRY(journal.visit([&](const TrackerPage& image) {
    tracker_.load(image.number, image);
    // The next flush writes it in place.
    tracker_.touch(image.number);
    std::erase(lacking, image.number);
  }));
  note_lacking(lacking);
  return {};
}

// The tracker has it all; the journal helps where the tracker was damaged since.
Status Gridstore::load_done(const std::string& path, uint32_t& dictionaries) {
  auto journal = FlushJournal::open(*storage_, path, options_.owner, flush_number_);
  if (!journal.ok() && journal.error().code != Code::corruption) {
    return std::move(journal.error());
  }
  uint32_t slots = 0;
  if (journal.ok()) {
    TRY(fits(journal.value()));
    slots = journal.value().info().slots;
    dictionaries = journal.value().info().dictionaries;
  } else {
    note_damage(journal.error());
    TRY_ASSIGN(slots, slots_of_tracker());
  }
  TRY_ASSIGN(auto lacking, load_tracker(slots));
  if (journal.ok() && !lacking.empty()) {
    const Status visited = journal.value().visit([&](const TrackerPage& image) {
      if (std::erase(lacking, image.number) > 0) {
        tracker_.load(image.number, image);
        tracker_.touch(image.number);
      }
    });
    if (!visited.ok()) {
      note_damage(visited.error());
    }
  }
  note_lacking(lacking);
  tracker_pages_.store(pages_of(slots), std::memory_order_relaxed);
  return {};
}

Status Gridstore::fits(const FlushJournal& journal) const {
  if (journal.info().page_file_bytes != options_.page_file_bytes) {
    return base::corruption(journal.path(), 56,
                            "page files of " + std::to_string(journal.info().page_file_bytes) +
                                " bytes, not " + std::to_string(options_.page_file_bytes) + ",");
  }
  return {};
}

// Up to the last page that was ever written.
Result<uint32_t> Gridstore::slots_of_tracker() const {
  TRY_ASSIGN(const auto file, storage_->open(tracker_path(), io::Open::read));
  TRY_ASSIGN(const uint64_t size, file->size());
  uint64_t pages = std::min<uint64_t>(size / k_tracker_page_bytes, k_slots_max / k_page_entries);
  TrackerPage page;
  for (; pages > 0; --pages) {
    TRY(file->read_at((pages - 1) * k_tracker_page_bytes,
                      std::as_writable_bytes(std::span(&page, 1))));
    if (!is_zero(page)) {
      break;
    }
  }
  return static_cast<uint32_t>(pages * k_page_entries);
}

// Loads what holds; gives the numbers of the pages that do not.
Result<std::vector<uint32_t>> Gridstore::load_tracker(uint32_t slots) {
  const uint64_t pages = pages_of(slots);
  std::unique_ptr<io::File> file;
  uint64_t there = 0;
  if (storage_->exists(tracker_path())) {
    TRY_ASSIGN(file, storage_->open(tracker_path(), io::Open::read));
    TRY_ASSIGN(const uint64_t size, file->size());
    there = std::min(pages, size / k_tracker_page_bytes);
    tracker_file_bytes_ = base::round_down(size, k_tracker_page_bytes);
  }
  if (pages - there > k_pages_lacking_max) {
    return base::corruption(
        tracker_path(), there * k_tracker_page_bytes,
        "the tracker ends " + std::to_string(pages - there) + " pages too early");
  }
  if (!tracker_.reserve(slots)) {
    return no_memory();
  }
  tracker_.load_slots(slots);
  std::vector<uint32_t> lacking;
  std::vector<TrackerPage> part;
  for (uint64_t first = 0; first < there; first += part.size()) {
    part.resize(std::min(k_part_pages, there - first));
    TRY(file->read_at(first * k_tracker_page_bytes, std::as_writable_bytes(std::span(part))));
    for (size_t i = 0; i < part.size(); ++i) {
      const auto number = static_cast<uint32_t>(first + i);
      if (holds(part[i], number, options_.owner)) {
        tracker_.load(number, part[i]);
      } else {
        lacking.push_back(number);
      }
    }
  }
  for (uint64_t number = there; number < pages; ++number) {
    lacking.push_back(static_cast<uint32_t>(number));
  }
  return lacking;
}

void Gridstore::note_lacking(const std::vector<uint32_t>& pages) {
  for (const uint32_t page : pages) {
    tracker_.load_lost(page);
    note_damage(base::corruption(tracker_path(), page_offset(page),
                                 "a tracker page does not match its checksum"));
  }
}

void Gridstore::note_damage(const Error& error) {
  if (damaged_.size() < k_damaged_max) {
    damaged_.push_back(error);
  }
}

// What the pointers claim is in use; all the rest is free.
Status Gridstore::load_space(const Names& names) {
  TRY(page_files_.load(names.page_max));
  const uint32_t page_blocks = page_files_.page_blocks();
  const bool whole = page_files_.missing().empty();
  const uint64_t end = page_files_.end();
  for (uint32_t slot = 0; slot < tracker_.slot_count(); ++slot) {
    const Entry entry = tracker_.find(slot);
    if (!entry.present()) {
      continue;
    }
    const BlockRun run = entry.run(page_blocks);
    const bool there =
        entry.stored_bytes() == 0 || (entry.block < page_blocks && run.end() <= end &&
                                      (whole || page_files_.on_disk(run)) && space_.claim(run));
    if (there) {
      count_value(entry, true);
    } else {
      tracker_.load_lost_entry(slot);
      note_damage(lost(slot));
    }
  }
  if (damaged_.empty()) {
    // Files that only values after the flush were written to.
    TRY(page_files_.remove_behind(
        static_cast<uint32_t>((space_.tail() + page_blocks - 1) / page_blocks)));
  }
  for (const BlockRun& run : page_files_.missing()) {
    ASSERT(space_.claim(run));
  }
  space_.load_finish();
  space_.grow(page_files_.end());
  return {};
}

}  // namespace asyncstore::gridstore
