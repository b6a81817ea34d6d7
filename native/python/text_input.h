// What an index of text is asked for, as the Python side hands it over.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <string>

#include "text/analyzer.h"

namespace asyncstore::python {

// Of the kind "text" a tuple (_native.pyi tells its form), of others None. Raises where it is
// something else, or where there is no such stemmer.
std::optional<text::Analyzer> analyzer_of(const std::string& kind, nanobind::handle given);

}  // namespace asyncstore::python
