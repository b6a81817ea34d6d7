// The search line.
#include "engine/search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/limits.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;
using base::Status;

namespace {

// One step of preselection scans this many bytes of codes: about a tenth of a millisecond.
constexpr uint64_t k_slice_bytes = 1 << 20;
// A scan of originals reads this many bytes at once, and has this many reads under way.
constexpr uint64_t k_part_bytes = 256 << 10;
constexpr size_t k_parts_inflight = 8;

}  // namespace

Task::Next SearchTask::step(Worker& worker) {
  if (error_) {
    return answer(worker);
  }
  switch (stage_) {
    case Stage::start:
      start();
      return Next::again;
    case Stage::preselect:  // 1 all segments' codes -> one list of candidates for each query
      if (!preselect_slice()) {
        return Next::again;
      }
      if (!request_.rescore) {
        take_results(false);
        return read_points(worker);
      }
      return read_candidates(worker);  // 2 one wave of reads for all queries
    case Stage::scan:                  //   (or, without codes, all originals in turn)
      if (segment_ < field().segments.size()) {
        return read_scan(worker);
      }
      [[fallthrough]];
    case Stage::rescore:           // 3 landed() has scored each row as it came
      take_results(true);          // 4 the best, ties by id
      return read_points(worker);  // 5 vectors and payloads, if asked for
    case Stage::points:
      return answer(worker);
  }
  return Next::done;
}

SearchTask::SearchTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                       SearchRequest request, CompletionQueue& completions)
    : ticket_(ticket),
      collection_(std::move(collection)),
      request_(std::move(request)),
      completions_(completions) {}

SearchTask::SearchTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                       SearchRequest request, CompletionQueue& completions,
                       std::shared_ptr<BatchJoin> join, uint32_t first_query)
    : SearchTask(ticket, std::move(collection), std::move(request), completions) {
  join_ = std::move(join);
  first_query_ = first_query;
}

void SearchTask::start() {
  view_ = collection_->view();
  const auto& described = collection_->fields()[request_.field];
  const uint64_t live = std::max<uint64_t>(field().live_count(), 1);
  const uint64_t wanted = std::min(live, request_.limit > UINT64_MAX - request_.offset
                                             ? UINT64_MAX
                                             : request_.limit + request_.offset);
  const double oversampling =
      request_.oversampling > 0 ? request_.oversampling : k_default_oversampling;
  const double product =
      std::floor(static_cast<double>(wanted) * (request_.rescore ? oversampling : 1.0));
  // At least as many as are wanted, though the oversampling be less than 1.
  const auto preselected =
      std::max(wanted, static_cast<uint64_t>(std::min(product, static_cast<double>(live))));
  const bool by_codes = described.quantization.kind != quantize::Kind::none &&
                        !request_.ignore_codes && !request_.exact &&
                        preselected <= base::k_candidates_max;
  const quantize::Quantizer* quantizer =
      field().segments.empty() ? nullptr : field().segments[0].segment->quantizer().get();

  const NearerFirst nearer(field(), collection_->table());
  const size_t count = request_.queries.size() / described.dim;
  queries_.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    segment::ExactScorer scorer(described, request_.queries.data() + i * described.dim);
    auto encoded =
        by_codes && quantizer != nullptr ? quantizer->encode_query(scorer.query()) : nullptr;
    queries_.push_back(Query{std::move(scorer),
                             std::move(encoded),
                             TopCandidates(preselected, nearer),
                             TopCandidates(wanted, nearer),
                             {}});
  }
  stage_ = by_codes ? Stage::preselect : Stage::scan;
}

// --- 1 preselect ---

bool SearchTask::preselect_slice() {
  uint64_t budget = k_slice_bytes;
  while (segment_ < field().segments.size()) {
    const SegmentView& segment = field().segments[segment_];
    const uint64_t block_bytes =
        uint64_t{64} * segment.segment->quantizer()->code_bytes() * queries_.size();
    for (; row_ < segment.rows; row_ += 64) {
      if (budget == 0) {
        return false;
      }
      preselect_block(segment, segment_, row_ / 64);
      budget -= std::min(budget, block_bytes);
    }
    ++segment_;
    row_ = 0;
  }
  return true;
}

