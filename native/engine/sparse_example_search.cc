// The line of a search by several sparse examples.
#include "engine/sparse_example_search.h"

#include <algorithm>
#include <utility>

#include "engine/worker.h"
#include "sparse/scorer.h"
#include "sparse/window.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;

namespace {
// Rows that are looked at in some 0.1 ms.
constexpr uint32_t k_looks_max = 1 << 13;
}  // namespace

Task::Next SparseExampleSearchTask::step(Worker& worker) {
  if (error_) {
    return answer(worker);
  }
  switch (stage_) {
    case Stage::start:
      start();
      return Next::again;
    case Stage::filter:  // 0 which points pass the filter
      return filter(worker);
    case Stage::count:  // how rare the indices are
      count();
      return Next::again;
    case Stage::read:  // 1 a wave of vectors, 2 their scores, and so on
      score_wave();
      if (error_) {
        return answer(worker);
      }
      if (read_wave(worker)) {
        return reads_pending > 0 ? Next::wait : Next::again;
      }
      if (must_repeat()) {
        stage_ = Stage::start;
        return Next::again;
      }
      take_results();  // 3 the best, ties by id
      stage_ = Stage::points;
      return read_points(worker, request_.with);  // 4 vectors and payloads, if asked for
    case Stage::points:
      return answer(worker);
  }
  return Next::done;
}

SparseExampleSearchTask::SparseExampleSearchTask(uint64_t ticket,
                                                 std::shared_ptr<Collection> collection,
                                                 SparseSearchRequest request,
                                                 CompletionQueue& completions)
    : KeptSearchTask(ticket, std::move(collection), completions, nullptr, 0),
      request_(std::move(request)) {}

void SparseExampleSearchTask::start() {
  look(request_.excluded, request_.filter);
  snapshot_ = view_->sparse[request_.sparse];
  if (filtering_) {
    stage_ = Stage::filter;
  } else {
    begin();
  }
}

void SparseExampleSearchTask::begin() {
  examples_ = request_.queries;
  example_ = 0;
  window_ = 0;
  row_ = 0;
  vectors_.reset();
  waiting_.clear();
  similarities_.resize(examples_.size());
  best_.emplace(wanted_of(snapshot_->live, request_.limit, request_.offset),
                NearerSlot(collection_->table()));
  counts_.assign(examples_.front().indices.size(), 0);
  stage_ = request_.idf ? Stage::count : Stage::read;
  stages_.enter(request_.idf ? SearchStage::preselect : SearchStage::read);
}

void SparseExampleSearchTask::count() {
  sparse::Query& example = examples_[example_];
  if (window_ < snapshot_->windows.size()) {
    snapshot_->windows[window_++]->count_rows(example.indices, counts_);
    return;
  }
  sparse::apply_idf(example, counts_, snapshot_->live);
  window_ = 0;
  if (++example_ == examples_.size()) {
    stage_ = Stage::read;
  } else {
    counts_.assign(examples_[example_].indices.size(), 0);
  }
}

// --- 1 read ---

// Slots to be read; false when there are none left.
bool SparseExampleSearchTask::find_slots() {
  for (uint32_t looks = 0; looks < k_looks_max && waiting_.size() < k_wave_max; ++looks) {
    if (window_ == snapshot_->windows.size()) {
      return !waiting_.empty();
    }
    const sparse::WindowView& window = *snapshot_->windows[window_];
    if (row_ == window.rows) {
      ++window_;
      row_ = 0;
      continue;
    }
    const uint32_t row = row_++;
    const uint32_t slot = window.slot(row);
    if (window.is_live(row) && (!passing_ || passing_->contains(slot)) &&
        !std::binary_search(excluded_.begin(), excluded_.end(), slot)) {
      waiting_.push_back(slot);
    }
  }
  return true;
}

// False when all was read.
bool SparseExampleSearchTask::read_wave(Worker& worker) {
  if (!find_slots()) {
    return false;
  }
  vectors_.emplace(collection_, waiting_.size(), 0);
  vectors_->add_store(1 + request_.sparse, nullptr);
  wave_.clear();
  const points::PointTable& table = collection_->table();
  {
    const auto lock = table.read_lock();
    for (uint64_t bytes = 0; !waiting_.empty() && bytes < k_wave_bytes_max;) {
      const uint32_t slot = waiting_.back();
      waiting_.pop_back();
      wave_.push_back(slot);
      has_changed_ = has_changed_ || !table.live(slot) || table.version(slot) > view_->lsn;
      auto entry = vectors_->store(0).find(slot);
      if (!entry.ok()) {
        vectors_->fail(std::move(entry.error()));
      } else if (entry.value()) {
        bytes += entry.value()->stored_bytes();
        vectors_->add(0, wave_.size() - 1, slot, *entry.value());
      }
    }
  }
  std::vector<io::ReadRequest> requests;
  vectors_->add_requests(requests);
  stages_.enter(SearchStage::read);
  worker.read(*this, requests);
  return true;
}

void SparseExampleSearchTask::value_landed(const io::ReadRequest& request, Bytes data,
                                           const Error* error) {
  vectors_->landed(request, data, error);
}

// --- 2 score ---

void SparseExampleSearchTask::score_wave() {
  if (!vectors_) {
    return;
  }
  stages_.enter(SearchStage::rescore);
  if (vectors_->error()) {
    fail(*vectors_->error());
    return;
  }
  const FetchedValues fetched = vectors_->take(0);
  vectors_.reset();
  for (size_t i = 0; i < wave_.size(); ++i) {
    if (fetched.present[i] == 0) {
      continue;
    }
    ++rescored_;
    for (size_t e = 0; e < examples_.size(); ++e) {
      double sum = 0;  // where they share no index, too
      static_cast<void>(sparse::dot(examples_[e], fetched.values[i], sum));
      similarities_[e] = sparse::score_of(sum);
    }
    best_->scored({request_.score.of(similarities_.data()), 0, wave_[i]});
  }
}

// --- 3 the best ---

void SparseExampleSearchTask::take_results() {
  Rows rows;
  slots_.clear();
  uint64_t place = 0;
  for (const Candidate& found : best_->take()) {
    const bool wanted = place++ >= request_.offset && rows.ids.size() < request_.limit;
    if (wanted && (!request_.score_threshold || found.similarity >= *request_.score_threshold)) {
      add_hit(rows, found.row, found.similarity);
    }
  }
  results_.push_back(std::move(rows));
}

}  // namespace asyncstore::engine
