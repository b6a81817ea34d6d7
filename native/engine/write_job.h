// A write on its way from the user to the log.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "engine/operation.h"
#include "filter/filter.h"
#include "payload/path.h"

namespace asyncstore::engine {

enum class UpdateMode : uint8_t {
  upsert,
  insert_only,  // points that are there stay as they are
  update_only,  // points that are not there are passed over
};

// A change that depends on the payload that a point has.
struct PayloadChange {
  enum class Action : uint8_t {
    merge,    // set the keys of `value`, in the object at `path` or the whole
    replace,  // the value at `path`, or the whole
    remove,   // the keys at `keys`
  };
  Action action = Action::merge;
  std::optional<payload::Path> path;
  base::Bytes value;  // a JSON text; borrowed
  std::vector<payload::Path> keys;
};

// What the inputs borrow lives until the ticket completes.
struct WriteJob {
  uint64_t ticket = 0;
  OperationInput operation;
  // What must be settled by the points as they are when the job's turn comes; the log gets the
  // outcome, so that replaying it needs to look at nothing.
  UpdateMode mode = UpdateMode::upsert;
  bool must_exist = false;  // a point that is not there is an error
  // Points that are there, but do not pass, stay as they are; null: all pass.
  std::shared_ptr<const filter::Filter> filter;
  std::optional<PayloadChange> change;          // makes the operation's payloads
  std::vector<std::vector<std::byte>> changed;  // that it made

  bool looks_at_points() const {
    return mode != UpdateMode::upsert || must_exist || filter || change.has_value();
  }
};

}  // namespace asyncstore::engine
