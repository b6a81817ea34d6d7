// Tests a payload against a filter: the way that needs no index.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "filter/filter.h"
#include "payload/outline.h"

namespace asyncstore::filter {

// What a filter asks of a point besides its payload.
class PointFacts {
 public:
  virtual ~PointFacts() = default;
  virtual points::PointId id() const = 0;
  virtual bool has_vector(uint32_t number) const = 0;
};

// Refers to the filter; not for two threads at once.
class Matcher {
 public:
  explicit Matcher(const Filter& filter);

  // Whether the filter looks at payload at all.
  bool needs_payload() const { return levels_ > 0; }
  // `payload` is the text of a JSON object, or empty for a point without payload (or a filter that
  // needs none). Error: it is not JSON.
  base::Result<bool> matches(base::Bytes payload, const PointFacts& facts);

 private:
  bool passes(const Filter& filter, uint32_t root);
  bool holds(const Condition& condition, uint32_t root);
  bool holds(const FieldCondition& condition, uint32_t root);
  bool holds(const Nested& condition, uint32_t root);
  bool holds(const HasId& condition, uint32_t root) const;
  bool holds(const HasVector& condition, uint32_t root) const;
  bool holds(const Slice& condition, uint32_t root) const;
  bool holds(const Filter& filter, uint32_t root) { return passes(filter, root); }
  bool holds(const Shared& one, uint32_t root) { return passes(*one.filter, root); }
  bool holds(const Test& test, const std::vector<uint32_t>& found) const;

  const Filter& filter_;
  const uint32_t levels_;
  // During matches():
  const payload::Outline* outline_ = nullptr;
  const PointFacts* facts_ = nullptr;
};

}  // namespace asyncstore::filter
