// Filters as the Python side hands them over.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "filter/filter.h"

namespace asyncstore::engine {
class Collection;
}

namespace asyncstore::python {

// None, or nested tuples that asyncstore/filter makes (its docstring tells the form); anything else
// raises, saying what is wrong with it.
std::shared_ptr<const filter::Filter> filter_of(const engine::Collection& collection,
                                                nanobind::handle given);

}  // namespace asyncstore::python
