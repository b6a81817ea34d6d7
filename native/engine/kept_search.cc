#include "engine/kept_search.h"

#include <algorithm>
#include <utility>

#include "engine/worker.h"

namespace asyncstore::engine {

using base::Error;

KeptSearchTask::KeptSearchTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                               CompletionQueue& completions, std::shared_ptr<BatchJoin> join,
                               uint64_t first_query)
    : collection_(std::move(collection)),
      ticket_(ticket),
      completions_(completions),
      join_(std::move(join)),
      first_query_(first_query) {}

void KeptSearchTask::look(std::span<const points::PointId> excluded,
                          const std::shared_ptr<const filter::Filter>& filter) {
  view_ = collection_->view();
  excluded_ = collection_->table().slots_of(excluded);
  has_changed_ = false;
  if (filter) {
    filtering_.emplace(collection_, filter);
    stages_.enter(SearchStage::filter);
    is_filtering_ = true;
  }
}

Task::Next KeptSearchTask::filter(Worker& worker) {
  const Next next = filtering_->step(*this, worker, view_->lsn);
  if (next != Next::done) {
    return next;
  }
  if (filtering_->error()) {
    fail(*filtering_->error());
    return answer(worker);
  }
  passing_ = filtering_->passing();
  is_filtering_ = false;
  begin();
  return Next::again;
}

void KeptSearchTask::landed(const io::ReadRequest& request, base::Bytes data, const Error* error) {
  if (is_filtering_) {
    filtering_->landed(request, data, error);
  } else if (fetch_) {
    fetch_->landed(request, data, error);
  } else {
    value_landed(request, data, error);
  }
}

uint64_t KeptSearchTask::wanted_of(uint64_t all, uint64_t limit, uint64_t offset) {
  all = std::max<uint64_t>(all, 1);
  const uint64_t skipped = std::min(offset, all);
  return std::max<uint64_t>(skipped + std::min(limit, all - skipped), 1);
}

bool KeptSearchTask::must_repeat() {
  constexpr uint32_t k_repeats_max = 3;
  return has_changed_ && repeats_++ < k_repeats_max;
}

void KeptSearchTask::add_hit(Rows& rows, uint32_t slot, float score) {
  slots_.push_back(slot);
  rows.ids.push_back(collection_->table().id(slot));
  rows.scores.push_back(score);
  rows.versions.push_back(collection_->table().version(slot));
}

Task::Next KeptSearchTask::read_points(Worker& worker, const With& with) {
  if (with.nothing() || join_) {
    return answer(worker);
  }
  stages_.enter(SearchStage::payload);
  fetch_.emplace(collection_, with, slots_.size());
  for (size_t point = 0; point < slots_.size(); ++point) {
    fetch_->add(point, slots_[point]);
  }
  return fetch_->read(*this, worker) ? Next::wait : answer(worker);
}

Task::Next KeptSearchTask::answer(Worker& worker) {
  if (fetch_ && fetch_->error() && !error_) {
    error_ = fetch_->error();
  }
  auto& counters = worker.counters();
  counters.searches.add(results_.size());
  counters.candidates.add(candidates_count_);
  counters.rows_rescored.add(rescored_);
  counters.rows_skipped.add(skipped_);
  stages_.record(counters.stages);
  if (error_) {
    abandon(*error_);
  } else if (join_) {
    join_->add(first_query_, results_);
  } else {
    if (fetch_) {
      fetch_->take(results_.front());
    }
    completions_.complete(ticket_, std::move(results_.front()));
  }
  return Next::done;
}

void KeptSearchTask::fail(Error error) {
  if (!error_) {
    error_ = std::move(error);
  }
}

void KeptSearchTask::abandon(const Error& error) {
  if (join_) {
    join_->fail(error);
  } else {
    completions_.fail(ticket_, error);
  }
}

}  // namespace asyncstore::engine
