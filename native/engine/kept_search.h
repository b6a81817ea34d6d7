// What searches by vectors that are kept as values have in common.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/batch_join.h"
#include "engine/collection.h"
#include "engine/filtering.h"
#include "engine/point_fetch.h"
#include "engine/stage_clock.h"
#include "engine/task.h"

namespace asyncstore::engine {

// Answers one query, or a part of a batch: then the queries are number first_query and on. How
// points are found is left to who derives from it.
class KeptSearchTask : public Task {
 public:
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) final;
  void abandon(const base::Error& error) final;

 protected:
  // What is read and kept at once: values, and their bytes unless a single one has more.
  static constexpr size_t k_wave_max = 256;
  static constexpr uint64_t k_wave_bytes_max = 4 << 20;

  KeptSearchTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                 CompletionQueue& completions, std::shared_ptr<BatchJoin> join,
                 uint64_t first_query);

  // What comes when it is known which points pass.
  virtual void begin() = 0;
  // A part of a value that a search has asked for.
  virtual void value_landed(const io::ReadRequest& request, base::Bytes data,
                            const base::Error* error) = 0;
  // Takes a view; the slots of points found from here on keep their points. With a filter
  // filter() comes next.
  void look(std::span<const points::PointId> excluded,
            const std::shared_ptr<const filter::Filter>& filter);
  // Finds passing_ and then begins, or answers with an error.
  Next filter(Worker& worker);
  // Of `all` points, how many of the best are wanted: at least 1.
  static uint64_t wanted_of(uint64_t all, uint64_t limit, uint64_t offset);
  // Whether to begin anew, as a value that was read is not the one that was found: three times at
  // most.
  bool must_repeat();
  // Adds a result of the query at hand, the better first.
  void add_hit(Rows& rows, uint32_t slot, float score);
  // Vectors and payloads of the last query's results, if they are asked for; then answers.
  Next read_points(Worker& worker, const With& with);
  Next answer(Worker& worker);
  void fail(base::Error error);

  const std::shared_ptr<Collection> collection_;
  std::shared_ptr<const View> view_;
  std::vector<uint32_t> excluded_;  // slots, ascending
  std::optional<Filtering> filtering_;
  FilterCache::Passing passing_;  // null: all, unless filter() was done
  std::vector<Rows> results_;     // one for each query
  std::vector<uint32_t> slots_;   // of the last of them
  std::optional<PointFetch> fetch_;
  std::optional<base::Error> error_;
  StageClock stages_;
  bool has_changed_ = false;  // a value that was read is not the one that was found
  uint64_t candidates_count_ = 0;
  uint64_t rescored_ = 0;
  uint64_t skipped_ = 0;

 private:
  const uint64_t ticket_;
  CompletionQueue& completions_;
  const std::shared_ptr<BatchJoin> join_;
  bool is_filtering_ = false;
  uint32_t repeats_ = 0;
  const uint64_t first_query_;
};

}  // namespace asyncstore::engine
