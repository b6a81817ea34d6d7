// Reading the vectors that a reply returns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/collection.h"
#include "engine/worker.h"

namespace asyncstore::engine {

// Gathers rows of several fields, and decodes each as it lands. Belongs to one task.
class VectorFetch {
 public:
  VectorFetch(std::shared_ptr<Collection> collection, std::vector<uint32_t> fields, size_t points);

  const std::vector<uint32_t>& fields() const { return fields_; }
  // The vector of `field` (place in fields()) of result `point` lies in this row.
  void add(size_t field, size_t point, const std::shared_ptr<segment::Segment>& segment,
           uint32_t row);
  // Indexed from 0.
  void add_requests(std::vector<io::ReadRequest>& requests) const;
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error);

  const std::optional<base::Error>& error() const { return error_; }
  std::vector<FieldVectors> take() { return std::move(vectors_); }

 private:
  struct Item {
    std::shared_ptr<segment::Segment> segment;
    uint32_t row;
    uint32_t field;
    size_t point;
  };
  std::shared_ptr<Collection> collection_;
  std::vector<uint32_t> fields_;
  std::vector<segment::RowCodec> codecs_;
  std::vector<FieldVectors> vectors_;
  std::vector<Item> items_;
  std::optional<base::Error> error_;
};

// The request for one row of a segment.
io::ReadRequest row_request(const segment::Segment& segment, uint32_t row, uint32_t index);
// CorruptionError naming file and place, when the row does not match its checksum.
base::Status check_row(const segment::Segment& segment, uint32_t row, base::Bytes data);
// What to answer for a row that could not be read: where the file ends too early, it is damaged.
base::Error row_error(const io::ReadRequest& request, const base::Error& error);

}  // namespace asyncstore::engine
