// Mending what a check found, beside everything else.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/collection.h"
#include "engine/damage.h"
#include "engine/writer.h"

namespace asyncstore::engine {

// Writes anew what is derived or held twice. Files that are written as a whole are written here;
// of the others, what is in memory is marked as changed, so that the next checkpoint writes it: it
// must follow, and makes all of this durable. After an error some of it is mended and nothing is
// lost; a failed sync has ended writing. Belongs to the maintenance thread; what the writer alone
// may change is changed there, between two groups.
class Repair {
 public:
  Repair(Collection& collection, Writer& writer) : collection_(collection), writer_(writer) {}

  base::Status mend(std::span<const Damage> damages);
  // After the checkpoint: log files that it set aside stay so.
  base::Status finish();

 private:
  using SegmentPlace = std::pair<uint32_t, uint32_t>;  // field and id

  base::Status on_writer(const std::function<base::Status()>& work);
  base::Status mend_whole_file(DamageKind kind);
  base::Status mend_segment(SegmentPlace place, std::span<const Damage* const> damages);
  base::Status rewrite_entries(segment::Segment& segment, const Damage& damage);
  base::Status follow_table(SegmentPlace place, std::span<const Damage* const> damages);
  base::Status mark_changed(const Damage& damage);
  base::Status drop_orphans(uint32_t part, std::span<const uint32_t> slots);

  Collection& collection_;
  Writer& writer_;
  bool log_ = false;  // damage in it was among the rest
};

// What a user is told of each: what is wrong there no longer, by a check of these places, was
// repaired. What the check found beside is told as well.
std::vector<Finding> outcome(std::vector<Damage> before, std::vector<Damage> after);
// The same where nothing was repaired.
std::vector<Finding> findings_of(std::vector<Damage> damages);

}  // namespace asyncstore::engine
