// Reading many rows at once.
//
// A wave is a set of reads that are wanted together. The reader sorts it by place, joins what lies
// side by side (or twice in the wave) into one read, keeps at most `depth` reads in flight, and
// hands each request's bytes to the sink as they land, in any order. Implementations: UringReader,
// MmapReader, CachedReader before one of them, and FaultReader for tests; all pass
// tests/native/reader_conformance.
//
// A reader belongs to one thread, which makes every call but wake().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "io/source.h"

namespace asyncstore::io {

struct ReadRequest {
  Source* source;   // stays open until the request was delivered
  uint64_t offset;  // bytes
  uint32_t length;  // bytes, 1 … k_read_bytes_max
  uint32_t index;   // the caller's: handed back unchanged
  void* context;    // the caller's: handed back unchanged
};

class Sink {
 public:
  // `data` has request.length bytes and is valid during the call only; when `error` is set it is
  // empty. Runs inside reap(); it may call submit(), but not reap().
  virtual void landed(const ReadRequest& request, base::Bytes data, const base::Error* error) = 0;

 protected:
  ~Sink() = default;
};

struct ReaderStatistics {
  uint64_t requests = 0;         // rows asked for
  uint64_t reads_submitted = 0;  // after joining
  uint64_t read_bytes = 0;       // asked of the kernel
  uint64_t cache_hits = 0;       // rows delivered from a RowCache
  uint64_t rows_mapped = 0;      // delivered from the map, where they were already in memory
  uint64_t reads_retried = 0;    // short reads, EINTR, EAGAIN, EBUSY, and parts of a failed join
  uint64_t inflight_max = 0;     // reads in flight at once, the most so far
};

struct ReaderOptions {
  uint32_t depth = base::k_io_depth_default;
  uint32_t pool_bytes = base::k_read_pool_bytes;  // buffers for reads in flight
  uint32_t gap_bytes = 0;                         // requests at most this far apart are joined
  uint32_t join_bytes_max = 64 << 10;
  bool direct = false;  // O_DIRECT where the source has it
};

enum class ReaderKind : uint8_t { io_uring, mmap };
const char* name(ReaderKind kind);

class Reader {
 public:
  virtual ~Reader() = default;

  virtual ReaderKind kind() const = 0;

  // Takes a wave (copies it); starts as much of it as depth and pool allow and never blocks on a
  // device. A second wave may be submitted while the first is in flight.
  virtual void submit(std::span<const ReadRequest> wave) = 0;

  // Delivers what has landed and starts what was waiting; returns the number delivered. With `wait`
  // it sleeps until at least one request was delivered or wake() was called; it returns at once
  // when wake() was called since the last sleep. A request that fails (EIO, end of the file) is
  // delivered with its error and does not disturb the others.
  virtual size_t reap(Sink& sink, bool wait) = 0;

  // Requests taken and not yet delivered.
  virtual size_t pending() const = 0;

  // Ends the present or the next waiting reap(). From any thread, at any time.
  virtual void wake() = 0;

  // Lets go of the source with this id (Source::id): call it before a source is closed, when
  // nothing of it is pending. A removed file keeps its blocks on disk for as long as a reader knows
  // it.
  virtual void forget(uint64_t /*source_id*/) {}

  // Whether sources that were opened with O_DIRECT are read so, from the next wave on. From any
  // thread. What has no direct way of reading goes on as before.
  virtual void set_direct(bool /*direct*/) {}

  // A copy of the counters; from any thread.
  virtual ReaderStatistics statistics() const = 0;
};

// Fails with Code::unsupported and the reason in words where the kernel, the sandbox or the build
// does not offer io_uring.
base::Result<std::unique_ptr<Reader>> make_uring_reader(const ReaderOptions& options);
base::Result<std::unique_ptr<Reader>> make_mmap_reader(const ReaderOptions& options);

// Makes a ring and reads the first bytes of `path` (at least 512 long) through it: io_uring is
// there only when a real read works. The error says what to do.
base::Status probe_uring(const std::string& path);

}  // namespace asyncstore::io
