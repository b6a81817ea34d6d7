// Finding, putting and removing values. Opening, flushing and checking have files of their own.
#include "gridstore/gridstore.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace asyncstore::gridstore {

using base::Bytes;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr uint64_t k_gather_bytes_max = 1 << 20;  // and one value
constexpr uint64_t k_gather_bytes_kept = 64 << 10;
constexpr uint64_t k_tracker_step_bytes_min = 16 << 10;
constexpr uint64_t k_tracker_step_bytes_max = 8 << 20;
// A read without a holder may find its blocks written again; then it asks anew.
constexpr uint32_t k_read_attempts_max = 64;

}  // namespace

Gridstore::Gridstore(std::shared_ptr<io::Storage> storage, std::string folder, Options options)
    : storage_(std::move(storage)),
      folder_(std::move(folder)),
      options_(options),
      page_files_(storage_, folder_, options.page_file_bytes, options.direct_io),
      codec_(options.owner, options.compress, options.dictionary_bytes),
      space_(options.region_blocks) {}

// --- any thread ---

Error Gridstore::lost(uint32_t slot) const {
  return base::corruption(tracker_path(), entry_offset(slot),
                          "the pointer of slot " + std::to_string(slot) + " is damaged");
}

Error Gridstore::no_memory() const {
  return base::io_error("no memory left for the pointers of", tracker_path(), 0, ENOMEM);
}

Result<std::optional<Entry>> Gridstore::find(uint32_t slot) const {
  const Entry entry = tracker_.find(slot);
  if (entry.damaged()) {
    return lost(slot);
  }
  return entry.absent() ? std::optional<Entry>() : entry;
}

Status Gridstore::decode(uint32_t slot, const Entry& entry, Bytes stored,
                         std::vector<std::byte>& value) const {
  if (codec_.decode(slot, entry, stored, value)) {
    return {};
  }
  return base::corruption(
      page_files_.path(entry.page), uint64_t{entry.block} * k_block_bytes,
      "the value of slot " + std::to_string(slot) + " does not match its checksum");
}

Result<std::optional<std::vector<std::byte>>> Gridstore::read(uint32_t slot) const {
  std::vector<std::byte> stored;
  std::vector<std::byte> value;
  for (uint32_t attempt = 1;; ++attempt) {
    TRY_ASSIGN(const auto entry, find(slot));
    if (!entry) {
      return std::optional<std::vector<std::byte>>();
    }
    stored.clear();
    TRY(page_files_.read(*entry, stored));
    Status decoded = decode(slot, *entry, stored, value);
    if (decoded.ok()) {
      return std::optional(std::move(value));
    }
    if (attempt == k_read_attempts_max || tracker_.find(slot) == *entry) {
      return std::move(decoded.error());
    }
  }
}

Status Gridstore::encode(uint32_t slot, Bytes value, Encoded& encoded) const {
  if (value.size() > k_value_bytes_max || slot >= k_slots_max) {
    return base::invalid_argument("a value of " + std::to_string(value.size()) +
                                  " bytes for slot " + std::to_string(slot) + "; at most " +
                                  std::to_string(k_value_bytes_max) + " bytes and slot " +
                                  std::to_string(k_slots_max - 1) + " are possible");
  }
  codec_.encode(slot, value, encoded);
  return {};
}

Statistics Gridstore::statistics() const {
  const auto of = [](const std::atomic<uint64_t>& number) {
    return number.load(std::memory_order_relaxed);
  };
  return {of(values_),       of(live_bytes_),
          of(live_blocks_),  of(waiting_blocks_),
          of(free_blocks_),  of(file_bytes_),
          of(dictionaries_), of(space_ram_bytes_) + tracker_.ram_bytes()};
}

// --- the writer's group ---

