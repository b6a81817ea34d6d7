// The line of a search by sparse vectors.
#include "engine/sparse_search.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/worker.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;

namespace {
// Vectors that are read and kept at once.
constexpr size_t k_rows_a_wave = 512;
// Candidates that are looked at in a slice.
constexpr size_t k_looked_at = 256;
}  // namespace

Task::Next SparseSearchTask::step(Worker& worker) {
  if (error_) {
    return answer(worker);
  }
  switch (stage_) {
    case Stage::start:
      start();
      return Next::again;
    case Stage::filter:  // 0 which points pass the filter
      return filter(worker);
    case Stage::count:  // with idf: how many points have each index, window by window
      count();
      return Next::again;
    case Stage::score:  // 1 the index, run by run -> candidates
      score(worker.sparse_scorer());
      return Next::again;
    case Stage::look:  // the same of the candidates alone, each with a bound of its own
      look_closer();
      return Next::again;
    case Stage::rescore:  // 2, 3 waves of reads; what landed is scored
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
      take_results();  // 4 the best, ties by id
      if (++at_ < request_.queries.size()) {
        begin_query();
        return Next::again;
      }
      stage_ = Stage::points;
      return read_points(worker, request_.with);  // 5 vectors and payloads, if asked for
    case Stage::points:
      return answer(worker);
  }
  return Next::done;
}

SparseSearchTask::SparseSearchTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                                   SparseSearchRequest request, CompletionQueue& completions,
                                   std::shared_ptr<BatchJoin> join, uint64_t first_query)
    : KeptSearchTask(ticket, std::move(collection), completions, std::move(join), first_query),
      request_(std::move(request)) {}

void SparseSearchTask::start() {
  look(request_.excluded, request_.filter);
  snapshot_ = view_->sparse[request_.sparse];
  if (filtering_) {
    stage_ = Stage::filter;
  } else {
    begin();
  }
}

void SparseSearchTask::begin() {
  begin_query();
}

// Of the rows there are, how many of the best.
uint64_t SparseSearchTask::wanted() const {
  return wanted_of(snapshot_->live, request_.limit, request_.offset);
}

void SparseSearchTask::begin_query() {
  stages_.enter(SearchStage::preselect);
  query_ = request_.queries[at_];
  const double threshold = request_.score_threshold ? double{*request_.score_threshold}
                                                    : -std::numeric_limits<double>::infinity();
  found_.emplace(wanted(), threshold, snapshot_->windows.size());
  rescoring_.reset();
  window_ = 0;
  part_ = 0;
  counts_.assign(query_.indices.size(), 0);
  stage_ = request_.idf ? Stage::count : Stage::score;
}

void SparseSearchTask::count() {
  if (window_ < snapshot_->windows.size()) {
    snapshot_->windows[window_++]->count_rows(query_.indices, counts_);
    return;
  }
  sparse::apply_idf(query_, counts_, snapshot_->live);
  window_ = 0;
  stage_ = Stage::score;
}

// --- 1 the index ---

void SparseSearchTask::score(sparse::Scorer& scorer) {
  if (window_ == snapshot_->windows.size()) {
    candidates_ = found_->take();
    candidates_count_ += candidates_.size();
    reaches_.clear();
    stage_ = Stage::look;
    return;
  }
  const sparse::WindowView& window = *snapshot_->windows[window_];
  if (part_ < window.runs.size()) {
    found_->expect_error(window_, scorer.begin_run(query_, *window.runs[part_++]));
    while (scorer.next_rows(found_->bar())) {
      consider(scorer, window_);
    }
    return;
  }
  found_->expect_error(window_, scorer.score_tail(query_, window));
  consider(scorer, window_);
  part_ = 0;
  ++window_;
}

void SparseSearchTask::consider(const sparse::Scorer& scorer, uint32_t window) {
  const sparse::WindowView& view = *snapshot_->windows[window];
  for (const auto& [row, score] : scorer.found()) {
    const Candidate candidate{score, window, row};
    if (found_->reach(candidate) < found_->bar() || !view.is_live(row)) {
      continue;
    }
    const uint32_t slot = view.slot(row);
    if ((passing_ && !passing_->contains(slot)) ||
        std::binary_search(excluded_.begin(), excluded_.end(), slot)) {
      continue;
    }
    found_->push(candidate);
  }
}

