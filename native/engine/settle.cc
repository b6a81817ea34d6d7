#include "engine/settle.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "filter/matcher.h"
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

// A point as a filter sees it when its turn comes.
class FactsOfGroup final : public filter::PointFacts {
 public:
  FactsOfGroup(const GroupPoints& points, const PointId& id) : points_(points), id_(id) {}
  PointId id() const override { return id_; }
  bool has_vector(uint32_t number) const override { return points_.has_vector(id_, number); }

 private:
  const GroupPoints& points_;
  const PointId& id_;
};

// A point that this very job has written before, under the same id.
class FactsOfJob final : public filter::PointFacts {
 public:
  FactsOfJob(const OperationInput& operation, const Schema& schema, uint32_t index)
      : operation_(operation), schema_(schema), index_(index) {}
  PointId id() const override { return operation_.ids[index_]; }
  bool has_vector(uint32_t number) const override {
    const auto given = [&](const auto& vectors, uint32_t of) {
      return of == number && (vectors.present == nullptr || vectors.present[index_]);
    };
    return std::any_of(operation_.fields.begin(), operation_.fields.end(),
                       [&](const FieldInput& one) { return given(one, one.field); }) ||
           std::any_of(
               operation_.sparse.begin(), operation_.sparse.end(),
               [&](const SparseInput& one) { return given(one, schema_.dense() + one.sparse); }) ||
           std::any_of(operation_.multivectors.begin(), operation_.multivectors.end(),
                       [&](const MultivectorInput& one) {
                         return given(one, schema_.dense() + schema_.sparse + one.multivector);
                       });
  }

 private:
  const OperationInput& operation_;
  const Schema& schema_;
  uint32_t index_;
};

// Of those picked so far: points that pass, and, of an upsert, those that are not there.
Status pick_passing(WriteJob& job, GroupPoints& points) {
  OperationInput& operation = job.operation;
  filter::Matcher matcher(*job.filter);
  std::map<PointId, uint32_t> written;  // by this upsert; of an id that stands twice
  std::vector<uint32_t> picked;
  for (size_t at = 0; at < operation.count(); ++at) {
    const uint32_t index = operation.index(at);
    const PointId& id = operation.ids[index];
    const auto before = written.find(id);
    bool passes = operation.kind == Kind::upsert;
    if (before != written.end()) {
      const Bytes payload =
          operation.payloads.empty() ? Bytes() : operation.payloads[before->second];
      TRY_ASSIGN(passes,
                 matcher.matches(payload, FactsOfJob(operation, points.schema(), before->second)));
    } else if (points.exists(id)) {
      std::vector<std::byte> payload;
      if (matcher.needs_payload()) {
        TRY_ASSIGN(payload, points.payload(id));
      }
      TRY_ASSIGN(passes, matcher.matches(payload, FactsOfGroup(points, id)));
    }
    if (passes) {
      picked.push_back(index);
      if (operation.kind == Kind::upsert) {
        written[id] = index;
      }
    }
  }
  operation.picked = std::move(picked);
  operation.pick = true;
  return {};
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
  if (job.filter) {
    TRY(pick_passing(job, points));
  }
  if (!job.change) {
    return {};
  }
  // A whole new payload does not look at the old one, which may be damaged.
  const bool whole = job.change->action == PayloadChange::Action::replace && !job.change->path;
  job.changed.reserve(operation.count());
  operation.payloads.resize(operation.ids.size());
  for (size_t at = 0; at < operation.count(); ++at) {
    const uint32_t index = operation.index(at);
    std::vector<std::byte> before;
    if (!whole) {
      TRY_ASSIGN(before, points.payload(operation.ids[index]));
    }
    TRY_ASSIGN(auto after, changed(*job.change, before));
    job.changed.push_back(std::move(after));
    const Bytes text = job.changed.back();
    operation.payloads[index] = text.size() > k_empty_object_bytes ? text : Bytes();
  }
  return {};
}

}  // namespace asyncstore::engine
