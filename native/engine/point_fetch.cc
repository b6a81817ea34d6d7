#include "engine/point_fetch.h"

#include <thread>
#include <utility>

namespace asyncstore::engine {

using base::Bytes;
using base::Error;

namespace {
constexpr uint32_t k_payload_index = uint32_t{1} << 31;  // vectors have the requests below
}

PointFetch::PointFetch(std::shared_ptr<Collection> collection, const With& with, size_t points)
    : collection_(std::move(collection)), with_(with) {
  if (!with.fields.empty()) {
    vectors_.emplace(collection_, with.fields, points);
  }
  if (with.payload.kind != PayloadSelection::Kind::none) {
    payloads_.emplace(collection_, with.payload, points, k_payload_index);
  }
}

std::optional<uint64_t> PointFetch::add(size_t point, uint32_t slot, const Row* known) {
  std::vector<Row> rows;
  Moment moment = look(slot);
  while (!find_rows(moment, known, rows)) {
    // The point was just written (or moved): its view is published within microseconds.
    std::this_thread::yield();
    moment = look(slot);
  }
  for (size_t field = 0; field < rows.size(); ++field) {
    if (rows[field].segment) {
      vectors_->add(field, point, rows[field].segment, rows[field].row);
    }
  }
  if (!moment.payload.ok()) {
    payloads_->fail(moment.payload.error());
  } else if (moment.payload.value()) {
    payloads_->add(point, slot, *moment.payload.value());
  }
  return moment.live ? std::optional(moment.version) : std::nullopt;
}

// The writer changes places, payload and version of a point under one hold of the lock.
PointFetch::Moment PointFetch::look(uint32_t slot) const {
  Moment moment;
  const auto lock = collection_->table().read_lock();
  moment.live = collection_->table().live(slot);
  moment.version = collection_->table().version(slot);
  for (const uint32_t field : with_.fields) {
    moment.locations.push_back(collection_->table().location(slot, field));
  }
  if (payloads_) {
    moment.payload = collection_->payload().find(slot);
  }
  return moment;
}

// A row for each field, without a segment where the point has no vector. False when a segment is
// not in the view yet.
bool PointFetch::find_rows(const Moment& moment, const Row* known, std::vector<Row>& rows) const {
  rows.clear();
  const auto view = collection_->view();
  for (size_t at = 0; at < with_.fields.size(); ++at) {
    const uint32_t field = with_.fields[at];
    const points::Location location = moment.locations[at];
    if (known != nullptr && known->field == field) {
      rows.push_back(*known);
    } else if (!location.present()) {
      rows.push_back({field, nullptr, 0});
    } else {
      const SegmentView* found = view->fields[field].find(location.segment);
      if (found == nullptr || location.row >= found->rows) {
        return false;
      }
      rows.push_back({field, found->segment, location.row});
    }
  }
  return true;
}

bool PointFetch::read(Task& task, Worker& worker) {
  std::vector<io::ReadRequest> requests;
  if (vectors_) {
    vectors_->add_requests(requests);
  }
  if (payloads_) {
    payloads_->add_requests(requests);
  }
  worker.read(task, requests);
  return !requests.empty();
}

void PointFetch::landed(const io::ReadRequest& request, Bytes data, const Error* error) {
  if (payloads_ && payloads_->owns(request)) {
    payloads_->landed(request, data, error);
  } else {
    vectors_->landed(request, data, error);
  }
}

const std::optional<Error>& PointFetch::error() const {
  static const std::optional<Error> none;
  if (vectors_ && vectors_->error()) {
    return vectors_->error();
  }
  return payloads_ ? payloads_->error() : none;
}

void PointFetch::take(Rows& rows) {
  if (vectors_) {
    rows.vectors = vectors_->take();
    for (FieldVectors& vectors : rows.vectors) {
      vectors.present.resize(rows.ids.size());
      vectors.values.resize(rows.ids.size() * vectors.dim);
    }
  }
  if (payloads_) {
    rows.payloads = payloads_->take();
    rows.payloads.resize(rows.ids.size());
  }
}

}  // namespace asyncstore::engine
