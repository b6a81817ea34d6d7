// Reading payloads, and vectors that are kept as values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/collection.h"
#include "engine/worker.h"
#include "payload/path.h"

namespace asyncstore::engine {

// What of a payload a reply returns.
struct PayloadSelection {
  // group_keys: what filter::group_keys() says of the one path, as a text.
  enum class Kind : uint8_t { none, all, include, exclude, group_keys };
  Kind kind = Kind::none;
  std::vector<payload::Path> paths;
};

// Values of one store, one a point; empty where the point has none.
struct FetchedValues {
  std::vector<uint8_t> present;
  std::vector<std::vector<std::byte>> values;
};

// Gathers values of several points and stores, reads them in one wave, and takes from each payload
// what is wanted as it lands. Belongs to one task, which holds a view; its requests have indices
// from `first_index` on.
class ValueFetch {
 public:
  ValueFetch(std::shared_ptr<Collection> collection, size_t points, uint32_t first_index);

  // Before any value: reads this store of the collection; `selection` is for payload, else null.
  void add_store(size_t store, const PayloadSelection* selection);
  // The value that result `point` has in the store added as number `column` is this one of its
  // slot. An empty one is there at once.
  void add(size_t column, size_t point, uint32_t slot, const gridstore::Entry& entry);
  // The same where what is wanted of the value is known already.
  void know(size_t column, size_t point, std::vector<std::byte> selected) {
    columns_[column].fetched.present[point] = 1;
    columns_[column].fetched.values[point] = std::move(selected);
  }
  void fail(base::Error error);
  void add_requests(std::vector<io::ReadRequest>& requests) const;
  // Whether the request is one of this fetch.
  bool owns(const io::ReadRequest& request) const { return request.index >= first_index_; }
  // The point whose value is whole by it, if it is.
  std::optional<size_t> landed(const io::ReadRequest& request, base::Bytes data,
                               const base::Error* error);

  const std::optional<base::Error>& error() const { return error_; }
  size_t columns() const { return columns_.size(); }
  const gridstore::Gridstore& store(size_t column) const { return *columns_[column].store; }
  FetchedValues take(size_t column) { return std::move(columns_[column].fetched); }
  std::vector<std::byte> take(size_t column, size_t point) {
    return std::move(columns_[column].fetched.values[point]);
  }

 private:
  struct Column {
    const gridstore::Gridstore* store;
    const PayloadSelection* selection;
    FetchedValues fetched;
  };
  struct Item {  // a value on its way
    size_t column;
    size_t point;
    uint32_t slot;
    gridstore::Entry entry;
    std::vector<std::byte> stored;  // of several reads
    uint32_t reads_pending;
  };
  struct Part {  // a read
    gridstore::Piece piece;
    size_t item;
    uint64_t offset;  // in Item::stored
  };
  bool arrived(const Item& item, base::Bytes stored);

  std::shared_ptr<Collection> collection_;
  size_t points_;
  uint32_t first_index_;
  std::vector<Column> columns_;
  std::vector<Item> items_;
  std::vector<Part> parts_;
  std::vector<gridstore::Piece> pieces_;  // scratch
  std::optional<base::Error> error_;
};

}  // namespace asyncstore::engine
