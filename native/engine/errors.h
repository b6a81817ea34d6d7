// Errors that several parts of the engine answer with.
#pragma once

#include <string>

#include "base/result.h"

namespace asyncstore::engine {

inline base::Error store_closed() {
  return {base::Code::closed, "the store is closed"};
}

inline base::Error no_collection(const std::string& name) {
  return {base::Code::collection_not_found, "Collection `" + name + "` doesn't exist!"};
}

}  // namespace asyncstore::engine
