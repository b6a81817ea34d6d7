#ifndef ASYNCSTORE_WITHOUT_URING

#include "io/uring_reader.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "io/past_end.h"
#include "io/reader_options.h"

namespace asyncstore::io {
namespace {

constexpr uint64_t k_wake_data = UINT64_MAX;  // user_data of the watch on the wake event

uint32_t buffered_alignment(const Source&) {
  return 1;
}
uint32_t direct_alignment(const Source& source) {
  return source.direct_fd() >= 0 ? source.direct_alignment() : 1;
}

// A read of the largest size, which widening to pages at both ends makes longer, must always find
// room in an otherwise empty pool: that is what keeps the backlog moving.
constexpr uint64_t k_pool_bytes_min = base::k_read_bytes_max + 2 * base::k_page_bytes;

}  // namespace

UringReader::UringReader(const ReaderOptions& options, std::unique_ptr<Ring> ring,
                         std::unique_ptr<BufferPool> pool)
    : options_(options),
      direct_(options.direct),
      pool_(std::move(pool)),
      ring_(std::move(ring)),
      files_(*ring_),
      plan_({options.gap_bytes, std::min(options.join_bytes_max, base::k_read_bytes_max)}) {
  unflushed_.reserve(options.depth);
}

UringReader::~UringReader() {
  // Another thread may not drain the ring, and need not: the kernel ends the reads of a thread
  // before the thread.
  while (inflight_ > 0 && owner_ == std::this_thread::get_id()) {
    ring_->submit_and_wait();
    for (; ring_->ready() > 0; ring_->take()) {
      inflight_ -= ring_->peek(0).user_data != k_wake_data ? 1 : 0;
    }
  }
  ring_.reset();
}

void UringReader::submit(std::span<const ReadRequest> wave) {
  own();
  const bool direct = direct_.load(std::memory_order_relaxed);
  plan_.make(wave, direct ? direct_alignment : buffered_alignment);
  for (const PlannedRead& planned : plan_.reads()) {
    const uint32_t number = admit(planned, plan_.requests(), direct);
    const Read& read = reads_[number];
    FileTable::Entry* entry = read.direct ? nullptr : files_.entry(*read.source);
    const bool resident = entry != nullptr && entry->state.residency.trusted();
    (resident ? resident_ : backlog_).push(number);
  }
  pending_ += wave.size();
  counters_.requests.add(wave.size());
  if (!reaping_) {  // reap() does both itself, once for all that its sink submits.
    start_backlog();
    flush();
  }
}

size_t UringReader::reap(Sink& sink, bool wait) {
  own();
  ASSERT(!reaping_);
  reaping_ = true;
  // What the sink submits meanwhile is for the next call, or a chain of resident waves would never
  // let go of the thread.
  const size_t delivered_max = pending_;
  size_t delivered = land_resident(sink);
  while (true) {
    ring_->collect();
    delivered += land_ready(sink, delivered_max - delivered);
    start_backlog();
    if (delivered == 0 && wait) {
      if (wake_event_.take()) {
        flush();
        break;
      }
      sleep();
      continue;
    }
    flush();
    if (ring_->ready() == 0 || delivered == delivered_max) {
      break;
    }
  }
  reaping_ = false;
  return delivered;
}

void UringReader::own() {
  if (!ring_->started()) {
    ring_->start();
    owner_ = std::this_thread::get_id();
  }
  ASSERT(owner_ == std::this_thread::get_id());
}

uint32_t UringReader::admit(const PlannedRead& planned, std::span<const ReadRequest> requests,
                            bool direct) {
  uint32_t first = k_none;  // The chain is built from its end.
  for (uint32_t i = planned.request_count; i-- > 0;) {
    const uint32_t link = requests_.take();
    requests_[link] = {requests[planned.first_request + i], first};
    first = link;
  }
  const uint32_t number = reads_.take();
  Read& read = reads_[number];
  read = Read{};
  read.source = planned.source;
  read.offset = planned.offset;
  read.length = planned.length;
  read.wanted_length = planned.wanted_length;
  read.first_request = first;
  read.request_count = planned.request_count;
  read.direct = direct && planned.source->direct_fd() >= 0;
  return number;
}

// In order: a long read that waits for a stretch of the pool is not overtaken, so it gets one.
void UringReader::start_backlog() {
  while (!backlog_.empty() && inflight_ < options_.depth) {
    const uint32_t number = backlog_.front();
    Read& read = reads_[number];
    read.buffer = pool_->take(read.length);
    if (read.buffer == nullptr) {
      ASSERT(inflight_ > 0);
      return;
    }
    backlog_.pop();
    read.entry = files_.entry(*read.source);
    if (read.entry != nullptr) {
      ++read.entry->users;
    }
    ++inflight_;
    counters_.reads_submitted.add(1);
    counters_.read_bytes.add(read.length);
    send(number);
  }
  counters_.inflight_max.raise_to(inflight_);
}

void UringReader::send(uint32_t number) {
  Read& read = reads_[number];
  io_uring_sqe* sqe = ring_->next_sqe();
  io_uring_prep_read(sqe, -1, read.buffer + read.done, read.length - read.done,
                     read.offset + read.done);
  files_.aim(*sqe, read.entry, *read.source, read.direct);
  sqe->user_data = number;
  read.at_once = false;
  if (!read.direct) {
    unflushed_.push_back(number);
  }
}

// Submits what is prepared. A buffered read whose completion is there when the call returns found
// its pages in memory; that is how a source earns the way through the map.
void UringReader::flush() {
  const uint32_t ready_before = ring_->ready();
  ring_->submit();
  const uint32_t ready_after = ring_->ready();
  for (uint32_t position = ready_before; position < ready_after; ++position) {
    const io_uring_cqe& cqe = ring_->peek(position);
    if (cqe.user_data != k_wake_data) {
      reads_[static_cast<uint32_t>(cqe.user_data)].at_once = cqe.res > 0;
    }
  }
  for (const uint32_t number : unflushed_) {
    const Read& read = reads_[number];
    if (read.entry == nullptr) {
      continue;
    }
    if (read.at_once) {
      read.entry->state.residency.found(read.request_count);
    } else {
      read.entry->state.residency.missed();
    }
  }
  unflushed_.clear();
}

void UringReader::sleep() {
  if (!wake_watched_) {
    io_uring_sqe* sqe = ring_->next_sqe();
    io_uring_prep_poll_add(sqe, wake_event_.fd(), POLLIN);
    sqe->user_data = k_wake_data;
    wake_watched_ = true;
  }
  if (!unflushed_.empty()) {  // Else one system call does both.
    flush();
  }
  if (ring_->ready() == 0 && wake_event_.begin_sleep()) {
    ring_->submit_and_wait();
    wake_event_.end_sleep();
  }
}

size_t UringReader::land_ready(Sink& sink, size_t delivered_max) {
  size_t delivered = 0;
  while (delivered < delivered_max || pending_ == 0) {
    if (ring_->ready() == 0) {
      break;
    }
    const io_uring_cqe cqe = ring_->peek(0);
    ring_->take();
    if (cqe.user_data == k_wake_data) {
      wake_event_.drain();
      wake_watched_ = false;
    } else {
      delivered += complete(static_cast<uint32_t>(cqe.user_data), cqe.res, sink);
    }
  }
  return delivered;
}

size_t UringReader::complete(uint32_t number, int outcome, Sink& sink) {
  Read& read = reads_[number];
  if (outcome > 0) {
    read.done += static_cast<uint32_t>(outcome);
    if (read.done >= read.wanted_length) {
      return land(number, sink);
    }
  }
  if (try_again(number, outcome)) {
    return 0;
  }
  return fail(number, outcome < 0 ? -outcome : 0, sink);
}

// Sends the rest of a read that is not to blame for not being done; false when it is to be failed.
bool UringReader::try_again(uint32_t number, int outcome) {
  Read& read = reads_[number];
  if (outcome == 0 || ++read.tries > base::k_read_retries_max) {
    return false;
  }
  if (outcome == -EINVAL && read.direct) {
    read.direct = false;  // The file system has its own idea of what may be read past the cache.
    read.done = 0;
  } else if (outcome < 0 && outcome != -EINTR && outcome != -EAGAIN && outcome != -EBUSY) {
    return false;
  }
  if (read.direct && read.done % read.source->direct_alignment() != 0) {
    // A direct read that ends inside a sector has met the end of the file, unless the file grows:
    // the last sector is asked for again, once.
    if (read.tries > 1) {
      return false;
    }
    read.done = static_cast<uint32_t>(base::round_down(read.done, read.source->direct_alignment()));
  }
  counters_.reads_retried.add(1);
  send(number);
  return true;
}

size_t UringReader::land(uint32_t number, Sink& sink) {
  const Read read = reads_[number];  // The sink may submit, which moves the slabs.
  size_t delivered = 0;
  for (uint32_t link = read.first_request; link != k_none; ++delivered) {
    const Request request = requests_[link];
    requests_.give(link);
    --pending_;
    const std::byte* data = read.buffer + (request.request.offset - read.offset);
    sink.landed(request.request, base::Bytes(data, request.request.length), nullptr);
    link = request.next;
  }
  release(number);
  return delivered;
}

// An error belongs to one request: a joined read is taken apart, to see whose it is.
size_t UringReader::fail(uint32_t number, int os_errno, Sink& sink) {
  const Read read = reads_[number];
  release(number);
  if (read.request_count > 1) {
    split(read.first_request, read.direct);
    return 0;
  }
  const ReadRequest request = requests_[read.first_request].request;
  requests_.give(read.first_request);
  --pending_;
  const std::string& path = request.source->path();
  if (os_errno != 0) {
    const base::Error error = base::io_error("cannot read", path, request.offset, os_errno);
    sink.landed(request, {}, &error);
  } else {
    const auto size = request.source->size();
    const base::Error error =
        size.ok() ? past_end(path, request.offset, request.length, size.value()) : size.error();
    sink.landed(request, {}, &error);
  }
  return 1;
}

// Queues the requests from `first_request` on, each as a read of its own.
void UringReader::split(uint32_t first_request, bool direct) {
  for (uint32_t link = first_request; link != k_none;) {
    const Request request = requests_[link];
    requests_.give(link);
    const uint32_t alignment = direct ? direct_alignment(*request.request.source) : 1;
    const uint32_t number =
        admit(widen(request.request, alignment), std::span(&request.request, 1), direct);
    backlog_.push(number);
    counters_.reads_retried.add(1);
    link = request.next;
  }
}

void UringReader::release(uint32_t number) {
  const Read& read = reads_[number];
  pool_->give(read.buffer, read.length);
  if (read.entry != nullptr) {
    --read.entry->users;
  }
  --inflight_;
  reads_.give(number);
}

base::Result<std::unique_ptr<Reader>> make_uring_reader(const ReaderOptions& options) {
  TRY(check(options));
  TRY_ASSIGN(std::unique_ptr<Ring> ring, Ring::make(options.depth + 1));  // 1: the wake event
  TRY_ASSIGN(std::unique_ptr<BufferPool> pool,
             BufferPool::make(std::max<uint64_t>(options.pool_bytes, k_pool_bytes_min)));
  auto reader = std::make_unique<UringReader>(options, std::move(ring), std::move(pool));
  if (!reader->valid()) {
    return base::io_error("cannot make", "an eventfd", 0, errno);
  }
  return std::unique_ptr<Reader>(std::move(reader));
}

}  // namespace asyncstore::io

#endif  // ASYNCSTORE_WITHOUT_URING