void SearchTask::preselect_block(const SegmentView& segment, uint32_t index, uint32_t block) {
  const uint64_t live = segment.live_word(block);
  if (live == 0) {
    return;
  }
  const uint32_t first = block * 64;
  const uint32_t rows = std::min(segment.rows - first, 64U);
  const uint8_t* codes = segment.segment->codes(first);
  float similarities[64];
  for (Query& query : queries_) {
    segment.segment->quantizer()->estimate(*query.encoded, codes, rows, similarities);
    const float threshold = query.preselected.threshold();
    uint64_t passing = 0;
    for (uint32_t row = 0; row < rows; ++row) {
      passing |= static_cast<uint64_t>(similarities[row] >= threshold) << row;
    }
    for (passing &= live; passing != 0; passing &= passing - 1) {
      const auto row = static_cast<uint32_t>(std::countr_zero(passing));
      query.preselected.push({similarities[row], index, first + row});
    }
  }
}

// --- 2 read ---

Task::Next SearchTask::read_candidates(Worker& worker) {
  stage_ = Stage::rescore;
  for (uint32_t query = 0; query < queries_.size(); ++query) {
    for (const Candidate& candidate : queries_[query].preselected.take()) {
      wanted_.push_back({query, candidate});
    }
  }
  candidates_ = wanted_.size();
  std::vector<io::ReadRequest> wave;
  wave.reserve(wanted_.size());
  for (uint32_t i = 0; i < wanted_.size(); ++i) {
    const Candidate& candidate = wanted_[i].candidate;
    wave.push_back(row_request(*field().segments[candidate.segment].segment, candidate.row, i));
  }
  worker.read(*this, wave);
  return Next::wait;
}

Task::Next SearchTask::read_scan(Worker& worker) {
  parts_.clear();
  std::vector<io::ReadRequest> wave;
  while (segment_ < field().segments.size() && parts_.size() < k_parts_inflight) {
    const SegmentView& segment = field().segments[segment_];
    const auto& layout = segment.segment->layout();
    const auto part_rows =
        static_cast<uint32_t>(std::max<uint64_t>(1, k_part_bytes / layout.stride()));
    if (row_ < segment.rows) {
      const uint32_t rows = std::min(part_rows, segment.rows - row_);
      io::ReadRequest request =
          row_request(*segment.segment, row_, static_cast<uint32_t>(parts_.size()));
      request.length += (rows - 1) * layout.stride();
      wave.push_back(request);
      parts_.push_back({segment_, row_, rows});
      row_ += rows;
    }
    if (row_ >= segment.rows) {
      ++segment_;
      row_ = 0;
    }
  }
  worker.read(*this, wave);
  return Next::wait;
}

// --- 3 rescore ---

void SearchTask::landed(const io::ReadRequest& request, Bytes data, const Error* error) {
  if (stage_ == Stage::points) {
    fetch_->landed(request, data, error);
  } else if (error != nullptr) {
    fail(row_error(request, *error));
  } else if (stage_ == Stage::scan) {
    score_part(request.index, data);
  } else {
    score_candidate(request.index, data);
  }
}

void SearchTask::score_candidate(uint32_t index, Bytes data) {
  const auto& [number, candidate] = wanted_[index];
  Status sound = check_row(*field().segments[candidate.segment].segment, candidate.row, data);
  if (!sound.ok()) {
    fail(std::move(sound.error()));
    return;
  }
  Query& query = queries_[number];
  query.best.push({query.scorer.similarity(data.data()), candidate.segment, candidate.row});
  ++rescored_;
}

void SearchTask::score_part(uint32_t index, Bytes data) {
  const Part& part = parts_[index];
  const SegmentView& segment = field().segments[part.segment];
  const auto& layout = segment.segment->layout();
  for (uint32_t i = 0; i < part.rows; ++i) {
    const uint32_t row = part.first_row + i;
    if (!segment.live(row)) {
      continue;
    }
    const Bytes stored = data.subspan(uint64_t{i} * layout.stride(), layout.row_bytes());
    Status sound = check_row(*segment.segment, row, stored);
    if (!sound.ok()) {
      fail(std::move(sound.error()));
      return;
    }
    for (Query& query : queries_) {
      query.best.push({query.scorer.similarity(stored.data()), part.segment, row});
    }
    ++rescored_;
  }
}

