// Reading the payloads that a reply returns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/collection.h"
#include "engine/worker.h"
#include "payload/path.h"

namespace asyncstore::engine {

// What of a payload a reply returns.
struct PayloadSelection {
  enum class Kind : uint8_t { none, all, include, exclude };
  Kind kind = Kind::none;
  std::vector<payload::Path> paths;
};

// JSON texts, one a point; empty: the point has no payload.
using Payloads = std::vector<std::vector<std::byte>>;

// Gathers the payloads of several points, reads them in one wave, and takes from each what is
// wanted as it lands. Belongs to one task, which holds a view; its requests have indices from
// `first_index` on.
class PayloadFetch {
 public:
  PayloadFetch(std::shared_ptr<Collection> collection, const PayloadSelection& selection,
               size_t points, uint32_t first_index);

  // The payload of result `point` is this value of its slot.
  void add(size_t point, uint32_t slot, const gridstore::Entry& entry);
  void fail(base::Error error);
  void add_requests(std::vector<io::ReadRequest>& requests) const;
  // Whether the request is one of this fetch.
  bool owns(const io::ReadRequest& request) const { return request.index >= first_index_; }
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error);

  const std::optional<base::Error>& error() const { return error_; }
  Payloads take() { return std::move(payloads_); }

 private:
  struct Item {  // a payload on its way
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
  void arrived(const Item& item, base::Bytes stored);

  std::shared_ptr<Collection> collection_;
  const PayloadSelection& selection_;
  uint32_t first_index_;
  Payloads payloads_;
  std::vector<Item> items_;
  std::vector<Part> parts_;
  std::optional<base::Error> error_;
};

}  // namespace asyncstore::engine
