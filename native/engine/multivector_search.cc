// The line of a search by multivectors.
#include "engine/multivector_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/limits.h"
#include "engine/worker.h"
#include "multivector/multivector.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;

namespace {
// Numbers that are compared in some 0.2 ms.
constexpr uint64_t k_slice_elements = 1 << 21;
// Where the bounds of the errors decide what is read, so many candidates for each result, and so
// many at least, are kept for them to decide on.
constexpr double k_candidates_per_result = 32;
constexpr uint64_t k_candidates_min = 256;
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
    case Stage::prepare:
      prepare();
      return Next::again;
    case Stage::preselect:  // 1 the codes, if there are any and more than a few points pass
      if (preselection_->step(request_.rescore && request_.early_stop)) {
        begin_rescoring();
      }
      return Next::again;
    case Stage::read:  // 2, 3 waves of reads; landed() scores what is there, but for long ones
      if (!scored_.empty()) {
        stages_.enter(SearchStage::rescore);
        score_some();
        return Next::again;
      }
      if (read_wave(worker)) {
        return reads_pending > 0 ? Next::wait : Next::again;
      }
      if (!error_ && must_repeat()) {
        stage_ = Stage::start;
        return Next::again;
      }
      take_results();  // 4 the best, ties by id
      stage_ = Stage::points;
      return read_points(worker, request_.with);  // 5 vectors and payloads, if asked for
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
    : KeptSearchTask(ticket, std::move(collection), completions, std::move(join), first_query),
      request_(std::move(request)) {}

const segment::Field& MultivectorSearchTask::field() const {
  return collection_->multivectors()[request_.multivector];
}

void MultivectorSearchTask::start() {
  look(request_.excluded, request_.filter);
  if (filtering_) {
    stage_ = Stage::filter;
    return;
  }
  auto all = std::make_shared<filter::SlotSet>(collection_->table().slot_count());
  collection_->table().seen(all->words());
  passing_ = std::move(all);
  begin();
}

void MultivectorSearchTask::begin() {
  queries_.clear();
  preselection_.reset();
  wanted_.clear();
  next_wanted_ = 0;
  next_slot_ = 0;
  similarities_.resize(request_.score.examples());
  const bool by_codes = goes_by_codes();
  stages_.enter(by_codes ? SearchStage::preselect : SearchStage::read);
  if (by_codes) {
    preselection_.emplace(*view_->multivectors[request_.multivector], *passing_, excluded_,
                          collection_->table(), request_.score);
  }
  stage_ = Stage::prepare;
}

// The query that comes next.
void MultivectorSearchTask::prepare() {
  Query query;
  std::vector<multivector::CodeMaxSim> by_code;
  for (const std::vector<float>& rows : request_.queries[queries_.size()].examples) {
    const multivector::MaxSim& example = query.examples.emplace_back(field(), rows);
    query.elements += example.elements();
    if (preselection_) {
      by_code.emplace_back(view_->multivectors[request_.multivector]->made_by.quantizer,
                           example.query());
    }
  }
  if (preselection_) {
    preselection_->add(std::move(by_code), candidates_count());
  } else {
    query.rescoring.emplace(wanted_count(), NearerSlot(collection_->table()));
  }
  queries_.push_back(std::move(query));
  if (queries_.size() == request_.queries.size()) {
    stage_ = preselection_ ? Stage::preselect : Stage::read;
  }
}

// Of the points that pass, how many of the best.
uint64_t MultivectorSearchTask::wanted_count() const {
  return wanted_of(passing_->count(), request_.limit, request_.offset);
}

// How many are kept by their estimates.
uint64_t MultivectorSearchTask::candidates_count() const {
  const uint64_t wanted = wanted_count();
  const auto all = static_cast<double>(std::max<uint64_t>(passing_->count(), 1));
  const auto times = [&](double factor) {
    const double product = std::floor(static_cast<double>(wanted) * factor);
    return std::max(wanted, static_cast<uint64_t>(std::min(product, all)));
  };
  if (!request_.rescore) {
    return wanted;
  }
  return request_.oversampling > 0 ? times(request_.oversampling)
                                   : std::max(times(k_candidates_per_result), k_candidates_min);
}

// Not where all that pass would be candidates anyway, as of what prefetches found.
bool MultivectorSearchTask::goes_by_codes() const {
  return view_->multivectors[request_.multivector] != nullptr && !request_.ignore_codes &&
         candidates_count() <= base::k_candidates_max &&
         (!request_.rescore || passing_->count() > candidates_count());
}

// --- 2 read ---

void MultivectorSearchTask::begin_rescoring() {
  stage_ = Stage::read;
  stages_.enter(SearchStage::rescore);
  float threshold = -std::numeric_limits<float>::infinity();
  if (request_.score_threshold) {
    threshold = request_.score.is_similarity()
                    ? segment::similarity_floor(field().distance, *request_.score_threshold)
                    : *request_.score_threshold;
  }
  for (size_t i = 0; i < queries_.size(); ++i) {
    auto found = preselection_->take(i);
    candidates_count_ += found.candidates.size();
    if (request_.rescore) {
      queries_[i].rescoring.emplace(
          found.candidates, wanted_count(), threshold, request_.early_stop,
          NearerSlot(collection_->table()),
          [&, next = size_t{0}](const Candidate&) mutable { return found.reaches[next++]; });
    } else {
      std::sort(found.candidates.begin(), found.candidates.end(), NearerSlot(collection_->table()));
      queries_[i].results = std::move(found.candidates);
    }
  }
}

// What is scored next: what the candidates reach, or the next points that pass.
void MultivectorSearchTask::find_wanted() {
  wanted_.clear();
  next_wanted_ = 0;
  if (preselection_) {
    // Their reaches are known: who still counts by them is read.
    const auto reach = [](const Candidate&) { return std::numeric_limits<float>::infinity(); };
    for (uint32_t query = 0; query < queries_.size() && request_.rescore; ++query) {
      for (const Estimated& estimated : queries_[query].rescoring->next_wave(reach)) {
        wanted_.push_back({estimated.candidate.row, query});
      }
    }
    std::sort(wanted_.begin(), wanted_.end(),
              [](const Wanted& a, const Wanted& b) { return a.slot < b.slot; });
    return;
  }
  for (size_t slots = 0; slots < k_wave_max; ++next_slot_) {
    next_slot_ = passing_->next(next_slot_);
    if (next_slot_ >= passing_->slots()) {
      return;
    }
    if (!std::binary_search(excluded_.begin(), excluded_.end(), next_slot_)) {
      ++slots;
      for (uint32_t query = 0; query < queries_.size(); ++query) {
        wanted_.push_back({next_slot_, query});
      }
    }
  }
}

// Reads what is wanted next; false when nothing is.
bool MultivectorSearchTask::read_wave(Worker& worker) {
  if (next_wanted_ == wanted_.size()) {
    find_wanted();
  }
  wave_.clear();
  values_.emplace(collection_, k_wave_max, 0);
  values_->add_store(1 + collection_->schema().sparse + request_.multivector, nullptr);
  uint64_t bytes = 0;
  const size_t begin = next_wanted_;
  {
    const auto lock = collection_->table().read_lock();
    while (next_wanted_ < wanted_.size() && wave_.size() < k_wave_max && bytes < k_wave_bytes_max) {
      bytes += read(wanted_[next_wanted_].slot);
    }
  }
  std::vector<io::ReadRequest> requests;
  values_->add_requests(requests);
  stages_.begin_wave(wave_.size());
  worker.read(*this, requests);
  return next_wanted_ > begin;
}

// The stored bytes of the multivector, which is added to the wave for all that want it; none where
// the point has none any more.
uint64_t MultivectorSearchTask::read(uint32_t slot) {
  const size_t begin = next_wanted_;
  while (next_wanted_ < wanted_.size() && wanted_[next_wanted_].slot == slot) {
    ++next_wanted_;
  }
  const points::PointTable& table = collection_->table();
  const bool is_there = table.live(slot) && table.version(slot) > 0;
  if (preselection_) {
    has_changed_ = has_changed_ || !is_there || table.version(slot) > view_->lsn;
  }
  auto entry = values_->store(0).find(slot);
  if (!entry.ok() && is_there) {
    fail(std::move(entry.error()));
  }
  if (!entry.ok() || !entry.value() || !is_there) {
    return 0;
  }
  values_->add(0, wave_.size(), slot, *entry.value());
  wave_.push_back({begin, next_wanted_, {}});
  return entry.value()->stored_bytes();
}

// --- 3 score ---

void MultivectorSearchTask::value_landed(const io::ReadRequest& request, Bytes data,
                                         const Error* error) {
  const auto point = values_->landed(request, data, error);
  if (values_->error()) {
    fail(*values_->error());
  } else if (point) {
    stages_.landed([&] {
      take(*point);
      score_some();
    });
  }
}

void MultivectorSearchTask::take(size_t point) {
  Scored& scored = wave_[point];
  scored.rows = values_->take(0, point);
  if (!multivector::is_sound(field(), scored.rows)) {
    const uint32_t number = collection_->schema().sparse + request_.multivector;
    const uint32_t slot = wanted_[scored.next].slot;
    fail(base::corruption(collection_->values().folder(1 + number), slot,
                          "what is kept for slot " + std::to_string(slot) + " is no multivector"));
    return;
  }
  ++rescored_;
  scored_.push_back(std::move(scored));
}

// A slice of what there is to score.
void MultivectorSearchTask::score_some() {
  const uint32_t row_bytes = segment::row_bytes(field());
  uint64_t left = k_slice_elements;
  while (!scored_.empty() && left > 0) {
    Scored& one = scored_.front();
    Query& query = queries_[wanted_[one.next].query];
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
      end_scoring(one);
    }
  }
}