// --- 2 read, 3 rescore ---

// Estimates the candidates one by one, which leaves few that have to be read.
void SparseSearchTask::look_closer() {
  const size_t end = std::min(reaches_.size() + k_looked_at, candidates_.size());
  for (size_t i = reaches_.size(); i < end; ++i) {
    Candidate& candidate = candidates_[i];
    const auto [score, error] =
        sparse::estimate(query_, *snapshot_->windows[candidate.segment], candidate.row);
    candidate.similarity = sparse::score_of(score);
    reaches_.push_back(sparse::score_of(score + error));
  }
  if (end < candidates_.size()) {
    return;
  }
  const float threshold =
      request_.score_threshold.value_or(-std::numeric_limits<float>::infinity());
  rescoring_.emplace(candidates_, wanted(), threshold, true,
                     BetterSparse(*snapshot_, collection_->table()),
                     [&, next = size_t{0}](const Candidate&) mutable { return reaches_[next++]; });
  stage_ = Stage::rescore;
}

// Reads the vectors of the candidates that may still be among the best; false when there are none.
bool SparseSearchTask::read_wave(Worker& worker) {
  if (wave_.empty()) {
    // Their reaches are known: who still counts by them is read.
    const auto reach = [](const Candidate&) { return std::numeric_limits<float>::infinity(); };
    for (const Estimated& estimated : rescoring_->next_wave(reach)) {
      wave_.push_back(estimated.candidate);
    }
  }
  if (wave_.empty()) {
    return false;
  }
  const size_t count = std::min(wave_.size(), k_rows_a_wave);
  read_.assign(wave_.end() - static_cast<ptrdiff_t>(count), wave_.end());
  wave_.resize(wave_.size() - count);
  const size_t store = 1 + request_.sparse;
  vectors_.emplace(collection_, count, 0);
  vectors_->add_store(store, nullptr);
  {
    const BetterSparse better(*snapshot_, collection_->table());
    const points::PointTable& table = collection_->table();
    const auto lock = table.read_lock();
    for (size_t i = 0; i < count; ++i) {
      const uint32_t slot = better.slot(read_[i]);
      has_changed_ = has_changed_ || !table.live(slot) || table.version(slot) > view_->lsn;
      auto entry = vectors_->store(0).find(slot);
      if (!entry.ok()) {
        vectors_->fail(std::move(entry.error()));
      } else if (entry.value()) {
        vectors_->add(0, i, slot, *entry.value());
      }
    }
  }
  std::vector<io::ReadRequest> requests;
  vectors_->add_requests(requests);
  stages_.enter(SearchStage::read);
  worker.read(*this, requests);
  return true;
}

void SparseSearchTask::score_wave() {
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
  for (size_t i = 0; i < read_.size(); ++i) {
    double score = 0;
    if (fetched.present[i] != 0 && sparse::dot(query_, fetched.values[i], score)) {
      rescoring_->scored({sparse::score_of(score), read_[i].segment, read_[i].row});
    }
    ++rescored_;
  }
}

// --- 4 top_k ---

void SparseSearchTask::take_results() {
  skipped_ += rescoring_->rows_skipped();
  const BetterSparse better(*snapshot_, collection_->table());
  Rows rows;
  slots_.clear();
  uint64_t place = 0;
  for (const Candidate& candidate : rescoring_->take()) {
    const bool wanted = place++ >= request_.offset && rows.ids.size() < request_.limit;
    if (!wanted || (request_.score_threshold && candidate.similarity < *request_.score_threshold)) {
      continue;
    }
    add_hit(rows, better.slot(candidate), candidate.similarity);
  }
  results_.push_back(std::move(rows));
}

void SparseSearchTask::value_landed(const io::ReadRequest& request, Bytes data,
                                    const Error* error) {
  vectors_->landed(request, data, error);
}

}  // namespace asyncstore::engine
