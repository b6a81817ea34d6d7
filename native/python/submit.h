// Jobs from Python to the engine. Each function gives the job's ticket, or 0 when the inbox is full
// and nothing was taken.
#pragma once

#include <nanobind/nanobind.h>

namespace asyncstore::python {

// What they bind: the class Engine's methods submit_upsert, …
void bind_writes(nanobind::handle engine_class);
void bind_reads(nanobind::handle engine_class);

}  // namespace asyncstore::python
