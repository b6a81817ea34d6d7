#include "engine/batch_join.h"

#include <limits>
#include <utility>

namespace asyncstore::engine {

BatchJoin::BatchJoin(uint64_t ticket, uint64_t queries, uint64_t limit, size_t parts,
                     CompletionQueue& completions)
    : ticket_(ticket), completions_(completions), parts_left_(parts) {
  batch_.queries = static_cast<uint32_t>(queries);
  batch_.limit = limit;
  batch_.ids.resize(queries * limit);
  batch_.scores.resize(queries * limit, std::numeric_limits<float>::quiet_NaN());
  batch_.counts.resize(queries);
}

void BatchJoin::add(uint64_t first_query, std::span<const Rows> found) {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < found.size(); ++i) {
    const Rows& rows = found[i];
    const uint64_t begin = (first_query + i) * batch_.limit;
    batch_.counts[first_query + i] = static_cast<int32_t>(rows.ids.size());
    for (size_t at = 0; at < rows.ids.size(); ++at) {
      batch_.ids[begin + at] = rows.ids[at];
      batch_.scores[begin + at] = rows.scores[at];
      batch_.has_uuid = batch_.has_uuid || rows.ids[at].is_uuid;
    }
  }
  end_part();
}

void BatchJoin::fail(const base::Error& error) {
  const std::lock_guard lock(mutex_);
  error_ = error_ ? error_ : error;
  end_part();
}

void BatchJoin::end_part() {
  if (--parts_left_ > 0) {
    return;
  }
  if (error_) {
    completions_.fail(ticket_, *error_);
  } else {
    completions_.complete(ticket_, std::move(batch_));
  }
}

}  // namespace asyncstore::engine