// --- 4 top_k ---

void SearchTask::take_results(bool rescored) {
  const auto distance = collection_->fields()[request_.field].distance;
  for (Query& query : queries_) {
    auto found = rescored ? query.best.take() : query.preselected.take();
    if (request_.score_threshold) {
      std::erase_if(found, [&](const Candidate& candidate) {
        return !segment::passes(distance, segment::score_of(distance, candidate.similarity),
                                *request_.score_threshold);
      });
    }
    found.erase(found.begin(), found.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(
                                                   request_.offset, found.size())));
    found.resize(std::min<uint64_t>(request_.limit, found.size()));
    query.results = std::move(found);
  }
}

// --- 5 vectors and payloads, answer ---

Task::Next SearchTask::read_points(Worker& worker) {
  stage_ = Stage::points;
  if (request_.with.nothing() || join_) {
    return answer(worker);
  }
  const auto& results = queries_[0].results;
  const NearerFirst nearer(field(), collection_->table());
  fetch_.emplace(collection_, request_.with, results.size());
  for (size_t point = 0; point < results.size(); ++point) {
    const PointFetch::Row found{request_.field, field().segments[results[point].segment].segment,
                                results[point].row};
    fetch_->add(point, nearer.slot(results[point]), &found);
  }
  return fetch_->read(*this, worker) ? Next::wait : answer(worker);
}

Rows SearchTask::rows_of(const Query& query) const {
  Rows rows;
  const auto distance = collection_->fields()[request_.field].distance;
  const NearerFirst nearer(field(), collection_->table());
  for (const Candidate& candidate : query.results) {
    const uint32_t slot = nearer.slot(candidate);
    rows.ids.push_back(collection_->table().id(slot));
    rows.scores.push_back(segment::score_of(distance, candidate.similarity));
    rows.versions.push_back(collection_->table().version(slot));
  }
  return rows;
}

Task::Next SearchTask::answer(Worker& worker) {
  if (fetch_ && fetch_->error() && !error_) {
    error_ = fetch_->error();
  }
  auto& counters = worker.counters();
  counters.searches.fetch_add(queries_.size(), std::memory_order_relaxed);
  counters.candidates.fetch_add(candidates_, std::memory_order_relaxed);
  counters.rows_rescored.fetch_add(rescored_, std::memory_order_relaxed);
  if (error_) {
    abandon(*error_);
    return Next::done;
  }
  if (!join_) {
    Rows rows = rows_of(queries_[0]);
    if (fetch_) {
      fetch_->take(rows);
    }
    completions_.complete(ticket_, std::move(rows));
    return Next::done;
  }
  const std::lock_guard lock(join_->mutex);
  Batch& batch = join_->batch;
  for (size_t i = 0; i < queries_.size(); ++i) {
    const Rows rows = rows_of(queries_[i]);
    const uint64_t begin = (first_query_ + i) * batch.limit;
    batch.counts[first_query_ + i] = static_cast<int32_t>(rows.ids.size());
    for (size_t at = 0; at < rows.ids.size(); ++at) {
      batch.ids[begin + at] = rows.ids[at];
      batch.scores[begin + at] = rows.scores[at];
      batch.has_uuid = batch.has_uuid || rows.ids[at].is_uuid;
    }
  }
  if (join_->parts_left.fetch_sub(1) == 1) {
    if (join_->error) {
      completions_.fail(ticket_, *join_->error);
    } else {
      completions_.complete(ticket_, std::move(batch));
    }
  }
  return Next::done;
}

void SearchTask::fail(Error error) {
  if (!error_) {
    error_ = std::move(error);
  }
}

void SearchTask::abandon(const Error& error) {
  if (!join_) {
    completions_.fail(ticket_, error);
    return;
  }
  const std::lock_guard lock(join_->mutex);
  join_->error = join_->error ? join_->error : error;
  if (join_->parts_left.fetch_sub(1) == 1) {
    completions_.fail(ticket_, *join_->error);
  }
}

}  // namespace asyncstore::engine
