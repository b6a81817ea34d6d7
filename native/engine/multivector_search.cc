// The line of a search by multivectors.
#include "engine/multivector_search.h"

#include <algorithm>
#include <utility>

#include "engine/worker.h"
#include "multivector/multivector.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;

namespace {
// What is read and kept at once: multivectors, and their bytes unless a single one has more.
constexpr size_t k_wave_max = 256;
constexpr uint64_t k_wave_bytes_max = 4 << 20;
// Numbers that are compared in some 0.2 ms.
constexpr uint64_t k_slice_elements = 1 << 21;
}  // namespace

Task::Next MultivectorSearchTask::step(Worker& worker) {
  if (error_) {
    return answer(worker);
  }
  switch (stage_) {
    case Stage::start:
      start();
      return Next::again;
    case Stage::filter:  // 0 which points pass the filter
      return filter(worker);
    case Stage::read:  // 1 waves of reads; landed() scores what is there, but for long ones
      if (!scored_.empty()) {
        score_some();
        return Next::again;
      }
      if (read_wave(worker)) {
        return reads_pending > 0 ? Next::wait : Next::again;
      }
      return error_ ? answer(worker) : read_points(worker);  // 2 the best; vectors and payloads
    case Stage::points:
      return answer(worker);
  }
  return Next::done;
}

MultivectorSearchTask::MultivectorSearchTask(uint64_t ticket,
                                             std::shared_ptr<Collection> collection,
                                             MultivectorSearchRequest request,
                                             CompletionQueue& completions,
                                             std::shared_ptr<BatchJoin> join, uint64_t first_query)
    : ticket_(ticket),
      collection_(std::move(collection)),
      request_(std::move(request)),
      completions_(completions),
      join_(std::move(join)),
      first_query_(first_query) {}

const segment::Field& MultivectorSearchTask::field() const {
  return collection_->multivectors()[request_.multivector];
}

void MultivectorSearchTask::start() {
  view_ = collection_->view();  // slots found from here on keep their points
  excluded_ = collection_->table().slots_of(request_.excluded);
  if (request_.filter) {
    filtering_.emplace(collection_, request_.filter);
    stage_ = Stage::filter;
    return;
  }
  auto all = std::make_shared<filter::SlotSet>(collection_->table().slot_count());
  collection_->table().seen(all->words());
  passing_ = std::move(all);
  begin();
}

Task::Next MultivectorSearchTask::filter(Worker& worker) {
  const Next next = filtering_->step(*this, worker, view_->lsn);
  if (next != Next::done) {
    return next;
  }
  if (filtering_->error()) {
    fail(*filtering_->error());
    return answer(worker);
  }
  passing_ = filtering_->passing();
  begin();
  return Next::again;
}

void MultivectorSearchTask::begin() {
  const uint64_t all = std::max<uint64_t>(passing_->count(), 1);
  const uint64_t skipped = std::min(request_.offset, all);
  const uint64_t wanted = skipped + std::min(request_.limit, all - skipped);
  queries_.reserve(request_.queries.size());
  for (const MultivectorQuery& given : request_.queries) {
    Query& query = queries_.emplace_back(
        Query{{}, 0, {std::max<uint64_t>(wanted, 1), NearerSlot(collection_->table())}});
    query.examples.reserve(given.examples.size());
    for (const std::vector<float>& rows : given.examples) {
      query.examples.emplace_back(field(), rows);
      query.elements += rows.size();
    }
  }
  similarities_.resize(request_.score.examples());
  stage_ = Stage::read;
}

// --- 1 read, score ---

// Reads the multivectors of the points that come next; false when there are none left.
bool MultivectorSearchTask::read_wave(Worker& worker) {
  const uint32_t number = collection_->schema().sparse + request_.multivector;
  const points::PointTable& table = collection_->table();
  wave_.clear();
  values_.emplace(collection_, k_wave_max, 0);
  values_->add_store(1 + number, nullptr);
  uint64_t bytes = 0;
  bool any = false;
  {
    const auto lock = table.read_lock();
    for (size_t looks = 0; looks < k_wave_max && bytes < k_wave_bytes_max; ++looks) {
      const uint32_t slot = passing_->next(next_slot_);
      if (slot >= passing_->slots()) {
        break;
      }
      any = true;
      next_slot_ = slot + 1;
      const bool there = table.live(slot) && table.version(slot) > 0;
      if (!there || std::binary_search(excluded_.begin(), excluded_.end(), slot)) {
        continue;
      }
      auto entry = values_->store(0).find(slot);
      if (!entry.ok()) {
        fail(std::move(entry.error()));
      } else if (entry.value()) {
        bytes += entry.value()->stored_bytes();
        values_->add(0, wave_.size(), slot, *entry.value());
        wave_.push_back(slot);
      }
    }
  }
  std::vector<io::ReadRequest> requests;
  values_->add_requests(requests);
  worker.read(*this, requests);
  return any;
}

