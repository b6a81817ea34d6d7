#include "io/row_cache.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace asyncstore::io {
namespace {

constexpr uint8_t k_asked_max = 3;       // times that are counted
constexpr uint64_t k_small_share = 10;   // of the memory: one part in so many
constexpr uint64_t k_malloc_bytes = 16;  // that an allocation takes besides
constexpr size_t k_buckets_min = 64;
// Marks of rows that left the small queue, for each row that is here.
constexpr size_t k_marks_share = 2;

// splitmix64 (S. Vigna), one step.
uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27) * 0x94D049BB133111EB;
  return value ^ value >> 31;
}

uint64_t hash_of(const RowCache::Place& place) {
  return mix(place.source_id * 0x9E3779B97F4A7C15 ^ mix(place.offset));
}

struct Row {  // its bytes are behind it
  Row* next_in_bucket;
  Row* next_in_queue;
  RowCache::Place place;
  uint32_t length;
  uint8_t asked;  // since it entered its queue

  uint64_t cost() const { return sizeof(Row) + length + k_malloc_bytes; }
  std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }

  static Row* make(const RowCache::Place& place, base::Bytes bytes) {
    void* memory = std::malloc(sizeof(Row) + bytes.size());
    if (memory == nullptr) {
      return nullptr;
    }
    Row* row = new (memory) Row{nullptr, nullptr, place, static_cast<uint32_t>(bytes.size()), 0};
    std::memcpy(row->bytes(), bytes.data(), bytes.size());
    return row;
  }
};

// First in, first out.
class Queue {
 public:
  uint64_t bytes() const { return bytes_; }
  bool empty() const { return oldest_ == nullptr; }
  void push(Row* row) {
    row->next_in_queue = nullptr;
    (oldest_ == nullptr ? oldest_ : newest_->next_in_queue) = row;
    newest_ = row;
    bytes_ += row->cost();
  }
  Row* pop() {
    Row* row = oldest_;
    oldest_ = row->next_in_queue;
    bytes_ -= row->cost();
    return row;
  }

 private:
  Row* oldest_ = nullptr;
  Row* newest_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace

// A part of the rows, by their hash.
class RowCache::Shard {
 public:
  explicit Shard(uint64_t bytes_max) : bytes_max_(bytes_max) { buckets_.resize(k_buckets_min); }
  ~Shard() {
    for (Queue* queue : {&small_, &main_}) {
      while (!queue->empty()) {
        std::free(queue->pop());
      }
    }
  }
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  bool find(uint64_t hash, const Place& place, uint32_t length, std::vector<std::byte>& to) {
    const std::lock_guard lock(mutex_);
    Row* row = bucket(hash);
    while (row != nullptr && row->place != place) {
      row = row->next_in_bucket;
    }
    if (row == nullptr || row->length != length) {
      return false;
    }
    row->asked = std::min<uint8_t>(row->asked + 1, k_asked_max);
    to.insert(to.end(), row->bytes(), row->bytes() + length);
    return true;
  }

  void add(uint64_t hash, const Place& place, base::Bytes bytes) {
    const std::lock_guard lock(mutex_);
    for (const Row* other = bucket(hash); other != nullptr; other = other->next_in_bucket) {
      if (other->place == place) {
        return;  // two searches have read it
      }
    }
    Row* row = Row::make(place, bytes);
    if (row == nullptr) {
      return;
    }
    while (this->bytes() + row->cost() > bytes_max_ && count_ > 0) {
      make_room();
    }
    if (this->bytes() + row->cost() > bytes_max_) {
      std::free(row);
      return;
    }
    (left_lately(hash) ? main_ : small_).push(row);
    row->next_in_bucket = std::exchange(bucket(hash), row);
    if (++count_ > buckets_.size()) {
      grow();
    }
  }

  uint64_t bytes_locked() const {
    const std::lock_guard lock(mutex_);
    return bytes();
  }

 private:
  // Of a row that left the small queue: which one, and when.
  struct Mark {
    uint32_t hash;
    uint32_t number;  // of rows that had left by then
  };

  Row*& bucket(uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }
  uint64_t bytes() const {
    return small_.bytes() + main_.bytes() + buckets_.size() * sizeof(Row*) +
           marks_.size() * sizeof(Mark);
  }

  void make_room() {
    if (small_.bytes() > bytes_max_ / k_small_share || main_.empty()) {
      leave_small();
    } else {
      leave_main();
    }
  }

  void leave_small() {
    Row* row = small_.pop();
    if (row->asked > 0) {
      row->asked = 0;
      main_.push(row);
      return;
    }
    const uint64_t hash = hash_of(row->place);
    if (!marks_.empty()) {
      marks_[mark_of(hash)] = {static_cast<uint32_t>(hash), ++left_};
    }
    drop(hash, row);
  }

  void leave_main() {
    Row* row = main_.pop();
    if (row->asked > 0) {
      --row->asked;
      main_.push(row);
      return;
    }
    drop(hash_of(row->place), row);
  }

  void drop(uint64_t hash, Row* row) {
    Row** link = &bucket(hash);
    while (*link != row) {
      link = &(*link)->next_in_bucket;
    }
    *link = row->next_in_bucket;
    --count_;
    std::free(row);
  }

  size_t mark_of(uint64_t hash) const { return hash >> 32 & (marks_.size() - 1); }
  // Whether the row left the small queue not longer ago than as many others as are here.
  bool left_lately(uint64_t hash) {
    if (marks_.empty()) {
      return false;
    }
    const Mark& mark = marks_[mark_of(hash)];
    return mark.number != 0 && mark.hash == static_cast<uint32_t>(hash) &&
           left_ - mark.number < count_;
  }

  void grow() {
    std::vector<Row*> before(2 * buckets_.size());
    before.swap(buckets_);
    for (Row* row : before) {
      while (row != nullptr) {
        Row* const next = row->next_in_bucket;
        row->next_in_bucket = std::exchange(bucket(hash_of(row->place)), row);
        row = next;
      }
    }
    marks_.assign(k_marks_share * buckets_.size(), {});
  }

  const uint64_t bytes_max_;
  mutable std::mutex mutex_;
  Queue small_;
  Queue main_;
  std::vector<Row*> buckets_;  // by the low bits of the hash; a power of two
  std::vector<Mark> marks_;    // by its high bits; likewise
  uint64_t count_ = 0;
  uint32_t left_ = 0;
};

RowCache::RowCache(uint64_t bytes) : bytes_max_(bytes) {
  for (auto& shard : shards_) {
    shard = std::make_unique<Shard>(bytes / k_shards);
  }
}

RowCache::~RowCache() = default;

RowCache::Shard& RowCache::shard_of(uint64_t hash) const {
  return *shards_[hash >> 60];
}

bool RowCache::find(const Place& place, uint32_t length, std::vector<std::byte>& to) {
  const uint64_t hash = hash_of(place);
  return shard_of(hash).find(hash, place, length, to);
}

void RowCache::add(const Place& place, base::Bytes row) {
  const uint64_t hash = hash_of(place);
  shard_of(hash).add(hash, place, row);
}

uint64_t RowCache::bytes() const {
  uint64_t sum = 0;
  for (const auto& shard : shards_) {
    sum += shard->bytes_locked();
  }
  return sum;
}

}  // namespace asyncstore::io
