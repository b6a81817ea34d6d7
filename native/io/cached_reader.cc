#include "io/cached_reader.h"

#include <utility>

namespace asyncstore::io {

namespace {

RowCache::Place place_of(const ReadRequest& request) {
  return {request.source->id(), request.offset};
}

}  // namespace

// Keeps what lands on its way to the sink.
class CachedReader::Keeper final : public Sink {
 public:
  Keeper(RowCache& cache, bool keeps, Sink& sink) : cache_(cache), keeps_(keeps), sink_(sink) {}

  void landed(const ReadRequest& request, base::Bytes data, const base::Error* error) override {
    if (keeps_ && error == nullptr && request.source->kept()) {
      cache_.add(place_of(request), data);
    }
    sink_.landed(request, data, error);
  }

 private:
  RowCache& cache_;
  const bool keeps_;
  Sink& sink_;
};

void CachedReader::submit(std::span<const ReadRequest> wave) {
  const bool direct = direct_.load(std::memory_order_relaxed);
  missing_.clear();
  for (const ReadRequest& request : wave) {
    const bool found =
        direct && request.source->kept() && cache_->find(place_of(request), request.length, bytes_);
    (found ? found_ : missing_).push_back(request);
  }
  hits_.add(wave.size() - missing_.size());
  if (!missing_.empty()) {
    below_->submit(missing_);
  }
}

size_t CachedReader::reap(Sink& sink, bool wait) {
  // The sink may submit, and what it finds is for the next call.
  const std::vector<ReadRequest> found = std::exchange(found_, {});
  const std::vector<std::byte> bytes = std::exchange(bytes_, {});
  size_t offset = 0;
  for (const ReadRequest& request : found) {
    sink.landed(request, base::Bytes(bytes).subspan(offset, request.length), nullptr);
    offset += request.length;
  }
  Keeper keeper(*cache_, direct_.load(std::memory_order_relaxed), sink);
  return found.size() + below_->reap(keeper, wait && found.empty());
}

ReaderStatistics CachedReader::statistics() const {
  ReaderStatistics statistics = below_->statistics();
  statistics.requests += hits_.get();
  statistics.cache_hits = hits_.get();
  return statistics;
}

}  // namespace asyncstore::io
