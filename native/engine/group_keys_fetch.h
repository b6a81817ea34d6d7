// What points are grouped by, of the hits of a search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/collection.h"
#include "engine/value_fetch.h"
#include "filter/filter.h"
#include "payload/path.h"

namespace asyncstore::engine {

// The group keys of some points: by an index of the path where it knows them, else by their
// payloads, in one wave. Belongs to one task, which holds a view.
class GroupKeysFetch {
 public:
  using Keys = std::vector<filter::Scalar>;

  // The path outlives it; the index may be null.
  GroupKeysFetch(std::shared_ptr<Collection> collection,
                 std::shared_ptr<const fields::FieldIndex> index, const payload::Path& path,
                 size_t points);

  void add(size_t point, uint32_t slot);
  // Starts the reads for `task`; false when there is nothing to read.
  bool read(Task& task, Worker& worker);
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) {
    payloads_.landed(request, data, error);
  }
  // Of each point, in the order of its payload; none where there is no point any more.
  base::Result<std::vector<Keys>> take();

 private:
  std::shared_ptr<Collection> collection_;
  std::shared_ptr<const fields::FieldIndex> index_;
  const payload::Path& path_;
  ValueFetch payloads_;
  std::vector<std::optional<Keys>> known_;
};

}  // namespace asyncstore::engine
