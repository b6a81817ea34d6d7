// The reader that works through memory maps, where io_uring is not available.
#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>

#include "io/counters.h"
#include "io/fifo.h"
#include "io/mapped_row.h"
#include "io/past_end.h"
#include "io/read_ahead.h"
#include "io/read_plan.h"
#include "io/reader.h"
#include "io/reader_options.h"
#include "io/residency.h"
#include "io/source_table.h"

namespace asyncstore::io {
namespace {

uint32_t page_alignment(const Source&) {
  return base::k_page_bytes;
}

// submit() asks the kernel to read the pages of the wave ahead, `depth` ranges at a time; reap()
// then copies row after row, asks for the next ranges, and waits in page faults for what has not
// arrived. Sources whose rows have all been in memory for a while are not asked for (Residency).
class MmapReader final : public Reader {
 public:
  explicit MmapReader(const ReaderOptions& options)
      : options_(options),
        plan_({options.gap_bytes, std::min(options.join_bytes_max, base::k_read_bytes_max)}) {}

  ReaderKind kind() const override { return ReaderKind::mmap; }
  void submit(std::span<const ReadRequest> wave) override;
  size_t reap(Sink& sink, bool wait) override;
  size_t pending() const override { return requests_.size(); }
  void wake() override;
  void forget(uint64_t source_id) override;
  ReaderStatistics statistics() const override { return counters_.statistics(); }

 private:
  struct Known {
    Residency residency;
    bool map_asked = false;
    base::Bytes map;  // empty when there is none
  };
  using Entry = SourceTable<Known>::Entry;

  // Pages that lie together, and how many of requests_ they serve.
  struct Range {
    Source* source;
    uint64_t offset;
    uint32_t length;
    uint32_t request_count;
  };

  struct Size {
    uint64_t source_id = 0;
    uint64_t bytes = 0;
  };

  Entry& entry_of(Source& source);
  void ask_ahead();
  void deliver(const ReadRequest& request, Size& size, Sink& sink);
  void fail(const ReadRequest& request, Sink& sink);
  void prefetch_next(const ReadRequest& request, const Entry& entry);
  void wait_for_wake();

  const ReaderOptions options_;
  ReadPlan plan_;
  ReadAhead read_ahead_;
  MappedRow mapped_row_;
  SourceTable<Known> table_;
  Fifo<ReadRequest> requests_;
  Fifo<Range> ranges_;
  size_t ranges_asked_ = 0;  // of those in ranges_, from the front
  bool reaping_ = false;
  Counters counters_;

