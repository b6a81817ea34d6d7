// The search line.
#include "engine/search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/limits.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;
using base::Status;

namespace {

// Where the bounds of the errors decide what is read, up to this many candidates for each result
// (and for few results some more) are kept for them to decide on.
constexpr double k_candidates_per_result = 32;
constexpr uint64_t k_candidates_min = 1024;

// Among how many candidates for each result the true ones are, nearly always: how far a walk over a
// graph has to look.
double spread(const quantize::Config& codes) {
  switch (codes.kind) {
    case quantize::Kind::none:
    case quantize::Kind::scalar_int8:
      return 2;
    case quantize::Kind::rabitq:
      return codes.bits >= 8 ? 2 : codes.bits >= 4 ? 3 : codes.bits >= 2 ? 8 : 24;
    case quantize::Kind::product:
    case quantize::Kind::binary:
      return 24;
  }
  return 2;
}

}  // namespace

Task::Next SearchTask::step(Worker& worker) {
  if (error_) {
    return answer(worker);
  }
  switch (stage_) {
    case Stage::start:
      start();
      return Next::again;
    case Stage::filter:  // 0 which points pass the filter
      return filter(worker);
    case Stage::preselect:  // 1 all segments' codes -> one list of candidates for each query
      if (!preselection_->step(worker.walks())) {
        return Next::again;
      }
      if (!request_.rescore) {
        take_estimates();
        return finish(worker);
      }
      begin_rescoring();
      stage_ = Stage::rescore;
      [[fallthrough]];
    case Stage::rescore:  // 2, 3 a wave of reads for all queries; landed() scores rows as they come
      if (read_wave(worker)) {
        return Next::wait;  // (bounded) another while an unread candidate may be among the best
      }
      take_results();         // 4 the best, ties by id
      return finish(worker);  // 5 vectors and payloads, if asked for; or groups
    case Stage::scan:         // without codes, all originals in turn
      if (!scan_->done()) {
        return read_scan(worker);
      }
      take_results();
      return finish(worker);
    case Stage::groups:
      return group(worker);
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
  excluded_ = collection_->table().slots_of(request_.excluded);
  if (request_.filter) {
    filtering_.emplace(collection_, request_.filter);
    stages_.enter(SearchStage::filter);
    stage_ = Stage::filter;
    return;
  }
  admitted_.emplace(field());
  begin();
}

Task::Next SearchTask::filter(Worker& worker) {
  if (!admitted_) {
    const Next next = filtering_->step(*this, worker, view_->lsn);
    if (next != Next::done) {
      return next;
    }
    if (filtering_->error()) {
      fail(*filtering_->error());
      return answer(worker);
    }
    admitted_.emplace(field(), filtering_->passing());
  }
  if (find_rows()) {
    begin();
  }
  return Next::again;
}

// Looks up the rows of the points that pass where that pays: where the filter was asked before, and
// where few rows are scanned. False when there is more to do.
bool SearchTask::find_rows() {
  FilterCache& cache = collection_->filter_cache();
  const std::string& key = request_.filter->key;
  if (!rows_builder_) {
    if (filtering_->repeated()) {
      if (auto rows = cache.find_rows(key, request_.field, view_)) {
        admitted_->know(std::move(rows));
        return true;
      }
    } else if (!scans_few()) {
      return true;
    }
    rows_builder_.emplace(row_finder(), *filtering_->passing());
  }
  if (!rows_builder_->step()) {
    return false;
  }
  auto rows = std::make_shared<const PassingRows>(rows_builder_->take());
  cache.put_rows(key, request_.field, view_, rows);
  admitted_->know(std::move(rows));
  return true;
}

bool SearchTask::scans_few() const {
  const Effort effort = this->effort();
  for (uint32_t segment = 0; segment < field().segments.size(); ++segment) {
    const SegmentView& view = field().segments[segment];
    const uint64_t admitted = admitted_->estimated(segment);
    if (!walk_pays(view, admitted, effort) && admitted <= view.rows / k_few_part) {
      return true;
    }
  }
  return false;
}

void SearchTask::begin() {
  const auto& described = collection_->fields()[request_.field];
  wanted_count_ = wanted_count();
  const Effort effort = this->effort();
  const bool by_codes = described.quantization.kind != quantize::Kind::none &&
                        !request_.ignore_codes && !request_.exact &&
                        effort.candidates <= base::k_candidates_max;
  stages_.enter(by_codes ? SearchStage::preselect : SearchStage::read);
  const NearerFirst nearer(field(), collection_->table());
  if (by_codes) {
    preselection_.emplace(field(), *admitted_, nearer, request_.score, effort);
  } else {
    scan_.emplace(field(), *admitted_);
  }
  const size_t examples = request_.score.examples();
  const size_t count = request_.queries.size() / described.dim / examples;
  queries_.resize(count);
  similarities_.resize(examples);
  const float* vector = request_.queries.data();
  for (Query& query : queries_) {
    query.examples.reserve(examples);
    for (size_t e = 0; e < examples; ++e, vector += described.dim) {
      query.examples.emplace_back(described, vector);
    }
    if (by_codes) {
      preselection_->add(query.examples);
    } else {
      query.rescoring.emplace(wanted_count_, nearer);
    }
  }
  stage_ = by_codes ? Stage::preselect : Stage::scan;
  if (request_.groups) {
    const bool bounded = by_codes && request_.rescore && request_.score.is_similarity();
    groups_.emplace(collection_, *request_.groups, row_finder(),
                    GroupSearch::Rows{*admitted_, excluded_, bounded ? &*preselection_ : nullptr});
  }
}

uint64_t SearchTask::wanted_count() const {
  const uint64_t besides = request_.offset + excluded_.size();
  const bool endless = besides < request_.offset || request_.limit > UINT64_MAX - besides;
  const uint64_t wanted = endless ? UINT64_MAX : request_.limit + besides;
  return std::min(wanted, std::max<uint64_t>(admitted_->count_max(), 1));
}

Effort SearchTask::effort() const {
  const auto& described = collection_->fields()[request_.field];
  const uint64_t admitted = std::max<uint64_t>(admitted_->count_max(), 1);
  const uint64_t wanted = wanted_count();
  const auto times = [&](double factor) {
    const double product = std::floor(static_cast<double>(wanted) * factor);
    // At least as many as are wanted, though the factor be less than 1.
    return std::max(wanted,
                    static_cast<uint64_t>(std::min(product, static_cast<double>(admitted))));
  };
  Effort effort;
  uint64_t in_sight = 0;
  if (!request_.rescore) {
    effort.candidates = wanted;
    in_sight = wanted;
  } else if (request_.oversampling > 0) {
    effort.candidates = times(request_.oversampling);
    in_sight = effort.candidates;
  } else {
    in_sight = times(spread(described.quantization));
    // Where the context is met all rows have the same score, and no bound tells them apart.
    const bool bounded = request_.score.kind() != QueryScore::Kind::context;
    effort.candidates =
        request_.early_stop && bounded
            ? std::min(admitted, std::max(times(k_candidates_per_result), k_candidates_min))
            : in_sight;
  }
  // A sum of many similarities, some negative, leads where no rows are: a walk sees less there.
  const uint64_t ef_default = request_.score.kind() == QueryScore::Kind::sum_scores
                                  ? uint64_t{2} * described.graph.ef_construct
                                  : described.graph.ef_construct;
  const uint64_t ef = request_.hnsw_ef > 0 ? request_.hnsw_ef : ef_default;
  effort.ef =
      static_cast<uint32_t>(std::min<uint64_t>(std::max(ef, in_sight), base::k_candidates_max));
  return effort;
}

// --- 2 read ---

void SearchTask::begin_rescoring() {
  stages_.enter(SearchStage::rescore);
  for (size_t i = 0; i < queries_.size(); ++i) {
    std::vector<Candidate> found = preselection_->take_unsorted(i);
    candidates_ += found.size();
    if (groups_) {
      const Effort effort = this->effort();
      const uint64_t sight = std::min<uint64_t>(effort.ef, effort.candidates);
      if (groups_->keep_best(found, sight, similarity_min())) {
        want_all(found);
      }
    }
    rescore(i, found);
  }
}

void SearchTask::rescore(size_t query, std::span<const Candidate> found) {
  queries_[query].rescoring.emplace(
      found, wanted_count_, similarity_min(), request_.early_stop,
      NearerFirst(field(), collection_->table()),
      [&](const Candidate& one) { return preselection_->reach_at_most(query, one); });
}

// What the threshold lets pass is not below it.
float SearchTask::similarity_min() const {
  if (!request_.score_threshold) {
    return -std::numeric_limits<float>::infinity();
  }
  return request_.score.is_similarity()
             ? segment::similarity_floor(collection_->fields()[request_.field].distance,
                                         *request_.score_threshold)
             : *request_.score_threshold;
}

// Asks for the next wave of all queries; false when none has one.
bool SearchTask::read_wave(Worker& worker) {
  stages_.enter(SearchStage::rescore);
  wanted_.clear();
  std::vector<io::ReadRequest> wave;
  for (uint32_t query = 0; query < queries_.size(); ++query) {
    const auto reach = [&](const Candidate& one) { return preselection_->reach(query, one); };
    for (const Estimated& estimated : queries_[query].rescoring->next_wave(reach)) {
      const Candidate& candidate = estimated.candidate;
      wave.push_back(row_request(*field().segments[candidate.segment].segment, candidate.row,
                                 static_cast<uint32_t>(wanted_.size())));
      wanted_.push_back({query, candidate});
    }
  }
  if (wave.empty()) {
    return false;
  }
  stages_.begin_wave(wave.size());
  worker.read(*this, wave);
  return true;
}

Task::Next SearchTask::read_scan(Worker& worker) {
  std::vector<io::ReadRequest> wave;
  for (const OriginalScan::Part& part : scan_->next()) {
    const segment::Segment& segment = *field().segments[part.segment].segment;
    io::ReadRequest request =
        row_request(segment, part.first_row, static_cast<uint32_t>(wave.size()));
    request.length += (part.rows - 1) * segment.layout().stride();
    wave.push_back(request);
  }
  stages_.begin_wave(wave.size());
  worker.read(*this, wave);
  return wave.empty() ? Next::again : Next::wait;
}

// --- 3 rescore ---

void SearchTask::landed(const io::ReadRequest& request, Bytes data, const Error* error) {
  if (stage_ == Stage::filter) {
    filtering_->landed(request, data, error);
  } else if (stage_ == Stage::groups) {
    groups_->landed(request, data, error);
  } else if (stage_ == Stage::points) {
    fetch_->landed(request, data, error);
  } else if (error != nullptr) {
    fail(row_error(request, *error));
  } else if (stage_ == Stage::scan) {
    stages_.landed([&] { score_part(request.index, data); });
  } else {
    stages_.landed([&] { score_candidate(request.index, data); });
  }
}

float SearchTask::score(const Query& query, const std::byte* row) {
  for (size_t e = 0; e < query.examples.size(); ++e) {
    similarities_[e] = query.examples[e].similarity(row);
  }
  return request_.score.of(similarities_.data());
}

void SearchTask::score_candidate(uint32_t index, Bytes data) {
  const auto& [number, candidate] = wanted_[index];
  Status sound = check_row(*field().segments[candidate.segment].segment, candidate.row, data);
  if (!sound.ok()) {
    fail(std::move(sound.error()));
    return;
  }
  Query& query = queries_[number];
  query.rescoring->scored({score(query, data.data()), candidate.segment, candidate.row});
  ++rescored_;
}

void SearchTask::score_part(uint32_t index, Bytes data) {
  const OriginalScan::Part& part = scan_->part(index);
  const SegmentView& segment = field().segments[part.segment];
  const auto& layout = segment.segment->layout();
  for (uint32_t i = 0; i < part.rows; ++i) {
    const uint32_t row = part.first_row + i;
    if (!admitted_->has(part.segment, row)) {
      continue;
    }
    const Bytes stored = data.subspan(uint64_t{i} * layout.stride(), layout.row_bytes());
    Status sound = check_row(*segment.segment, row, stored);
    if (!sound.ok()) {
      fail(std::move(sound.error()));
      return;
    }
    for (Query& query : queries_) {
      query.rescoring->scored({score(query, stored.data()), part.segment, row});
    }
    ++rescored_;
  }
}

// --- 4 top_k ---

void SearchTask::take_results() {
  for (Query& query : queries_) {
    skipped_ += query.rescoring->rows_skipped();
    query.results = page(query.rescoring->take());
  }
}

void SearchTask::take_estimates() {
  for (size_t i = 0; i < queries_.size(); ++i) {
    queries_[i].results = page(preselection_->take(i));
  }
}

// What of all that was found is asked for.
std::vector<Candidate> SearchTask::page(std::vector<Candidate> found) const {
  if (!excluded_.empty()) {
    const NearerFirst nearer(field(), collection_->table());
    std::erase_if(found, [&](const Candidate& candidate) {
      return std::binary_search(excluded_.begin(), excluded_.end(), nearer.slot(candidate));
    });
  }
  if (request_.score_threshold) {
    const auto distance = collection_->fields()[request_.field].distance;
    std::erase_if(found, [&](const Candidate& candidate) {
      return request_.score.is_similarity()
                 ? !segment::passes(distance, score_of(candidate), *request_.score_threshold)
                 : candidate.similarity < *request_.score_threshold;
    });
  }
  found.erase(found.begin(), found.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(
                                                 request_.offset, found.size())));
  found.resize(std::min<uint64_t>(request_.limit, found.size()));
  return found;
}

