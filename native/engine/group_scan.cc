#include "engine/group_scan.h"

#include <algorithm>
#include <span>
#include <utility>

#include "engine/worker.h"

namespace asyncstore::engine {

namespace {

// To find a row and to compare its code, both at random places, takes some 30 ns: a step takes
// about a tenth of a millisecond, and two workers end within a quarter of that of each other.
constexpr size_t k_stretch_slots = 512;
constexpr uint32_t k_step_stretches = 8;
// With fewer, waking another worker takes as long as it saves.
constexpr size_t k_shared_slots_min = 8 * k_stretch_slots;

constexpr uint32_t k_cache_line_bytes = 64;
// Of longer codes the rest is prefetched when they are compared.
constexpr uint32_t k_prefetch_bytes_max = 512;

// Inlined in any case: GCC leaves out the call of what only prefetches.
[[gnu::always_inline]] inline void prefetch(const uint8_t* code, uint32_t bytes) {
  const uint8_t* last = code + std::min(bytes, k_prefetch_bytes_max) - 1;
  for (; code < last; code += k_cache_line_bytes) {
    __builtin_prefetch(code);
  }
  __builtin_prefetch(last);
}

}  // namespace

// --- the scan ---

// The worker that takes part does so under the mutex, step by step.
struct GroupScan::Meeting {
  std::mutex mutex;
  std::unique_ptr<Part> part;  // the other's
  bool open = true;            // it may go on: the scan is still there
  bool begun = false;
  bool done = false;
};

class GroupScan::Help final : public Task {
 public:
  explicit Help(std::shared_ptr<Meeting> meeting) : meeting_(std::move(meeting)) {}

  Next step(Worker&) override {
    const std::lock_guard lock(meeting_->mutex);
    if (!meeting_->open) {
      return Next::done;
    }
    meeting_->begun = true;
    meeting_->done = meeting_->part->step();
    return meeting_->done ? Next::done : Next::again;
  }
  void landed(const io::ReadRequest&, base::Bytes, const base::Error*) override {}
  // The store closes: so the scan is given up as well.
  void abandon(const base::Error&) override {}