Status Gridstore::reserve(uint64_t bytes, uint64_t values) {
  const uint64_t blocks = reserved_blocks_ + bytes / k_block_bytes + values;
  if (blocks > space_.tail_blocks()) {
    TRY(page_files_.grow(space_.tail() + blocks));
    space_.grow(page_files_.end());
    note_space();
  }
  const uint64_t slots = tracker_.slot_count() + reserved_values_ + values;
  TRY(grow_tracker(static_cast<uint32_t>(std::min<uint64_t>(slots, k_slots_max))));
  reserved_blocks_ = blocks;
  reserved_values_ += values;
  return {};
}

Status Gridstore::put(uint32_t slot, Bytes value) {
  TRY(encode(slot, value, encoded_));
  return put(encoded_);
}

Status Gridstore::put(const Encoded& encoded) {
  const uint32_t slot = encoded.slot;
  TRY(grow_tracker(slot + 1));
  if (gathered_.size() >= k_gather_bytes_max) {
    TRY(write());
  }
  Entry entry = encoded.entry;
  const Bytes stored = encoded.stored();
  const uint64_t bytes = blocks_of(stored.size()) * k_block_bytes;
  entry.page = 1;  // of an empty value, which is nowhere
  if (bytes > 0) {
    TRY_ASSIGN(const BlockRun taken, take_blocks(bytes / k_block_bytes));
    entry.page = static_cast<uint32_t>(taken.begin / page_files_.page_blocks()) + 1;
    entry.block = static_cast<uint32_t>(taken.begin % page_files_.page_blocks());
    const uint64_t offset = gathered_.size();
    gathered_.insert(gathered_.end(), stored.begin(), stored.end());
    // Whole blocks, so that nothing of an old value stays behind, and neighbours can be joined.
    gathered_.resize(offset + bytes);
    if (!runs_.empty() && runs_.back().block + runs_.back().bytes / k_block_bytes == taken.begin) {
      runs_.back().bytes += bytes;
    } else {
      runs_.push_back({taken.begin, offset, bytes});
    }
  }
  pending_.push_back({slot, entry});
  set_pending(slot, true);
  codec_.learn(encoded);
  return {};
}

void Gridstore::remove(uint32_t slot) {
  if (slot < tracker_.slot_count() || is_pending(slot)) {
    pending_.push_back({slot, {}});
    set_pending(slot, true);
  }
}

Status Gridstore::write_out() {
  reserved_blocks_ = 0;
  reserved_values_ = 0;
  return write_group();
}

Result<std::optional<std::vector<std::byte>>> Gridstore::read_own(uint32_t slot) {
  if (is_pending(slot)) {
    TRY(write_group());
  }
  return read(slot);
}

void Gridstore::release(std::shared_ptr<const void> holder) {
  ASSERT(pending_.empty());
  waiting_.release(std::move(holder), [this](BlockRun run) { space_.free(run); });
  note_space();
}

Status Gridstore::write_group() {
  TRY(write());
  while (published_ < pending_.size()) {
    publish_next();
  }
  forget_group();
  return {};
}

Status Gridstore::write() {
  for (const Gathered& run : runs_) {
    Status written = page_files_.write(run.block, Bytes(gathered_).subspan(run.offset, run.bytes));
    if (!written.ok()) {
      take_back();
      return written;
    }
  }
  runs_.clear();
  gathered_.clear();
  return {};
}

void Gridstore::publish(uint32_t slot) {
  ASSERT(runs_.empty());
  while (published_ < pending_.size() && pending_[published_].slot == slot) {
    publish_next();
  }
}

// The value is in the files: the pointer may tell of it.
void Gridstore::publish_next() {
  const auto& [slot, entry] = pending_[published_++];
  const Entry old = tracker_.find(slot);
  if (old.absent() && entry.absent()) {
    return;
  }
  if (old.present()) {
    waiting_.add(old.run(page_files_.page_blocks()), tracker_.fresh(slot) ? 0 : plans_ + 1);
    count_value(old, false);
  }
  tracker_.set(slot, entry);
  if (entry.present()) {
    count_value(entry, true);
  }
}

