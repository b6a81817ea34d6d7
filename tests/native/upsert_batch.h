// A write of vectors and values that owns what its job borrows, and what it makes of a model.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/write_job.h"
#include "sparse/sparse_vector.h"
#include "store_model.h"

namespace asyncstore::engine_test {

// An upsert, or with Kind::set_vectors a change of some vectors of points that are there.
class UpsertBatch {
 public:
  explicit UpsertBatch(const std::vector<segment::Field>& fields,
                       engine::Kind kind = engine::Kind::upsert,
                       engine::UpdateMode mode = engine::UpdateMode::upsert)
      : fields_(fields), kind_(kind), mode_(mode) {}

  // With the payload and the vectors of other kinds that follow from id and vectors.
  void add(const PointId& id, const Vectors& vectors) {
    add(id, vectors, derived_point(id, stored(vectors)));
  }
  // With the payload and the vectors of other kinds of `values`; set_vectors leaves out the
  // payload.
  void add(const PointId& id, const Vectors& vectors, const Point& values) {
    given_.push_back(vectors);
    points_.emplace_back(id, Point{stored(vectors), values.payload, values.sparse, values.rows});
    add_sparse(values.sparse);
    add_rows(values.rows);
  }
  // The job borrows from this; call it once everything was added.
  engine::WriteJob job() {
    engine::WriteJob job;
    engine::OperationInput& input = job.operation;
    input.kind = kind_;
    add_fields(input);
    for (const auto& [id, point] : points_) {
      input.ids.push_back(id);
      if (kind_ == engine::Kind::upsert) {
        input.payloads.emplace_back(point.payload);
      }
    }
    sparse_present_ = copied(has_sparse_);
    rows_present_ = copied(has_rows_);
    input.multivectors.push_back({0, row_offsets_.data(), rows_.data(), rows_present_.get()});
    input.sparse.push_back(
        {0, offsets_.data(), indices_.data(), sparse_values_.data(), sparse_present_.get()});
    job.mode = mode_;
    job.must_exist = kind_ == engine::Kind::set_vectors;
    return job;
  }
  void apply(Model& model) const {
    for (const auto& [id, point] : points_) {
      if ((mode_ == engine::UpdateMode::insert_only && model.contains(id)) ||
          (mode_ == engine::UpdateMode::update_only && !model.contains(id))) {
        continue;
      }
      if (kind_ == engine::Kind::upsert) {
        model[id] = point;
        continue;
      }
      Point& changed = model.at(id);
      for (const auto& [field, vector] : point.vectors) {
        changed.vectors[field] = vector;
      }
      changed.sparse = point.sparse ? point.sparse : changed.sparse;
      changed.rows = point.rows ? point.rows : changed.rows;
    }
  }

 private:
  Vectors stored(const Vectors& given) const {
    Vectors stored;
    for (const auto& [field, vector] : given) {
      stored[field] = as_stored(fields_[field], vector);
    }
    return stored;
  }
  void add_fields(engine::OperationInput& input) {
    values_.assign(fields_.size(), {});
    present_.clear();
    for (uint32_t field = 0; field < fields_.size(); ++field) {
      present_.push_back(std::make_unique<bool[]>(points_.size()));
      bool any = false;
      for (size_t i = 0; i < points_.size(); ++i) {
        const auto found = given_[i].find(field);
        const bool there = found != given_[i].end();
        present_[field][i] = there;
        any = any || there;
        const std::vector<float> nothing(fields_[field].dim);
        const auto& vector = there ? found->second : nothing;
        values_[field].insert(values_[field].end(), vector.begin(), vector.end());
      }
      if (any) {
        input.fields.push_back({field, values_[field].data(), present_[field].get()});
      }
    }
  }
  void add_sparse(const std::optional<Text>& stored) {
    has_sparse_.push_back(stored.has_value());
    const uint64_t count = stored ? sparse::elements_of(stored->size()) : 0;
    const uint64_t begin = offsets_.back();
    offsets_.push_back(begin + count);
    indices_.resize(begin + count);
    sparse_values_.resize(begin + count);
    if (count > 0) {
      std::memcpy(indices_.data() + begin, stored->data(), 4 * count);
      std::memcpy(sparse_values_.data() + begin, stored->data() + 4 * count, 4 * count);
    }
  }

  void add_rows(const std::optional<std::vector<float>>& rows) {
    has_rows_.push_back(rows.has_value());
    if (rows) {
      rows_.insert(rows_.end(), rows->begin(), rows->end());
    }
    row_offsets_.push_back(rows_.size() / multivector_field().dim);
  }
  static std::unique_ptr<bool[]> copied(const std::vector<bool>& flags) {
    auto copy = std::make_unique<bool[]>(flags.size());
    std::copy(flags.begin(), flags.end(), copy.get());
    return copy;
  }

  const std::vector<segment::Field>& fields_;
  const engine::Kind kind_;
  const engine::UpdateMode mode_;
  std::vector<Vectors> given_;
  std::vector<std::pair<PointId, Point>> points_;
  std::vector<bool> has_sparse_;
  std::unique_ptr<bool[]> sparse_present_;
  std::vector<uint64_t> offsets_ = {0};
  std::vector<uint32_t> indices_;
  std::vector<float> sparse_values_;
  std::vector<bool> has_rows_;
  std::unique_ptr<bool[]> rows_present_;
  std::vector<uint64_t> row_offsets_ = {0};
  std::vector<float> rows_;
  std::vector<std::vector<float>> values_;
  std::vector<std::unique_ptr<bool[]>> present_;
};

}  // namespace asyncstore::engine_test
