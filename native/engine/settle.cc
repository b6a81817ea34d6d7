#include "engine/settle.h"

#include <set>
#include <utility>

#include "payload/payload.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Code;
using base::Error;
using base::Result;
using base::Status;
using points::PointId;

namespace {

constexpr size_t k_empty_object_bytes = 2;

Error no_point(const PointId& id) {
  return {Code::point_not_found, "No point with id " + id.text() + " found"};
}

void pick(OperationInput& operation, UpdateMode mode, const GroupPoints& points) {
  std::set<PointId>
      inserted;  // of an id that stands twice the first is inserted, the next is there
  for (uint32_t i = 0; i < operation.ids.size(); ++i) {
    const PointId& id = operation.ids[i];
    const bool update = mode == UpdateMode::update_only;
    if (points.exists(id) == update && (update || inserted.insert(id).second)) {
      operation.picked.push_back(i);
    }
  }
  operation.pick = true;
}

Result<std::vector<std::byte>> changed(const PayloadChange& change, Bytes payload) {
  using Action = PayloadChange::Action;
  if (change.action == Action::remove) {
    return payload::remove(payload, change.keys);
  }
  if (!change.path) {
    return payload::merge(payload, change.value);
  }
  return change.action == Action::merge ? payload::merge_at(payload, *change.path, change.value)
                                        : payload::replace_at(payload, *change.path, change.value);
}

}  // namespace

Status settle(WriteJob& job, GroupPoints& points) {
  OperationInput& operation = job.operation;
  if (job.mode != UpdateMode::upsert) {
    pick(operation, job.mode, points);
  }
  for (const PointId& id : operation.ids) {
    if (job.must_exist && !points.exists(id)) {
      return no_point(id);
    }
  }
  if (!job.change) {
    return {};
  }
  // A whole new payload does not look at the old one, which may be damaged.
  const bool whole = job.change->action == PayloadChange::Action::replace && !job.change->path;
  job.changed.reserve(operation.ids.size());
  for (const PointId& id : operation.ids) {
    std::vector<std::byte> before;
    if (!whole) {
      TRY_ASSIGN(before, points.payload(id));
    }
    TRY_ASSIGN(auto after, changed(*job.change, before));
    job.changed.push_back(std::move(after));
    const Bytes text = job.changed.back();
    operation.payloads.push_back(text.size() > k_empty_object_bytes ? text : Bytes());
  }
  return {};
}

}  // namespace asyncstore::engine
