// The way back: what submitted jobs came to, and the descriptor that says so.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/result.h"
#include "fields/value_counter.h"
#include "filter/filter.h"
#include "filter/number.h"
#include "points/point_id.h"

namespace asyncstore::engine {

class Collection;
class Snapshot;

// The vectors of one field for a list of points; absent ones are zero.
struct FieldVectors {
  uint32_t field = 0;
  uint32_t dim = 0;
  std::vector<uint8_t> present;  // n
  std::vector<float> values;     // n · dim
};

// The sparse vectors of one name for a list of points, as stored (sparse/sparse_vector.h).
struct SparseVectors {
  uint32_t field = 0;  // number in the schema
  std::vector<uint8_t> present;
  std::vector<std::vector<std::byte>> values;
};

// The multivectors of one name for a list of points, as float32. That of point i is rows offsets[i]
// … offsets[i + 1] - 1.
struct Multivectors {
  uint32_t field = 0;  // number in the schema
  uint32_t dim = 0;
  std::vector<uint8_t> present;
  std::vector<uint64_t> offsets;  // n + 1
  std::vector<float> rows;        // of dim elements
};

struct Rows {
  std::vector<points::PointId> ids;
  std::vector<float> scores;  // of a search; else empty
  std::vector<uint64_t> versions;
  std::vector<FieldVectors> vectors;
  std::vector<SparseVectors> sparse;
  std::vector<Multivectors> multivectors;
  std::vector<std::vector<std::byte>> payloads;  // JSON texts, empty: none; if asked for
};

struct Groups {  // of a search: the best group first
  struct Group {
    filter::Scalar key;
    std::vector<uint32_t> hits;  // places in `rows`, the best first
    bool is_settled = false;     // no other point of it is wanted
  };
  Rows rows;  // of all groups, each point once
  std::vector<Group> groups;
  bool are_all = false;  // no other group is wanted
};

struct ScrollPage {
  Rows rows;
  std::optional<points::PointId> next;
};

struct Batch {
  uint32_t queries = 0;
  uint64_t limit = 0;
  bool has_uuid = false;
  std::vector<points::PointId> ids;  // queries · limit
  std::vector<float> scores;
  std::vector<int32_t> counts;
};

struct Ids {
  bool has_uuid = false;
  std::vector<points::PointId> ids;
};

struct OrderedIds {  // of points by a value
  std::vector<points::PointId> ids;
  std::vector<filter::Number> values;  // of datetimes microseconds since 1970
};

struct Finding {
  bool error = false;  // something is damaged, and still is
  std::string file;
  uint64_t offset_bytes = 0;
  std::string text;
  bool repairable = false;  // a repair can mend it, or could before it did
  bool repaired = false;
};

using Value =
    std::variant<std::monostate, bool, uint64_t, std::shared_ptr<Collection>, Rows, Groups,
                 ScrollPage, Batch, Ids, OrderedIds, std::vector<fields::ValueCount>,
                 std::vector<Finding>, std::shared_ptr<Snapshot>>;

struct Completion {
  uint64_t ticket = 0;
  std::optional<base::Error> error;
  Value value;
  bool is_dropped = false;
};

// Any thread completes; one thread drains. The descriptor is readable while completions wait that
// no thread holds back.
class CompletionQueue {
 public:
  class Holding;

  static base::Result<std::unique_ptr<CompletionQueue>> create();
  ~CompletionQueue();

  int fd() const { return fd_; }
  void complete(uint64_t ticket, Value value);
  void fail(uint64_t ticket, base::Error error);
  std::vector<Completion> drain();

  // Nobody wants to know any more what comes of a job that was not drained yet. It is answered all
  // the same, but need not be worked on.
  void drop(uint64_t ticket);
  // Quick while there are none.
  bool is_dropped(uint64_t ticket) const;

 private:
  explicit CompletionQueue(int fd) : fd_(fd) {}
  void push(Completion completion);
  void tell();
  void signal() const;

  int fd_;
  mutable std::mutex mutex_;
  std::vector<Completion> waiting_;
  std::unordered_set<uint64_t> dropped_;
  std::atomic<bool> any_dropped_{false};
  bool told_ = false;  // the descriptor is readable, or about to be
};

// While it lives, what its thread completes is told of when it says so, or along with what another
// thread completes. Whoever drains is woken for each telling, and on a machine that has no core to
// spare that costs a worker, whose core it takes, more than the little there is to do for one
// completion. One a thread.
class CompletionQueue::Holding {
 public:
  explicit Holding(CompletionQueue& queue);
  ~Holding();
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;

  void tell();
  // Only if something has waited for so long.
  void tell_after(std::chrono::microseconds wait);

 private:
  friend class CompletionQueue;
  void note();

  CompletionQueue& queue_;
  bool any_ = false;
  std::chrono::steady_clock::time_point since_;
};

}  // namespace asyncstore::engine
