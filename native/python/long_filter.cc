#include "python/long_filter.h"

#include <utility>

#include "python/convert.h"
#include "python/filter_input.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace asyncstore::python {

// What takes long for many is done by sort(), on a thread that does not need the GIL for it.
void bind_long_filters(nb::module_& module) {
  nb::class_<LongConditions>(module, "LongConditions")
      .def(nb::init<>())
      .def("__len__", [](const LongConditions& self) { return self.list.size(); })
      .def("reserve", [](LongConditions& self, size_t count) { self.list.reserve(count); })
      .def("extend", &add_conditions);
  nb::class_<LongValues>(module, "LongValues")
      .def(nb::init<>())
      .def("reserve", [](LongValues& self, size_t count) { self.list.reserve(count); })
      .def("extend", &add_values)
      .def(
          "sort", [](LongValues& self) { self.set.emplace(std::exchange(self.list, {})); },
          nb::call_guard<nb::gil_scoped_release>());
  nb::class_<LongIds>(module, "LongIds")
      .def(nb::init<>())
      .def("reserve", [](LongIds& self, size_t count) { self.list.reserve(count); })
      .def("extend",
           [](LongIds& self, nb::handle ids) {
             const auto more = ids_of(ids);
             self.list.insert(self.list.end(), more.begin(), more.end());
           })
      .def(
          "sort", [](LongIds& self) { std::sort(self.list.begin(), self.list.end()); },
          nb::call_guard<nb::gil_scoped_release>());
  nb::class_<LongFilter>(module, "LongFilter")
      .def("__init__", [](LongFilter* self, nb::handle given) {
        new (self) LongFilter(long_filter_of(given));
      });
}

}  // namespace asyncstore::python
