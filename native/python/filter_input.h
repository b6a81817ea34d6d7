// Filters as the Python side hands them over.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "filter/filter.h"
#include "python/long_filter.h"

namespace asyncstore::engine {
class Collection;
}

namespace asyncstore::python {

// None, a LongFilter, or nested tuples that asyncstore/filter makes (_native.pyi tells the form);
// anything else raises, saying what is wrong with it.
std::shared_ptr<const filter::Filter> filter_of(const engine::Collection& collection,
                                                nanobind::handle given);

// The filter in nested tuples as one to be passed on; what is long in it is taken.
LongFilter long_filter_of(nanobind::handle given);
// Conditions and values of a list.
void add_conditions(LongConditions& conditions, nanobind::handle list);
void add_values(LongValues& values, nanobind::handle list);

}  // namespace asyncstore::python