  std::mutex wake_mutex_;
  std::condition_variable wake_condition_;
  bool woken_ = false;
};

void MmapReader::submit(std::span<const ReadRequest> wave) {
  plan_.make(wave, page_alignment);
  for (const PlannedRead& read : plan_.reads()) {
    ranges_.push({read.source, read.offset, read.length, read.request_count});
  }
  for (const ReadRequest& request : plan_.requests()) {
    requests_.push(request);
  }
  counters_.requests.add(wave.size());
  ask_ahead();
}

size_t MmapReader::reap(Sink& sink, bool wait) {
  ASSERT(!reaping_);
  if (requests_.empty()) {
    if (wait) {
      wait_for_wake();
    }
    return 0;
  }
  reaping_ = true;
  Size size;
  // What the sink submits meanwhile is for the next call, or a chain of waves would never let go of
  // the thread.
  const size_t count = requests_.size();
  for (size_t delivered = 0; delivered < count; ++delivered) {
    const ReadRequest request = requests_.front();
    requests_.pop();
    if (--ranges_.front().request_count == 0) {
      ranges_.pop();
      ranges_asked_ -= ranges_asked_ > 0 ? 1 : 0;
      // In lots, so that one system call serves many ranges.
      if (ranges_asked_ <= options_.depth / 2) {
        ask_ahead();
      }
    }
    deliver(request, size, sink);
  }
  reaping_ = false;
  return count;
}

MmapReader::Entry& MmapReader::entry_of(Source& source) {
  Entry* entry = table_.find(source.id());
  if (entry == nullptr) {
    entry = table_.claim(source.id());
  }
  if (!entry->state.map_asked) {
    entry->state.map_asked = true;
    if (auto map = source.map(); map.ok()) {
      entry->state.map = map.value();
    }
  }
  return *entry;
}

void MmapReader::ask_ahead() {
  const size_t asked_before = ranges_asked_;
  const size_t end = std::min<size_t>(ranges_.size(), options_.depth);
  for (; ranges_asked_ < end; ++ranges_asked_) {
    const Range& range = ranges_[ranges_asked_];
    const Entry& entry = entry_of(*range.source);
    if (entry.state.residency.trusted() || range.offset >= entry.state.map.size()) {
      continue;
    }
    const base::Bytes rest = entry.state.map.subspan(range.offset);
    // The map's last page counts whole.
    const uint64_t rest_pages = base::round_up(rest.size(), base::k_page_bytes);
    read_ahead_.add({rest.data(), std::min<uint64_t>(range.length, rest_pages)});
    counters_.reads_submitted.add(1);
    counters_.read_bytes.add(range.length);
  }
  if (ranges_asked_ > asked_before) {
    read_ahead_.ask();
    counters_.inflight_max.raise_to(ranges_asked_);
  }
}

void MmapReader::deliver(const ReadRequest& request, Size& size, Sink& sink) {
  Entry& entry = entry_of(*request.source);
  if (size.source_id != request.source->id()) {  // One fstat a source and call.
    const auto present = request.source->size();
    size = {request.source->id(), present.ok() ? present.value() : 0};
  }
  if (request.offset + request.length > std::min(size.bytes, entry.state.map.size())) {
    return fail(request, sink);
  }
  const bool trusted = entry.state.residency.trusted();
  prefetch_next(request, entry);
  switch (mapped_row_.copy(entry.state.map.data() + request.offset, request.length)) {
    case MappedRow::Outcome::resident:
      entry.state.residency.found(1);
      break;
    case MappedRow::Outcome::waited:
      if (trusted) {
        entry.state.residency.disappointed();
        ranges_asked_ = 0;  // What was left out now has to be asked for.
        ask_ahead();
      } else {
        entry.state.residency.missed();
      }
      break;
    case MappedRow::Outcome::failed:
      return fail(request, sink);
  }
  counters_.rows_mapped.add(1);
  sink.landed(request, base::Bytes(mapped_row_.data(), request.length), nullptr);
}

// Finds out what is wrong, and says so.
void MmapReader::fail(const ReadRequest& request, Sink& sink) {
  const std::string& path = request.source->path();
  const auto size = request.source->size();
  const auto map = request.source->map();
  base::Error error = base::io_error("cannot read", path, request.offset, EIO);
  if (!size.ok()) {
    error = size.error();
  } else if (request.offset + request.length > size.value()) {
    error = past_end(path, request.offset, request.length, size.value());
  } else if (!map.ok()) {
    error = map.error();
  } else if (request.offset + request.length > map.value().size()) {
    // The file outgrew Source::Options::map_bytes.
    error = base::io_error("cannot read behind the map of", path, request.offset, EFBIG);
  }
  sink.landed(request, {}, &error);
}

void MmapReader::prefetch_next(const ReadRequest& request, const Entry& entry) {
  if (!requests_.empty() && requests_.front().source == request.source) {
    const ReadRequest& next = requests_.front();
    MappedRow::prefetch(entry.state.map.data() + next.offset, next.length);
  }
}

void MmapReader::wait_for_wake() {
  std::unique_lock lock(wake_mutex_);
  wake_condition_.wait(lock, [this] { return woken_; });
  woken_ = false;
}

void MmapReader::wake() {
  const std::lock_guard lock(wake_mutex_);
  woken_ = true;
  wake_condition_.notify_one();
}

void MmapReader::forget(uint64_t source_id) {
  if (Entry* entry = table_.find(source_id)) {
    table_.release(*entry);
  }
}

}  // namespace

base::Result<std::unique_ptr<Reader>> make_mmap_reader(const ReaderOptions& options) {
  TRY(check(options));
  return std::unique_ptr<Reader>(std::make_unique<MmapReader>(options));
}

}  // namespace asyncstore::io
