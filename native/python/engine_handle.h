// An engine as Python holds it.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>
#include <unordered_map>
#include <utility>

#include "engine/engine.h"
#include "python/convert.h"

namespace asyncstore::python {

using FloatArray = nanobind::ndarray<const float, nanobind::c_contig, nanobind::device::cpu>;
using BoolArray =
    nanobind::ndarray<const bool, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;

// An engine and the Python objects that its jobs borrow from.
class EngineHandle {
 public:
  explicit EngineHandle(std::unique_ptr<engine::Engine> engine) : engine_(std::move(engine)) {}

  engine::Engine& get() { return *engine_; }

  void close() {
    const nanobind::gil_scoped_release released;
    engine_->close();
  }

  // What a ticket borrows lives until its completion was drained.
  void keep(uint64_t ticket, nanobind::object borrowed) {
    borrowed_.emplace(ticket, std::move(borrowed));
  }

  nanobind::list drain() {
    nanobind::list result;
    for (auto& completion : engine_->completions().drain()) {
      borrowed_.erase(completion.ticket);
      if (completion.is_dropped) {
        continue;
      }
      nanobind::object value = completion.error ? to_python_error(*completion.error)
                                                : to_python(std::move(completion.value));
      result.append(nanobind::make_tuple(completion.ticket, value));
    }
    return result;
  }

 private:
  std::unique_ptr<engine::Engine> engine_;
  std::unordered_map<uint64_t, nanobind::object> borrowed_;
};

}  // namespace asyncstore::python
