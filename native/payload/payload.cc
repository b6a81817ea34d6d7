#include "payload/payload.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "payload/edit.h"
#include "payload/limits.h"
#include "payload/outline.h"
#include "payload/projection.h"

namespace asyncstore::payload {
namespace {

// `payload` with the value at `steps` changed.
base::Result<std::vector<std::byte>> edited(base::Bytes payload, std::span<const Step> steps,
                                            Change kind, base::Bytes change);
base::Result<std::vector<std::byte>> projected(base::Bytes payload, std::span<const Path> paths,
                                               Keep keep);
base::Result<Outline> stored(base::Bytes payload, size_t levels);

}  // namespace

base::Status check(base::Bytes text) {
  TRY_ASSIGN([[maybe_unused]] const Outline outline,
             Outline::parse(text, 0, Outline::Root::object, "The payload"));
  return {};
}

base::Result<std::vector<std::byte>> merge(base::Bytes payload, base::Bytes changes) {
  return edited(payload, {}, Change::merge, changes);
}

base::Result<std::vector<std::byte>> merge_at(base::Bytes payload, const Path& path,
                                              base::Bytes changes) {
  return edited(payload, path.steps(), Change::merge, changes);
}

base::Result<std::vector<std::byte>> replace_at(base::Bytes payload, const Path& path,
                                                base::Bytes value) {
  return edited(payload, path.steps(), Change::replace, value);
}

base::Result<std::vector<std::byte>> remove(base::Bytes payload, std::span<const Path> paths) {
  return projected(payload, paths, Keep::others_in_place);
}

base::Result<std::vector<std::byte>> include(base::Bytes payload, std::span<const Path> paths) {
  return projected(payload, paths, Keep::named);
}

base::Result<std::vector<std::byte>> exclude(base::Bytes payload, std::span<const Path> paths) {
  return projected(payload, paths, Keep::others);
}

namespace {

base::Result<std::vector<std::byte>> edited(base::Bytes payload, std::span<const Step> steps,
                                            Change kind, base::Bytes change) {
  const bool merge = kind == Change::merge;
  TRY_ASSIGN(const Outline target, stored(payload, steps.size() + 1));
  TRY_ASSIGN(
      const Outline source,
      Outline::parse(change, merge ? 1 : 0, merge ? Outline::Root::object : Outline::Root::any,
                     merge ? "The change of the payload" : "The value for the payload"));
  // A value n steps below the root has n containers around it.
  if (steps.size() + source.depth() > k_payload_depth_max) {
    return base::invalid_argument(
        "The payload would be " + std::to_string(steps.size() + source.depth()) +
        " levels deep; at most " + std::to_string(k_payload_depth_max) + " are allowed.");
  }
  return Edit(target, steps, kind, source).run();
}

base::Result<std::vector<std::byte>> projected(base::Bytes payload, std::span<const Path> paths,
                                               Keep keep) {
  if (paths.size() > k_payload_paths_max) {
    return base::invalid_argument(std::to_string(paths.size()) + " paths are given; at most " +
                                  std::to_string(k_payload_paths_max) + " are allowed.");
  }
  size_t levels = 1;
  for (const Path& path : paths) {
    levels = std::max(levels, path.steps().size());
  }
  TRY_ASSIGN(const Outline source, stored(payload, levels));
  return Projection(source, paths, keep).run();
}

base::Result<Outline> stored(base::Bytes payload, size_t levels) {
  constexpr std::string_view k_none = "{}";
  return Outline::parse(payload.empty() ? base::bytes_of(k_none) : payload,
                        static_cast<uint32_t>(levels), Outline::Root::object, "The payload");
}

}  // namespace
}  // namespace asyncstore::payload
