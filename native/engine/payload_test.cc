#include "engine/payload_test.h"

#include <utility>

#include "engine/worker.h"

namespace asyncstore::engine {

using base::Result;

namespace {

class StoredFacts final : public filter::PointFacts {
 public:
  StoredFacts(Collection& collection, uint32_t slot) : collection_(collection), slot_(slot) {}
  points::PointId id() const override { return collection_.table().id(slot_); }
  bool has_vector(uint32_t number) const override {
    return engine::has_vector(collection_.table(), collection_.values(), slot_, number);
  }

 private:
  Collection& collection_;
  uint32_t slot_;
};

}  // namespace

bool PayloadTest::read(std::span<const uint32_t> slots, Task& task, Worker& worker) {
  slots_.clear();
  values_.emplace(collection_, slots.size(), 0);
  values_->add_store(0, nullptr);
  {
    const auto lock = collection_->table().read_lock();
    for (const uint32_t slot : slots) {
      if (!collection_->table().live(slot)) {
        continue;
      }
      const size_t point = slots_.size();
      slots_.push_back(slot);
      if (!matcher_.needs_payload()) {
        continue;
      }
      auto entry = values_->store(0).find(slot);
      if (!entry.ok()) {
        values_->fail(std::move(entry.error()));
      } else if (entry.value()) {
        values_->add(0, point, slot, *entry.value());
      }
    }
  }
  std::vector<io::ReadRequest> requests;
  values_->add_requests(requests);
  worker.read(task, requests);
  return !requests.empty();
}

Result<std::vector<uint32_t>> PayloadTest::passing() {
  if (values_->error()) {
    return *values_->error();
  }
  const FetchedValues fetched = values_->take(0);
  std::vector<uint32_t> passing;
  for (size_t i = 0; i < slots_.size(); ++i) {
    TRY_ASSIGN(const bool passes,
               matcher_.matches(fetched.values[i], StoredFacts(*collection_, slots_[i])));
    if (passes) {
      passing.push_back(slots_[i]);
    }
  }
  return passing;
}

}  // namespace asyncstore::engine
