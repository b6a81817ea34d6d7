// Settling a job by the points as they are: what depends on them becomes plain values.
#pragma once

#include "base/result.h"
#include "engine/group_points.h"
#include "engine/write_job.h"

namespace asyncstore::engine {

// Picks the ids that the mode and the filter let through, and works out the payloads of a change.
// An error leaves nothing to log: a point that must exist and does not, a payload that would grow
// too large.
base::Status settle(WriteJob& job, GroupPoints& points);

}  // namespace asyncstore::engine
