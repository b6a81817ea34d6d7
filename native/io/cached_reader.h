// A reader with a cache of rows before it.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "io/counters.h"
#include "io/reader.h"
#include "io/row_cache.h"

namespace asyncstore::io {

// While reads are direct, rows of sources that say so (Source::Options::kept) are looked for in the
// cache, and kept there when they were read: through the page cache they would be kept twice. The
// cache may be shared by the readers of all threads.
class CachedReader final : public Reader {
 public:
  // `direct`: how `below` reads until set_direct().
  CachedReader(std::unique_ptr<Reader> below, std::shared_ptr<RowCache> cache, bool direct)
      : below_(std::move(below)), cache_(std::move(cache)), direct_(direct) {}

  ReaderKind kind() const override { return below_->kind(); }
  void submit(std::span<const ReadRequest> wave) override;
  size_t reap(Sink& sink, bool wait) override;
  size_t pending() const override { return below_->pending() + found_.size(); }
  void set_direct(bool direct) override {
    direct_.store(direct, std::memory_order_relaxed);
    below_->set_direct(direct);
  }
  void wake() override { below_->wake(); }
  void forget(uint64_t source_id) override { below_->forget(source_id); }
  ReaderStatistics statistics() const override;

 private:
  class Keeper;

  const std::unique_ptr<Reader> below_;
  const std::shared_ptr<RowCache> cache_;
  std::atomic<bool> direct_;
  // What was found, for the next reap(): requests, and their bytes in a row.
  std::vector<ReadRequest> found_;
  std::vector<std::byte> bytes_;
  std::vector<ReadRequest> missing_;  // of one wave
  Counters::Counter hits_;
};

}  // namespace asyncstore::io