void MultivectorSearchTask::landed(const io::ReadRequest& request, Bytes data, const Error* error) {
  if (stage_ == Stage::filter) {
    filtering_->landed(request, data, error);
  } else if (stage_ == Stage::points) {
    fetch_->landed(request, data, error);
  } else {
    const auto point = values_->landed(request, data, error);
    if (values_->error()) {
      fail(*values_->error());
    } else if (point) {
      take(*point);
      score_some();
    }
  }
}

void MultivectorSearchTask::take(size_t point) {
  Scored scored{wave_[point], values_->take(0, point)};
  if (!multivector::is_sound(field(), scored.rows)) {
    const uint32_t number = collection_->schema().sparse + request_.multivector;
    fail(base::corruption(
        collection_->values().folder(1 + number), scored.slot,
        "what is kept for slot " + std::to_string(scored.slot) + " is no multivector"));
    return;
  }
  ++read_count_;
  scored_.push_back(std::move(scored));
}

// A slice of what there is to score.
void MultivectorSearchTask::score_some() {
  uint64_t left = k_slice_elements;
  while (!scored_.empty() && left > 0) {
    Scored& one = scored_.front();
    Query& query = queries_[one.query];
    const uint32_t row_bytes = segment::row_bytes(field());
    const uint64_t count = std::min(multivector::rows_of(field(), one.rows.size()) - one.row,
                                    std::max<uint64_t>(1, left / query.elements));
    for (multivector::MaxSim& example : query.examples) {
      if (one.row == 0) {
        example.begin();
      }
      example.add(one.rows.data() + one.row * row_bytes, count);
    }
    one.row += count;
    left -= std::min(left, count * query.elements);
    if (one.row * row_bytes == one.rows.size()) {
      end_row(one);
    }
  }
}

// All rows were compared with a query: goes on to the next one.
void MultivectorSearchTask::end_row(Scored& scored) {
  Query& query = queries_[scored.query];
  for (size_t e = 0; e < query.examples.size(); ++e) {
    similarities_[e] = query.examples[e].similarity();
  }
  query.best.push({request_.score.of(similarities_.data()), 0, scored.slot});
  scored.row = 0;
  if (++scored.query == queries_.size()) {
    scored_.pop_front();
  }
}

// --- 2 the best, their vectors and payloads, answer ---

Rows MultivectorSearchTask::rows_of(Query& query) {
  const segment::Distance distance = field().distance;
  const bool is_similarity = request_.score.is_similarity();
  Rows rows;
  slots_.clear();
  uint64_t place = 0;
  for (const Candidate& found : query.best.take()) {
    const float score =
        is_similarity ? segment::score_of(distance, found.similarity) : found.similarity;
    if (request_.score_threshold &&
        !(is_similarity ? segment::passes(distance, score, *request_.score_threshold)
                        : score >= *request_.score_threshold)) {
      break;  // those that follow are worse
    }
    if (place++ >= request_.offset) {
      slots_.push_back(found.row);
      rows.ids.push_back(collection_->table().id(found.row));
      rows.scores.push_back(score);
      rows.versions.push_back(collection_->table().version(found.row));
    }
  }
  return rows;
}

Task::Next MultivectorSearchTask::read_points(Worker& worker) {
  stage_ = Stage::points;
  for (Query& query : queries_) {
    results_.push_back(rows_of(query));
  }
  if (request_.with.nothing() || join_) {
    return answer(worker);
  }
  fetch_.emplace(collection_, request_.with, slots_.size());
  for (size_t point = 0; point < slots_.size(); ++point) {
    fetch_->add(point, slots_[point]);
  }
  return fetch_->read(*this, worker) ? Next::wait : answer(worker);
}

Task::Next MultivectorSearchTask::answer(Worker& worker) {
  if (fetch_ && fetch_->error() && !error_) {
    error_ = fetch_->error();
  }
  auto& counters = worker.counters();
  counters.searches.fetch_add(request_.queries.size(), std::memory_order_relaxed);
  counters.rows_rescored.fetch_add(read_count_, std::memory_order_relaxed);
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

void MultivectorSearchTask::fail(Error error) {
  if (!error_) {
    error_ = std::move(error);
  }
}

void MultivectorSearchTask::abandon(const Error& error) {
  if (join_) {
    join_->fail(error);
  } else {
    completions_.fail(ticket_, error);
  }
}

}  // namespace asyncstore::engine
