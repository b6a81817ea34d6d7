#include "engine/value_fetch.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "engine/vector_fetch.h"
#include "filter/group_keys.h"
#include "payload/payload.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;
using base::Status;

namespace {

base::Result<std::vector<std::byte>> group_keys(Bytes payload, const payload::Path& path) {
  TRY_ASSIGN(const auto keys, filter::group_keys(payload, path));
  return filter::group_keys_text(keys);
}

base::Result<std::vector<std::byte>> select(const PayloadSelection& selection, Bytes payload) {
  switch (selection.kind) {
    case PayloadSelection::Kind::include:
      return payload::include(payload, selection.paths);
    case PayloadSelection::Kind::exclude:
      return payload::exclude(payload, selection.paths);
    case PayloadSelection::Kind::group_keys:
      return group_keys(payload, selection.paths.front());
    case PayloadSelection::Kind::none:
    case PayloadSelection::Kind::all:
      break;
  }
  return std::vector<std::byte>(payload.begin(), payload.end());
}

}  // namespace

ValueFetch::ValueFetch(std::shared_ptr<Collection> collection, size_t points, uint32_t first_index)
    : collection_(std::move(collection)), points_(points), first_index_(first_index) {}

void ValueFetch::add_store(size_t store, const PayloadSelection* selection) {
  columns_.push_back(
      {&collection_->values()[store],
       selection,
       {std::vector<uint8_t>(points_), std::vector<std::vector<std::byte>>(points_)}});
}

void ValueFetch::add(size_t column, size_t point, uint32_t slot, const gridstore::Entry& entry) {
  pieces_.clear();
  columns_[column].store->pieces(entry, pieces_);
  Item item{column, point, slot, entry, {}, 0};
  uint64_t offset = 0;
  for (gridstore::Piece piece : pieces_) {
    while (piece.length > 0) {
      gridstore::Piece read = piece;
      read.length = std::min(piece.length, base::k_read_bytes_max);
      parts_.push_back({read, items_.size(), offset});
      ++item.reads_pending;
      offset += read.length;
      piece.offset += read.length;
      piece.length -= read.length;
    }
  }
  if (item.reads_pending > 1) {
    item.stored.resize(offset);
  }
  if (item.reads_pending == 0) {
    arrived(item, {});
  }
  items_.push_back(std::move(item));
}

void ValueFetch::add_requests(std::vector<io::ReadRequest>& requests) const {
  for (uint32_t i = 0; i < parts_.size(); ++i) {
    const gridstore::Piece& piece = parts_[i].piece;
    requests.push_back({piece.source, piece.offset, piece.length, first_index_ + i, nullptr});
  }
}

std::optional<size_t> ValueFetch::landed(const io::ReadRequest& request, Bytes data,
                                         const Error* error) {
  const Part& part = parts_[request.index - first_index_];
  Item& item = items_[part.item];
  --item.reads_pending;
  if (error != nullptr) {
    fail(row_error(request, *error));
    return std::nullopt;
  }
  bool whole = false;
  if (item.stored.empty()) {
    whole = arrived(item, data);
  } else {
    std::memcpy(item.stored.data() + part.offset, data.data(), data.size());
    if (item.reads_pending == 0) {
      whole = arrived(item, std::exchange(item.stored, {}));
    }
  }
  return whole ? std::optional(item.point) : std::nullopt;
}

bool ValueFetch::arrived(const Item& item, Bytes stored) {
  Column& column = columns_[item.column];
  std::vector<std::byte>& target = column.fetched.values[item.point];
  column.fetched.present[item.point] = 1;
  Status decoded = column.store->decode(item.slot, item.entry, stored, target);
  if (!decoded.ok()) {
    fail(std::move(decoded.error()));
    return false;
  }
  const PayloadSelection* selection = column.selection;
  if (selection == nullptr || selection->kind == PayloadSelection::Kind::all) {
    return true;
  }
  auto selected = select(*selection, target);
  if (!selected.ok()) {
    fail(std::move(selected.error()));
    return false;
  }
  target = std::move(selected.value());
  return true;
}

void ValueFetch::fail(Error error) {
  if (!error_) {
    error_ = std::move(error);
  }
}

}  // namespace asyncstore::engine
