#include "io/fault_reader.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "io/past_end.h"

namespace asyncstore::io {

// Takes copies of what lands below, with the faults put in.
class FaultReader::Collector final : public Sink {
 public:
  explicit Collector(FaultReader& reader) : reader_(reader) {}

  void landed(const ReadRequest& request, base::Bytes data, const base::Error* error) override {
    const auto fault = reader_.plan_.faults.find(reader_.delivered_below_++);
    const bool faulty = fault != reader_.plan_.faults.end();
    if (faulty && fault->second != Fault::delay) {
      const std::string& path = request.source->path();
      now.push_back({request,
                     {},
                     std::make_unique<base::Error>(
                         fault->second == Fault::io_error
                             ? base::io_error("cannot read", path, request.offset, EIO)
                             : past_end(path, request.offset, request.length, request.offset))});
      return;
    }
    std::unique_ptr<base::Error> copy;
    if (error != nullptr) {
      copy = std::make_unique<base::Error>(*error);
    }
    (faulty ? later : now).push_back({request, {data.begin(), data.end()}, std::move(copy)});
  }

  std::vector<Landed> now;
  std::vector<Landed> later;

 private:
  FaultReader& reader_;
};

FaultReader::FaultReader(std::unique_ptr<Reader> below, FaultPlan plan)
    : below_(std::move(below)), plan_(std::move(plan)), random_(plan_.seed) {}

size_t FaultReader::reap(Sink& sink, bool wait) {
  while (true) {
    // What was held back comes now, behind what lands in this round.
    std::vector<Landed> before = std::exchange(held_, {});
    Collector collector(*this);
    const size_t landed = below_->reap(collector, wait && before.empty());
    held_ = std::move(collector.later);
    std::vector<Landed> batch = std::move(collector.now);
    std::move(before.begin(), before.end(), std::back_inserter(batch));
    if (plan_.reorder) {
      std::shuffle(batch.begin(), batch.end(), random_);
    }
    for (const Landed& one : batch) {
      sink.landed(one.request, one.data, one.error.get());
    }
    if (!batch.empty() || landed == 0 || !wait) {
      return batch.size();
    }
  }
}

}  // namespace asyncstore::io
