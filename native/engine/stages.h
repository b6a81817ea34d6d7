// How far a long work on a collection has come.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "engine/collection.h"
#include "index/graph.h"

namespace asyncstore::engine {

// Shows its stages in the collection, and says when to end.
class Stages {
 public:
  Stages(Collection& collection, const std::function<bool()>& stopping)
      : collection_(collection), stopping_(stopping) {}

  bool show(uint64_t done, uint64_t total, const std::string& what) const {
    collection_.set_progress({"optimizing", done, total, what});
    return !stopping_() && !collection_.dropped();
  }
  // The same for who reports numbers alone.
  index::Graph::Progress stage(std::string what) const {
    return [this, what = std::move(what)](uint64_t done, uint64_t total) {
      return show(done, total, what);
    };
  }

 private:
  Collection& collection_;
  const std::function<bool()>& stopping_;
};

}  // namespace asyncstore::engine
