// A reader that fails, delays and shuffles as it is told; for tests.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "io/reader.h"

namespace asyncstore::io {

enum class Fault : uint8_t {
  io_error,     // delivered with EIO
  end_of_file,  // delivered as if the file had ended before it
  delay,        // held back until a later reap()
};

struct FaultPlan {
  // For the k-th request that the reader below delivers (k counts from 0, over all waves).
  std::map<uint64_t, Fault> faults = {};
  // What one reap() hands over is shuffled, the same way for the same seed and order from below.
  bool reorder = false;
  uint64_t seed = 0;
};

// Keeps the contract of Reader with any plan: every request is delivered once, and a waiting reap()
// that is not woken delivers at least one.
class FaultReader final : public Reader {
 public:
  FaultReader(std::unique_ptr<Reader> below, FaultPlan plan);

  ReaderKind kind() const override { return below_->kind(); }
  void submit(std::span<const ReadRequest> wave) override { below_->submit(wave); }
  size_t reap(Sink& sink, bool wait) override;
  size_t pending() const override { return below_->pending() + held_.size(); }
  void set_direct(bool direct) override { below_->set_direct(direct); }
  void wake() override { below_->wake(); }
  void forget(uint64_t source_id) override { below_->forget(source_id); }
  ReaderStatistics statistics() const override { return below_->statistics(); }

 private:
  struct Landed {
    ReadRequest request;
    std::vector<std::byte> data;
    std::unique_ptr<base::Error> error;  // null when all is well
  };
  class Collector;

  const std::unique_ptr<Reader> below_;
  const FaultPlan plan_;
  std::mt19937_64 random_;
  uint64_t delivered_below_ = 0;
  std::vector<Landed> held_;
};

}  // namespace asyncstore::io
