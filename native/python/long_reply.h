// What of a reply is too long to become Python's in one go.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace asyncstore::python {

// Elements that become objects a slice at a time, when Python asks for them: it has len(), slices
// and tolist() in common with an array. Copies share the elements. With the GIL only.
template <typename T>
class LongReply {
 public:
  explicit LongReply(std::vector<T> elements)
      : held_(std::make_shared<std::vector<T>>(std::move(elements))), part_(*held_) {}

  size_t size() const { return part_.size(); }
  std::span<T> elements() const { return part_; }
  LongReply operator[](const nanobind::slice& wanted) const {
    const auto [start, stop, step, length] = wanted.compute(part_.size());
    if (step != 1) {
      throw nanobind::value_error("a slice of a reply has the step 1");
    }
    LongReply result = *this;
    result.part_ = part_.subspan(static_cast<size_t>(start), length);
    return result;
  }

 private:
  std::shared_ptr<std::vector<T>> held_;
  std::span<T> part_;
};

// Binds it; make() gives the object for an element, from which it may move.
template <typename T, typename Make>
void bind_long_reply(nanobind::module_& module, const char* name, Make make) {
  nanobind::class_<LongReply<T>>(module, name)
      .def("__len__", &LongReply<T>::size)
      .def("__getitem__", &LongReply<T>::operator[])
      .def("tolist", [make](const LongReply<T>& self) {
        nanobind::list result;
        for (T& element : self.elements()) {
          result.append(make(element));
        }
        return result;
      });
}

}  // namespace asyncstore::python
