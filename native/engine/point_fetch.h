// Reading what a reply returns of its points: vectors and payloads, in one wave.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/collection.h"
#include "engine/completion_queue.h"
#include "engine/value_fetch.h"
#include "engine/vector_fetch.h"

namespace asyncstore::engine {

// What a request wants to see of the points of its reply.
struct With {
  std::vector<uint32_t> fields;  // vectors, by their number in the schema
  PayloadSelection payload;

  bool nothing() const { return fields.empty() && payload.kind == PayloadSelection::Kind::none; }
};

// Belongs to one task, which holds a view.
class PointFetch {
 public:
  PointFetch(std::shared_ptr<Collection> collection, const With& with, size_t points);

  // A vector whose place is known.
  struct Row {
    uint32_t field;
    std::shared_ptr<segment::Segment> segment;
    uint32_t row;
  };
  // Result `point` is the point of this slot: everything that was not known already is of one
  // moment, the moment of the version that is returned; unset when it is no more.
  std::optional<uint64_t> add(size_t point, uint32_t slot, const Row* known = nullptr);
  // Starts the reads for `task`; false when there is nothing to read.
  bool read(Task& task, Worker& worker);
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error);

  // The first that failed, if any did.
  const std::optional<base::Error>& error() const;
  // Moves what was read into the reply, for as many points as it has ids.
  void take(Rows& rows);

 private:
  // A point as it stands in the table at one moment.
  struct Moment {
    bool live = false;
    uint64_t version = 0;
    std::vector<points::Location> locations;                            // one for each dense field
    std::vector<base::Result<std::optional<gridstore::Entry>>> values;  // one for each store
    std::optional<std::vector<filter::Scalar>> group_keys;              // where an index knows them
  };
  void look(uint32_t slot);
  bool find_rows(const Row* known);
  Multivectors decoded(uint32_t multivector, FetchedValues fetched) const;

  std::shared_ptr<Collection> collection_;
  std::vector<uint32_t> dense_;  // fields whose vectors are wanted
  std::vector<uint32_t> kept_;   // vectors kept as values that are wanted, as they are numbered
  bool with_payload_;
  std::optional<VectorFetch> vectors_;
  std::optional<ValueFetch> values_;  // payload first, if wanted, then kept_
  // Knows what points are grouped by, where that is wanted of payloads; or null.
  std::shared_ptr<const fields::FieldIndex> group_index_;

  // Of the point that is being added.
  Moment moment_;
  std::vector<Row> rows_;
};

}  // namespace asyncstore::engine
