#include "engine/point_fetch.h"

#include <thread>
#include <utility>

#include "filter/group_keys.h"
#include "multivector/multivector.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;

namespace {
constexpr uint32_t k_value_index = uint32_t{1} << 31;  // dense vectors have the requests below
}

PointFetch::PointFetch(std::shared_ptr<Collection> collection, const With& with, size_t points)
    : collection_(std::move(collection)),
      with_payload_(with.payload.kind != PayloadSelection::Kind::none) {
  const uint32_t dense = collection_->schema().dense();
  for (const uint32_t field : with.fields) {
    if (field < dense) {
      dense_.push_back(field);
    } else {
      kept_.push_back(field - dense);
    }
  }
  if (!dense_.empty()) {
    vectors_.emplace(collection_, dense_, points);
  }
  if (with_payload_ || !kept_.empty()) {
    values_.emplace(collection_, points, k_value_index);
    if (with_payload_) {
      values_->add_store(0, &with.payload);
      if (with.payload.kind == PayloadSelection::Kind::group_keys) {
        group_index_ = collection_->indexes().find(with.payload.paths.front());
      }
    }
    for (const uint32_t number : kept_) {
      values_->add_store(1 + number, nullptr);
    }
  }
}

std::optional<uint64_t> PointFetch::add(size_t point, uint32_t slot, const Row* known) {
  look(slot);
  while (!find_rows(known)) {
    // The point was just written (or moved): its view is published within microseconds.
    std::this_thread::yield();
    look(slot);
  }
  for (size_t field = 0; field < rows_.size(); ++field) {
    if (rows_[field].segment) {
      vectors_->add(field, point, rows_[field].segment, rows_[field].row);
    }
  }
  for (size_t column = 0; column < moment_.values.size(); ++column) {
    const auto& found = moment_.values[column];
    if (column == 0 && moment_.group_keys) {
      values_->know(column, point, filter::group_keys_text(*moment_.group_keys));
    } else if (!found.ok()) {
      values_->fail(found.error());
    } else if (found.value()) {
      values_->add(column, point, slot, *found.value());
    }
  }
  return moment_.live ? std::optional(moment_.version) : std::nullopt;
}

// The writer changes places, values and version of a point under one hold of the lock.
void PointFetch::look(uint32_t slot) {
  moment_.locations.clear();
  moment_.values.clear();
  const auto lock = collection_->table().read_lock();
  moment_.live = collection_->table().live(slot);
  moment_.version = collection_->table().version(slot);
  for (const uint32_t field : dense_) {
    moment_.locations.push_back(collection_->table().location(slot, field));
  }
  moment_.group_keys = group_index_ ? group_index_->group_keys(slot) : std::nullopt;
  for (size_t column = 0; values_ && column < values_->columns(); ++column) {
    moment_.values.push_back(values_->store(column).find(slot));
  }
}

// A row for each field, without a segment where the point has no vector. False when a segment is
// not in the view yet.
bool PointFetch::find_rows(const Row* known) {
  rows_.clear();
  const auto view = collection_->view();
  for (size_t at = 0; at < dense_.size(); ++at) {
    const uint32_t field = dense_[at];
    const points::Location location = moment_.locations[at];
    if (known != nullptr && known->field == field) {
      rows_.push_back(*known);
    } else if (!location.present()) {
      rows_.push_back({field, nullptr, 0});
    } else {
      const SegmentView* found = view->fields[field].find(location.segment);
      if (found == nullptr || location.row >= found->rows) {
        return false;
      }
      rows_.push_back({field, found->segment, location.row});
    }
  }
  return true;
}

bool PointFetch::read(Task& task, Worker& worker) {
  std::vector<io::ReadRequest> requests;
  if (vectors_) {
    vectors_->add_requests(requests);
  }
  if (values_) {
    values_->add_requests(requests);
  }
  worker.read(task, requests);
  return !requests.empty();
}

void PointFetch::landed(const io::ReadRequest& request, Bytes data, const Error* error) {
  if (values_ && values_->owns(request)) {
    values_->landed(request, data, error);
  } else {
    vectors_->landed(request, data, error);
  }
}

const std::optional<Error>& PointFetch::error() const {
  static const std::optional<Error> none;
  if (vectors_ && vectors_->error()) {
    return vectors_->error();
  }
  return values_ ? values_->error() : none;
}

void PointFetch::take(Rows& rows) {
  const size_t points = rows.ids.size();
  if (vectors_) {
    rows.vectors = vectors_->take();
    for (FieldVectors& vectors : rows.vectors) {
      vectors.present.resize(points);
      vectors.values.resize(points * vectors.dim);
    }
  }
  size_t column = 0;
  if (with_payload_) {
    rows.payloads = values_->take(column++).values;
    rows.payloads.resize(points);
  }
  const Schema schema = collection_->schema();
  for (const uint32_t number : kept_) {
    FetchedValues fetched = values_->take(column++);
    fetched.present.resize(points);
    fetched.values.resize(points);
    if (number < schema.sparse) {
      rows.sparse.push_back(
          {schema.dense() + number, std::move(fetched.present), std::move(fetched.values)});
    } else {
      rows.multivectors.push_back(decoded(number - schema.sparse, std::move(fetched)));
    }
  }
}

Multivectors PointFetch::decoded(uint32_t multivector, FetchedValues fetched) const {
  const Schema schema = collection_->schema();
  const segment::Field& field = schema.multivectors[multivector];
  const segment::RowCodec codec(field);
  Multivectors all{
      schema.dense() + schema.sparse + multivector, field.dim, std::move(fetched.present), {0}, {}};
  for (const auto& value : fetched.values) {
    multivector::decode(field, codec, value, all.rows);
    all.offsets.push_back(all.rows.size() / field.dim);
  }
  return all;
}

}  // namespace asyncstore::engine
