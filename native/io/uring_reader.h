// The reader that works through io_uring.
#pragma once

#ifndef ASYNCSTORE_WITHOUT_URING

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "io/buffer_pool.h"
#include "io/counters.h"
#include "io/fifo.h"
#include "io/file_table.h"
#include "io/mapped_row.h"
#include "io/read_plan.h"
#include "io/reader.h"
#include "io/ring.h"
#include "io/slab.h"
#include "io/wake_event.h"

namespace asyncstore::io {

// See reader.h for the contract; make_uring_reader() makes one. A read goes through these hands:
//
//   submit() ── plan_ ──┬─ resident_ ── copied from the map in reap() ────────────── sink
//                       │                  │ not resident after all
//                       └─ backlog_ <──────┘
//                             │ a buffer and a place in the ring are free
//                             └─ the ring ── completion ──┬───────────────────────── sink
//                                  ▲                      ├─ short, EINTR … ── the ring again
//                                  │                      └─ a joined read failed ── backlog_, each
//                                                            of its requests by itself
// The thread's first submit() or reap() makes it the owner. It destroys the reader, or another
// thread does once the owner has ended.
class UringReader final : public Reader {
 public:
  UringReader(const ReaderOptions& options, std::unique_ptr<Ring> ring,
              std::unique_ptr<BufferPool> pool);
  // Waits for the reads in flight: the kernel writes into the pool until then.
  ~UringReader() override;

  ReaderKind kind() const override { return ReaderKind::io_uring; }
  void submit(std::span<const ReadRequest> wave) override;
  size_t reap(Sink& sink, bool wait) override;
  size_t pending() const override { return pending_; }
  void set_direct(bool direct) override { direct_.store(direct, std::memory_order_relaxed); }
  void wake() override { wake_event_.ring(); }
  void forget(uint64_t source_id) override { files_.forget(source_id); }
  ReaderStatistics statistics() const override { return counters_.statistics(); }

  bool valid() const { return wake_event_.valid(); }

 private:
  static constexpr uint32_t k_none = UINT32_MAX;

  struct Request {
    ReadRequest request;
    uint32_t next = k_none;  // of the same read
  };

  struct Read {
    Source* source = nullptr;
    uint64_t offset = 0;
    uint32_t length = 0;
    uint32_t wanted_length = 0;
    uint32_t done = 0;           // bytes landed so far
    uint32_t first_request = 0;  // in requests_
    uint32_t request_count = 0;
    uint32_t tries = 0;
    bool direct = false;
    bool at_once = false;  // completed while it was being submitted: its pages were resident
    std::byte* buffer = nullptr;
    FileTable::Entry* entry = nullptr;  // held while in flight
  };

  void own();

  uint32_t admit(const PlannedRead& planned, std::span<const ReadRequest> requests, bool direct);
  void start_backlog();
  void send(uint32_t number);
  void flush();
  void sleep();

  size_t land_resident(Sink& sink);
  size_t land_from_map(uint32_t number, FileTable::Entry& entry, Sink& sink);
  void prefetch_after(const Request& request, const FileTable::Entry& entry);
  size_t land_ready(Sink& sink, size_t delivered_max);
  size_t complete(uint32_t number, int outcome, Sink& sink);
  bool try_again(uint32_t number, int outcome);
  size_t land(uint32_t number, Sink& sink);
  size_t fail(uint32_t number, int os_errno, Sink& sink);
  void split(uint32_t first_request, bool direct);
  void release(uint32_t number);

  const ReaderOptions options_;
  std::atomic<bool> direct_;
  std::thread::id owner_;
  std::unique_ptr<BufferPool> pool_;
  std::unique_ptr<Ring> ring_;
  FileTable files_;
  MappedRow mapped_row_;
  WakeEvent wake_event_;
  bool wake_watched_ = false;

  ReadPlan plan_;
  Slab<Request> requests_;
  Slab<Read> reads_;
  Fifo<uint32_t> resident_;          // reads_ to copy from the map
  Fifo<uint32_t> backlog_;           // reads_ that wait for a buffer or a place in the ring
  std::vector<uint32_t> unflushed_;  // buffered reads prepared but not yet submitted
  uint64_t inflight_ = 0;            // prepared or submitted, not completed
  size_t pending_ = 0;
  bool reaping_ = false;
  Counters counters_;
};

}  // namespace asyncstore::io

#endif  // ASYNCSTORE_WITHOUT_URING