// --- 5 groups; vectors and payloads; answer ---

Task::Next SearchTask::finish(Worker& worker) {
  if (!groups_) {
    return read_points(worker);
  }
  std::vector<Candidate>& results = queries_[0].results;
  const bool are_all = results.size() < request_.limit;
  groups_->add(std::move(results), are_all);
  return group(worker);
}

// Scores what may be in the groups besides, and comes back with it.
Task::Next SearchTask::group(Worker& worker) {
  stage_ = Stage::groups;
  stages_.enter(SearchStage::group);
  const Next next = groups_->step(*this, worker);
  if (next != Next::done) {
    return next;
  }
  if (groups_->error()) {
    fail(*groups_->error());
    return answer(worker);
  }
  const std::vector<Candidate> found = groups_->candidates();
  if (found.empty()) {
    return answer(worker);
  }
  candidates_ += found.size();
  want_all(found);
  rescore(0, found);
  stage_ = Stage::rescore;
  return Next::again;
}

void SearchTask::want_all(std::span<const Candidate> found) {
  request_.limit = UINT32_MAX;
  wanted_count_ = std::max<uint64_t>(found.size(), 1);
}

Task::Next SearchTask::read_points(Worker& worker) {
  stage_ = Stage::points;
  if (request_.with.nothing() || join_) {
    return answer(worker);
  }
  stages_.enter(SearchStage::payload);
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

float SearchTask::score_of(const Candidate& candidate) const {
  return request_.score.is_similarity()
             ? segment::score_of(collection_->fields()[request_.field].distance,
                                 candidate.similarity)
             : candidate.similarity;
}

Rows SearchTask::rows_of(const Query& query) const {
  Rows rows;
  const NearerFirst nearer(field(), collection_->table());
  for (const Candidate& candidate : query.results) {
    const uint32_t slot = nearer.slot(candidate);
    rows.ids.push_back(collection_->table().id(slot));
    rows.scores.push_back(score_of(candidate));
    rows.versions.push_back(collection_->table().version(slot));
  }
  return rows;
}

Task::Next SearchTask::answer(Worker& worker) {
  if (fetch_ && fetch_->error() && !error_) {
    error_ = fetch_->error();
  }
  auto& counters = worker.counters();
  counters.searches.add(queries_.size());
  counters.candidates.add(candidates_);
  counters.rows_rescored.add(rescored_);
  counters.rows_skipped.add(skipped_);
  stages_.record(counters.stages);
  if (error_) {
    abandon(*error_);
    return Next::done;
  }
  if (groups_) {
    auto [points, groups] = groups_->take();
    queries_[0].results = std::move(points);
    groups.rows = rows_of(queries_[0]);
    completions_.complete(ticket_, std::move(groups));
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
  std::vector<Rows> found;
  found.reserve(queries_.size());
  for (const Query& query : queries_) {
    found.push_back(rows_of(query));
  }
  join_->add(first_query_, found);
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
  join_->fail(error);
}

}  // namespace asyncstore::engine
