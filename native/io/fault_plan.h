// Faults by name, so that a test in Python can ask for them.
#pragma once

#include <string_view>

#include "base/result.h"
#include "io/fault_reader.h"

namespace asyncstore::io {

// "io_error@3,end_of_file@5,delay@0,reorder@42": the fault for the k-th request that lands; the
// number of reorder is the seed.
base::Result<FaultPlan> parse_fault_plan(std::string_view text);

}  // namespace asyncstore::io