// All rows were compared with a query: goes on to the next one.
void MultivectorSearchTask::end_scoring(Scored& scored) {
  const auto [slot, number] = wanted_[scored.next];
  Query& query = queries_[number];
  for (size_t e = 0; e < query.examples.size(); ++e) {
    similarities_[e] = query.examples[e].similarity();
  }
  query.rescoring->scored({request_.score.of(similarities_.data()), 0, slot});
  scored.row = 0;
  if (++scored.next == scored.end) {
    scored_.pop_front();
  }
}

// --- 4 the best ---

void MultivectorSearchTask::take_results() {
  for (Query& query : queries_) {
    if (query.rescoring) {
      skipped_ += query.rescoring->rows_skipped();
      query.results = query.rescoring->take();
    }
    results_.push_back(rows_of(query));
  }
}

Rows MultivectorSearchTask::rows_of(const Query& query) {
  const segment::Distance distance = field().distance;
  const bool is_similarity = request_.score.is_similarity();
  Rows rows;
  slots_.clear();
  uint64_t place = 0;
  for (const Candidate& found : query.results) {
    const float score =
        is_similarity ? segment::score_of(distance, found.similarity) : found.similarity;
    if (request_.score_threshold &&
        !(is_similarity ? segment::passes(distance, score, *request_.score_threshold)
                        : score >= *request_.score_threshold)) {
      break;  // those that follow are worse
    }
    if (place++ >= request_.offset) {
      add_hit(rows, found.row, score);
    }
  }
  return rows;
}

}  // namespace asyncstore::engine
