// The line of a search by several sparse examples.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/kept_search.h"
#include "engine/rescoring.h"
#include "engine/sparse_request.h"
#include "engine/value_fetch.h"

namespace asyncstore::sparse {
struct Snapshot;
}

namespace asyncstore::engine {

// Scores every point that passes the filter and has the vector, also where that shares no index
// with any example: its similarity is 0 then, which may be the best there is. So all of these
// vectors are read, some hundred at a time, and each is scored by all examples.
class SparseExampleSearchTask final : public KeptSearchTask {
 public:
  // The queries of the request are the examples of one.
  SparseExampleSearchTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                          SparseSearchRequest request, CompletionQueue& completions);

  Next step(Worker& worker) override;

 private:
  enum class Stage : uint8_t { start, filter, count, read, points };

  void start();
  void begin() override;
  void value_landed(const io::ReadRequest& request, base::Bytes data,
                    const base::Error* error) override;
  void count();
  bool find_slots();
  bool read_wave(Worker& worker);
  void score_wave();
  void take_results();

  SparseSearchRequest request_;

  Stage stage_ = Stage::start;
  std::shared_ptr<const sparse::Snapshot> snapshot_;
  std::vector<sparse::Query> examples_;
  size_t example_ = 0;            // whose rows are counted
  std::vector<uint64_t> counts_;  // of rows that have its indices
  uint32_t window_ = 0;           // to count or read next
  uint32_t row_ = 0;              // of it
  std::optional<Rescoring<NearerSlot>> best_;
  std::vector<uint32_t> waiting_;  // slots whose vectors are to be read
  std::vector<uint32_t> wave_;     // those that are under way
  std::optional<ValueFetch> vectors_;
  std::vector<float> similarities_;
};

}  // namespace asyncstore::engine
