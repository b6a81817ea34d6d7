#include "engine/index_build.h"

#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/crew.h"
#include "engine/errors.h"

namespace asyncstore::engine {

using base::Result;
using base::Status;

namespace {

constexpr uint32_t k_portion_slots = 1024;
// So many are read once more on the writer: a few milliseconds.
constexpr size_t k_last_changes = 1000;

class IndexBuild {
 public:
  IndexBuild(Collection& collection, const std::shared_ptr<PayloadIndex>& index)
      : collection_(collection), index_(index), list_{index}, indexed_(list_) {}

  Status read_all(const std::function<bool()>& stopping);
  Status read_changed(const std::vector<uint32_t>& slots);
  const std::shared_ptr<fields::FieldIndex>& content() const { return content_; }

 private:
  // What the slot holds now; without flags where it has no point.
  Result<fields::Values> values(uint32_t slot) const;
  Status read_portion(uint32_t begin, uint32_t end, fields::FieldBuilder& builder);

  Collection& collection_;
  const std::shared_ptr<PayloadIndex>& index_;
  const FieldIndexes::List list_;
  const IndexedValues indexed_;
  std::mutex mutex_;  // the builder, and the first error
  std::shared_ptr<fields::FieldIndex> content_;
};

Result<fields::Values> IndexBuild::values(uint32_t slot) const {
  {
    const auto lock = collection_.table().read_lock();
    if (!collection_.table().live(slot)) {
      return fields::Values{};
    }
  }
  std::vector<fields::Values> values;
  TRY(indexed_.read(collection_.values().payload(), slot, values));
  return std::move(values.front());
}

Status IndexBuild::read_portion(uint32_t begin, uint32_t end, fields::FieldBuilder& builder) {
  std::vector<std::pair<uint32_t, fields::Values>> found;
  found.reserve(end - begin);
  for (uint32_t slot = begin; slot < end; ++slot) {
    TRY_ASSIGN(auto values, this->values(slot));
    if (values.flags.has(fields::Flag::present)) {
      found.emplace_back(slot, std::move(values));
    }
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [slot, values] : found) {
    builder.set(slot, values);
  }
  return {};
}

Status IndexBuild::read_all(const std::function<bool()>& stopping) {
  fields::FieldBuilder builder(index_->definition().schema);
  const uint32_t slots = collection_.table().slot_count();
  const std::string what = "indexing '" + index_->definition().schema.key + "'";
  Status failed;
  base::Crew crew(std::max(1U, std::thread::hardware_concurrency()));
  const auto read = [&](uint32_t, uint32_t begin, uint32_t end) {
    Status status = read_portion(begin, end, builder);
    const std::lock_guard lock(mutex_);
    if (failed.ok() && !status.ok()) {
      failed = std::move(status);
    }
  };
  const auto go_on = [&](uint32_t begun) {
    collection_.set_indexing({"indexing", begun, slots, what});
    const std::lock_guard lock(mutex_);
    return failed.ok() && !index_->dropped() && !stopping();
  };
  const bool all = crew.run(slots, k_portion_slots, read, go_on);
  TRY(std::move(failed));
  if (all) {
    content_ = builder.build();
  }
  return {};
}

Status IndexBuild::read_changed(const std::vector<uint32_t>& slots) {
  for (const uint32_t slot : slots) {
    TRY_ASSIGN(const auto values, this->values(slot));
    content_->set(slot, values);
  }
  return {};
}

}  // namespace

Status build_index(Collection& collection, Writer& writer,
                   const std::shared_ptr<PayloadIndex>& index,
                   const std::function<bool()>& stopping) {
  if (index->content() || index->dropped()) {
    return {};
  }
  IndexBuild build(collection, index);
  index->begin_build();
  Status status = build.read_all(stopping);
  bool used = false;
  while (status.ok() && build.content() && !used && !index->dropped()) {
    const std::vector<uint32_t> changed = index->take_changed();
    if (changed.size() > k_last_changes) {
      status = build.read_changed(changed);
      continue;
    }
    // Between two groups, so that nothing changes any more before the index is in use.
    const std::function<void()> begin_use = [&] {
      status = build.read_changed(changed);
      const std::vector<uint32_t> last = index->take_changed();
      status = status.ok() ? build.read_changed(last) : std::move(status);
      used = status.ok();
      if (used) {
        index->begin_use(build.content());
      }
    };
    if (!writer.run(begin_use)) {
      status = store_closed();
    }
  }
  index->end_build();
  collection.set_indexing({});
  TRY(std::move(status));
  return used || index->dropped() ? Status() : Status(store_closed());
}

}  // namespace asyncstore::engine
