// What statistics() gives, as dicts.
#pragma once

#include <nanobind/nanobind.h>

#include "engine/engine.h"
#include "engine/opening.h"

namespace asyncstore::python {

nanobind::dict opening_progress(const engine::Opening& opening);
nanobind::dict store_statistics(engine::Engine& engine);
nanobind::dict collection_statistics(const engine::Collection& collection);

}  // namespace asyncstore::python
