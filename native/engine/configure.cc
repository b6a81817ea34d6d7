// COLLECTION, replaced as a whole.
#include <utility>

#include "engine/collection.h"
#include "engine/framed_file.h"

namespace asyncstore::engine {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

CollectionFile Collection::file() const {
  const std::lock_guard lock(config_mutex_);
  return file_;
}

std::vector<std::byte> Collection::config() const {
  const std::lock_guard lock(config_mutex_);
  return file_.config;
}

OptimizerSettings Collection::optimizers() const {
  const std::lock_guard lock(config_mutex_);
  return file_.optimizers.over(options_.optimizers);
}

Result<bool> Collection::replace_config(const std::vector<std::byte>& expected,
                                        std::vector<std::byte> config,
                                        const OptimizerOverrides& optimizers) {
  const std::lock_guard lock(file_mutex_);
  if (config_failure_) {
    return *config_failure_;
  }
  const CollectionFile before = file();
  if (before.config != expected) {
    return false;
  }
  CollectionFile after = before;
  after.config = std::move(config);
  after.optimizers = optimizers;
  const std::string path = folder_ + "/COLLECTION";
  Status replaced = io::replace_file(*storage_, path, encode(after));
  if (!replaced.ok()) {
    if (!stands(*storage_, path, encode(before))) {
      config_failure_ = Error{Code::failed, "changing collection '" + name() +
                                                "' stopped: " + replaced.error().message +
                                                ". Open the store again to change it."};
    }
    return std::move(replaced.error());
  }
  const std::lock_guard config_lock(config_mutex_);
  file_.config = std::move(after.config);
  file_.optimizers = optimizers;
  config_version_.fetch_add(1, std::memory_order_release);
  return true;
}

Status Collection::rewrite_file() {
  const std::lock_guard lock(file_mutex_);
  return io::replace_file(*storage_, folder_ + "/COLLECTION", encode(file()));
}

}  // namespace asyncstore::engine