// Nobody was told of these blocks, so they need not wait.
void Gridstore::take_back() {
  for (; published_ < pending_.size(); ++published_) {
    const Entry& entry = pending_[published_].entry;
    if (entry.present() && entry.stored_bytes() > 0) {
      space_.free(entry.run(page_files_.page_blocks()));
    }
  }
  forget_group();
}

void Gridstore::forget_group() {
  for (const Pending& pending : pending_) {
    set_pending(pending.slot, false);
  }
  published_ = 0;
  pending_.clear();
  runs_.clear();
  gathered_.clear();
  if (gathered_.capacity() > k_gather_bytes_kept) {
    // A thousand small collections shall not keep a large buffer each.
    encoded_ = {};
    gathered_ = {};
    pending_ = {};
    runs_ = {};
  }
  note_space();
}

bool Gridstore::is_pending(uint32_t slot) const {
  return slot / 64 < is_pending_.size() && (is_pending_[slot / 64] >> slot % 64 & 1) != 0;
}

void Gridstore::set_pending(uint32_t slot, bool value) {
  if (slot / 64 >= is_pending_.size()) {
    is_pending_.resize(slot / 64 + 1);
  }
  const uint64_t bit = uint64_t{1} << slot % 64;
  uint64_t& word = is_pending_[slot / 64];
  word = value ? word | bit : word & ~bit;
}

// --- space ---

Result<BlockRun> Gridstore::take_blocks(uint64_t count) {
  auto run = space_.take(count);
  if (!run) {
    TRY(page_files_.grow(space_.tail() + count));
    space_.grow(page_files_.end());
    run = space_.take(count);
    ASSERT(run.has_value());
  }
  return *run;
}

// Memory and disk for the pointers of slots [0, slots), and of all that are there.
Status Gridstore::grow_tracker(uint32_t slots) {
  if (!tracker_.reserve(slots)) {
    return no_memory();
  }
  const uint64_t wanted = page_offset(pages_of(std::max(slots, tracker_.slot_count())));
  if (wanted <= tracker_file_bytes_) {
    return {};
  }
  const uint64_t step =
      std::clamp<uint64_t>(tracker_file_bytes_, k_tracker_step_bytes_min, k_tracker_step_bytes_max);
  TRY_ASSIGN(const auto file, storage_->open(tracker_path(), io::Open::create_or_open));
  const uint64_t present = tracker_file_bytes_;
  uint64_t grown = std::max(wanted, present + step);
  Status allocated = file->allocate(present, grown - present);
  if (!allocated.ok() && allocated.error().os_errno == ENOSPC) {
    grown = wanted;  // nothing in advance on a full disk
    allocated = file->allocate(present, grown - present);
  }
  if (!allocated.ok()) {
    // What it had room for is given back, if it lets us; it is not counted either way.
    static_cast<void>(file->truncate(present).ok());
    return allocated;
  }
  tracker_file_bytes_ = grown;
  note_space();
  return {};
}

void Gridstore::count_value(const Entry& entry, bool added) {
  const auto change = [added](std::atomic<uint64_t>& number, uint64_t by) {
    // One writer, so this need not be one step; unsigned numbers wrap as wanted.
    number.store(number.load(std::memory_order_relaxed) + (added ? by : 0 - by),
                 std::memory_order_relaxed);
  };
  change(values_, 1);
  change(live_bytes_, entry.stored_bytes());
  change(live_blocks_, blocks_of(entry.stored_bytes()));
}

void Gridstore::note_space() {
  waiting_blocks_.store(waiting_.blocks(), std::memory_order_relaxed);
  free_blocks_.store(space_.free_blocks(), std::memory_order_relaxed);
  file_bytes_.store(page_files_.file_bytes() + tracker_file_bytes_, std::memory_order_relaxed);
  dictionaries_.store(codec_.dictionary_count(), std::memory_order_relaxed);
  space_ram_bytes_.store(
      space_.ram_bytes() + waiting_.ram_bytes() + is_pending_.capacity() * 8 + codec_.ram_bytes(),
      std::memory_order_relaxed);
}

}  // namespace asyncstore::gridstore