 private:
  const std::shared_ptr<Meeting> meeting_;
};

GroupScan::GroupScan(std::vector<Group> groups, const GroupQuery& query, const RowFinder& finder)
    : query_(query), finder_(finder) {
  for (Group& group : groups) {
    slots_.insert(slots_.end(), group.slots.begin(), group.slots.end());
    ends_.push_back(slots_.size());
    known_.push_back(std::move(group.known));
  }
  own_ = std::make_unique<Part>(*this);
}

GroupScan::~GroupScan() {
  if (meeting_) {
    const std::lock_guard lock(meeting_->mutex);
    meeting_->open = false;
  }
}

void GroupScan::share(Worker& worker) {
  if (slots_.size() < k_shared_slots_min || !query_.codes.is_shareable()) {
    return;
  }
  meeting_ = std::make_shared<Meeting>();
  meeting_->part = std::make_unique<Part>(*this);
  worker.share(std::make_unique<Help>(meeting_));
}

bool GroupScan::step() {
  if (!own_->step()) {
    return false;
  }
  const Part* other = nullptr;
  if (meeting_) {
    const std::unique_lock lock(meeting_->mutex, std::try_to_lock);
    if (!lock || (meeting_->begun && !meeting_->done)) {
      return false;  // it is at its last stretch
    }
    meeting_->open = false;
    other = meeting_->begun ? meeting_->part.get() : nullptr;
  }
  own_->finish(other);
  return true;
}

std::span<const uint32_t> GroupScan::slots(size_t group) const {
  const size_t first = group == 0 ? 0 : ends_[group - 1];
  return std::span(slots_).subspan(first, ends_[group] - first);
}

std::vector<std::vector<Candidate>> GroupScan::take() const {
  std::vector<std::vector<Candidate>> taken;
  taken.reserve(own_->best().size());
  for (const GroupBest& best : own_->best()) {
    taken.push_back(best.candidates());
  }
  return taken;
}

// --- what one worker does ---

GroupScan::Part::Part(GroupScan& scan)
    : scan_(scan), finder_(scan.finder_), waiting_(finder_.field().segments.size()) {
  for (size_t i = 0; i < waiting_.size(); ++i) {
    const segment::Segment& segment = *finder_.field().segments[i].segment;
    waiting_[i].codes = segment.codes(0);
    waiting_[i].code_bytes = segment.quantizer()->code_bytes();
  }
  best_.reserve(scan_.known_.size());
  for (const std::vector<Candidate>& known : scan_.known_) {
    best_.emplace_back(known, scan_.query_, errors_);
  }
}

bool GroupScan::Part::step() {
  for (uint32_t i = 0; i < k_step_stretches; ++i) {
    const size_t begin = scan_.next_.fetch_add(k_stretch_slots, std::memory_order_relaxed);
    if (begin >= scan_.slots_.size()) {
      compare_waiting();
      return true;
    }
    look_at(begin, std::min(scan_.slots_.size(), begin + k_stretch_slots));
  }
  return false;
}

void GroupScan::Part::look_at(size_t begin, size_t end) {
  const std::vector<size_t>& ends = scan_.ends_;
  auto group =
      static_cast<uint32_t>(std::upper_bound(ends.begin(), ends.end(), begin) - ends.begin());
  finder_.find(std::span(scan_.slots_).subspan(begin, end - begin),
               [&](size_t i, RowFinder::Place place) {
                 while (begin + i >= ends[group]) {
                   ++group;
                 }
                 wait_for(scan_.slots_[begin + i], place, group);
               });
}

void GroupScan::Part::finish(const Part* other) {
  if (other != nullptr) {
    finder_.take_moved(other->finder_);
    for (size_t group = 0; group < best_.size(); ++group) {
      for (const Candidate& candidate : other->best_[group].candidates()) {
        best_[group].add(candidate);
      }
    }
  }
  find_moved();
  compare_waiting();
}

void GroupScan::Part::find_moved() {
  finder_.find_moved([&](uint32_t slot, RowFinder::Place place) {
    for (uint32_t group = 0; group < best_.size(); ++group) {
      const std::span<const uint32_t> of_group = scan_.slots(group);
      if (std::binary_search(of_group.begin(), of_group.end(), slot)) {
        wait_for(slot, place, group);
      }
    }
  });
}

void GroupScan::Part::wait_for(uint32_t slot, RowFinder::Place place, uint32_t group) {
  const GroupQuery& query = scan_.query_;
  if (!query.admitted.has(place.segment, place.row) ||
      std::binary_search(query.excluded.begin(), query.excluded.end(), slot)) {
    return;
  }
  Waiting& waiting = waiting_[place.segment];
  prefetch(waiting.codes + size_t{place.row} * waiting.code_bytes, waiting.code_bytes);
  waiting.rows[waiting.count] = place.row;
  waiting.groups[waiting.count] = group;
  ++waiting.count;
  if (waiting.count == waiting.rows.size()) {
    compare(place.segment, waiting.count / 2);
  }
}

void GroupScan::Part::compare_waiting() {
  for (uint32_t segment = 0; segment < waiting_.size(); ++segment) {
    if (waiting_[segment].count > 0) {
      compare(segment, waiting_[segment].count);
    }
  }
}

// The first of those that wait.
void GroupScan::Part::compare(uint32_t segment, uint32_t count) {
  Waiting& waiting = waiting_[segment];
  float estimates[index::k_list_rows_max];
  scan_.query_.codes.estimates(0, segment, {waiting.rows.data(), count}, estimates);
  for (uint32_t i = 0; i < count; ++i) {
    best_[waiting.groups[i]].add({estimates[i], segment, waiting.rows[i]});
  }
  std::copy(waiting.rows.begin() + count, waiting.rows.begin() + waiting.count,
            waiting.rows.begin());
  std::copy(waiting.groups.begin() + count, waiting.groups.begin() + waiting.count,
            waiting.groups.begin());
  waiting.count -= count;
}

}  // namespace asyncstore::engine
