#include "engine/group_keys_fetch.h"

#include <utility>

#include "filter/group_keys.h"

namespace asyncstore::engine {

GroupKeysFetch::GroupKeysFetch(std::shared_ptr<Collection> collection,
                               std::shared_ptr<const fields::FieldIndex> index,
                               const payload::Path& path, size_t points)
    : collection_(std::move(collection)),
      index_(std::move(index)),
      path_(path),
      payloads_(collection_, points, 0),
      known_(points) {
  payloads_.add_store(0, nullptr);
}

void GroupKeysFetch::add(size_t point, uint32_t slot) {
  known_[point] = index_ ? index_->group_keys(slot) : std::nullopt;
  if (known_[point]) {
    return;
  }
  const auto lock = collection_->table().read_lock();
  const auto found = payloads_.store(0).find(slot);
  if (!found.ok()) {
    payloads_.fail(found.error());
  } else if (found.value()) {
    payloads_.add(0, point, slot, *found.value());
  }
}

bool GroupKeysFetch::read(Task& task, Worker& worker) {
  std::vector<io::ReadRequest> requests;
  payloads_.add_requests(requests);
  worker.read(task, requests);
  return !requests.empty();
}

base::Result<std::vector<GroupKeysFetch::Keys>> GroupKeysFetch::take() {
  if (payloads_.error()) {
    return *payloads_.error();
  }
  std::vector<Keys> keys(known_.size());
  for (size_t point = 0; point < keys.size(); ++point) {
    if (known_[point]) {
      keys[point] = *std::move(known_[point]);
      continue;
    }
    const std::vector<std::byte> payload = payloads_.take(0, point);
    if (!payload.empty()) {
      TRY_ASSIGN(keys[point], filter::group_keys(payload, path_));
    }
  }
  return keys;
}

}  // namespace asyncstore::engine
