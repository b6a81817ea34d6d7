#include "engine/vector_fetch.h"

#include <utility>

#include "base/crc32c.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;
using base::Status;
using segment::Segment;

io::ReadRequest row_request(const Segment& segment, uint32_t row, uint32_t index) {
  return {&segment.source(), segment.layout().offset(row), segment.layout().row_bytes(), index,
          nullptr};
}

Status check_row(const Segment& segment, uint32_t row, Bytes data) {
  if (base::crc32c(data) == segment.crc(row)) {
    return {};
  }
  return base::corruption(segment.source().path(), segment.layout().offset(row),
                          "a vector does not match its checksum");
}

Error row_error(const io::ReadRequest& request, const Error& error) {
  const bool ended = error.code == base::Code::io && error.os_errno == 0;
  return ended ? base::corruption(request.source->path(), request.offset,
                                  "the file ends before this row")
               : error;
}

VectorFetch::VectorFetch(std::shared_ptr<Collection> collection, std::vector<uint32_t> fields,
                         size_t points)
    : collection_(std::move(collection)), fields_(std::move(fields)) {
  for (const uint32_t field : fields_) {
    const auto& described = collection_->fields()[field];
    codecs_.emplace_back(described);
    vectors_.push_back({field, described.dim, std::vector<uint8_t>(points),
                        std::vector<float>(points * described.dim)});
  }
}

void VectorFetch::add(size_t field, size_t point, const std::shared_ptr<Segment>& segment,
                      uint32_t row) {
  items_.push_back({segment, row, static_cast<uint32_t>(field), point});
}

void VectorFetch::add_requests(std::vector<io::ReadRequest>& requests) const {
  requests.reserve(requests.size() + items_.size());
  for (uint32_t i = 0; i < items_.size(); ++i) {
    requests.push_back(row_request(*items_[i].segment, items_[i].row, i));
  }
}

void VectorFetch::landed(const io::ReadRequest& request, Bytes data, const Error* error) {
  const Item& item = items_[request.index];
  Status status = error != nullptr ? Status(row_error(request, *error))
                                   : check_row(*item.segment, item.row, data);
  if (!status.ok()) {
    error_ = error_ ? error_ : std::move(status.error());
    return;
  }
  FieldVectors& vectors = vectors_[item.field];
  vectors.present[item.point] = 1;
  codecs_[item.field].decode(data.data(), vectors.values.data() + item.point * vectors.dim);
}

}  // namespace asyncstore::engine
