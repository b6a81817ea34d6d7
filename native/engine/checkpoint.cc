// Checkpoints: making durable outside the log what the log holds; the order and its reasons are in
// docs/internals/durability.md.
#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "engine/framed_file.h"
#include "engine/maintenance.h"
#include "multivector/code_file.h"
#include "sparse/index_file.h"

namespace asyncstore::engine {

using base::Status;
using segment::Segment;

namespace {

// What a view has of the index of a vector that is kept as a value.
Status write_kept(const View& view, uint32_t kept, Collection& collection, uint64_t number) {
  const uint32_t sparse = collection.schema().sparse;
  if (kept < sparse) {
    return sparse::write_index(*view.sparse[kept], collection.storage(),
                               collection.kept_path(kept, number), collection.identity(), view.lsn);
  }
  return multivector::write_codes(*view.multivectors[kept - sparse], collection.storage(),
                                  collection.codes_file(kept - sparse, number), view.lsn);
}

}  // namespace

Status Maintenance::checkpoint(Collection& collection, Saving saving) {
  std::optional<CheckpointPlan> plan;
  Status writable;
  const std::function<void()> take = [&] {
    writable = collection.writable();
    if (writable.ok()) {
      plan = collection.plan_checkpoint(saving);
    }
  };
  Writer& writer = writer_of_(collection);
  // Once the writer has ended, this thread is alone with the collection.
  const auto on_writer = [&](const std::function<void()>& work) {
    if (!writer.run(work)) {
      work();
    }
  };
  // In parts, between which writes come.
  bool more = true;
  while (more) {
    on_writer([&] { more = collection.work_on_sparse(); });
  }
  on_writer(take);
  TRY(std::move(writable));
  more = true;
  while (more) {
    on_writer([&] { more = collection.take_changes(*plan); });
  }
  std::vector<std::string> superfluous;
  Status saved = save(*plan, collection, saving, superfluous);
  on_writer([&] { collection.finish_checkpoint(*plan, saved.ok()); });
  if (!saved.ok()) {
    collection.forget_saved_deleted();
  } else {
    for (const auto& path : superfluous) {
      // A file that stays is an orphan, removed at the next open.
      static_cast<void>(collection.storage().remove(path).ok());
    }
  }
  return saved;
}

void Maintenance::rest(Collection& collection) {
  const std::function<void()> give_back = [&] { collection.give_back_space(); };
  if (!writer_of_(collection).run(give_back)) {
    give_back();
  }
}

Status Maintenance::save(CheckpointPlan& plan, Collection& collection, Saving saving,
                         std::vector<std::string>& superfluous) {
  Manifest manifest;
  manifest.owner = collection.identity();
  manifest.lsn = plan.view->lsn;
  manifest.point_count = plan.view->points;
  manifest.next_segment = plan.next_segment;
  TRY(save_segments(plan, collection, manifest, superfluous));
  TRY(save_points(plan, collection, saving, manifest, superfluous));
  TRY(save_indexes(plan, collection, manifest, superfluous));
  TRY(save_values(plan, collection, manifest));
  TRY(after_sync(collection, collection.storage().sync_folder(collection.segments_folder())));
  TRY(after_sync(collection, collection.storage().sync_folder(collection.folder() + "/points")));
  Status replaced =
      io::replace_file(collection.storage(), collection.manifest_path(), encode(manifest));
  if (!replaced.ok()) {
    // A further flush of the payload would overwrite what one of the two manifests needs.
    const bool old_stands = stands(collection.storage(), collection.manifest_path(),
                                   encode(collection.saved_manifest()));
    return old_stands ? std::move(replaced) : after_sync(collection, std::move(replaced));
  }
  collection.set_saved_manifest(std::move(manifest));
  for (size_t at = 0; at < plan.values.size(); ++at) {
    if (!plan.values[at]) {
      continue;
    }
    // The manifest counts, whatever comes of this: opening would finish it.
    const Status finished = collection.values()[at].finish(*plan.values[at]);
    if (!finished.ok()) {
      writer_of_(collection).run([&] { collection.fail_writes(finished.error()); });
      plan.values[at].reset();
    }
  }
  return {};
}

// Flushes have numbers of their own, each higher than all before.
Status Maintenance::save_values(CheckpointPlan& plan, Collection& collection, Manifest& manifest) {
  manifest.flushes = collection.saved_manifest().flushes;
  const uint64_t number = collection.take_flush_number();
  for (size_t at = 0; at < plan.values.size(); ++at) {
    if (plan.values[at]) {
      manifest.flushes[at] = number;
      Status prepared = collection.values()[at].prepare(*plan.values[at], number);
      const bool full = !prepared.ok() && prepared.error().os_errno == ENOSPC;  // while writing
      TRY(full ? std::move(prepared) : after_sync(collection, std::move(prepared)));
    }
  }
  return {};
}

// What is not durable yet lives on in the log alone.
Status Maintenance::after_sync(Collection& collection, Status synced) {
  return engine::after_sync(writer_of_(collection), collection, std::move(synced));
}

Status Maintenance::save_segments(const CheckpointPlan& plan, Collection& collection,
                                  Manifest& manifest, std::vector<std::string>& superfluous) {
  const Manifest& before = collection.saved_manifest();
  for (size_t field = 0; field < plan.view->fields.size(); ++field) {
    auto& segments = manifest.fields.emplace_back();
    for (const SegmentView& view : plan.view->fields[field].segments) {
      Segment& segment = *view.segment;
      const ManifestSegment* old = nullptr;
      for (const auto& candidate : before.fields[field]) {
        old = candidate.id == segment.id() ? &candidate : old;
      }
      const bool sealed = segment.sealed();
      if (old == nullptr || !old->sealed) {
        TRY(after_sync(collection, segment.sync()));
      }
      uint64_t deleted_lsn = 0;
      if (view.deleted_count() > 0) {
        deleted_lsn = old != nullptr ? old->deleted_lsn : 0;
        if (collection.saved_deleted(segment.id()) != view.deleted) {
          // Never the name that the manifest in force has: two checkpoints of one operation (after
          // a merge, for a repair) need different ones.
          deleted_lsn = std::max(plan.view->lsn, deleted_lsn + 1);
          TRY(view.deleted->write(collection.storage(), segment.deleted_path(deleted_lsn),
                                  collection.identity(), segment.id()));
          collection.set_saved_deleted(segment.id(), view.deleted);
        }
      }
      if (old != nullptr && old->deleted_lsn > 0 && old->deleted_lsn != deleted_lsn) {
        superfluous.push_back(segment.deleted_path(old->deleted_lsn));
      }
      segments.push_back({segment.id(), view.rows, segment.rows_max(), sealed, deleted_lsn});
    }
  }
  return {};
}

// An index that is saved anew gets a new file; one whose changes are few stays as it is, and what
// changed is read again after a crash. One that is being made is named without a file.
Status Maintenance::save_indexes(CheckpointPlan& plan, Collection& collection, Manifest& manifest,
                                 std::vector<std::string>& superfluous) {
  bool written = false;
  for (CheckpointPlan::Index& planned : plan.indexes) {
    planned.saved = planned.index->saved();
    if (planned.content) {
      planned.saved = {collection.take_index_number(), plan.view->lsn, 0};
      const std::string path = collection.index_path(planned.saved.number);
      Status saved = planned.content->write(collection.storage(), path, collection.identity(),
                                            planned.saved.lsn);
      const bool full = !saved.ok() && saved.error().os_errno == ENOSPC;
      TRY(full ? std::move(saved) : after_sync(collection, std::move(saved)));
      TRY_ASSIGN(planned.saved.bytes, io::file_bytes(collection.storage(), path));
      written = true;
    }
    manifest.indexes.push_back(
        {planned.index->definition(), planned.saved.number, planned.saved.lsn});
  }
  for (uint32_t kept = 0; kept < plan.kept.size(); ++kept) {
    TRY(save_kept(plan, kept, collection, manifest, superfluous));
    written = written || plan.kept[kept].is_due;
  }
  for (const ManifestIndex& before : collection.saved_manifest().indexes) {
    const auto same = [&](const ManifestIndex& now) { return now.number == before.number; };
    if (before.number > 0 && std::none_of(manifest.indexes.begin(), manifest.indexes.end(), same)) {
      superfluous.push_back(collection.index_path(before.number));
    }
  }
  return written ? after_sync(collection,
                              collection.storage().sync_folder(collection.folder() + "/fields"))
                 : Status();
}

// The same for the index of a vector that is kept as a value.
Status Maintenance::save_kept(CheckpointPlan& plan, uint32_t kept, Collection& collection,
                              Manifest& manifest, std::vector<std::string>& superfluous) {
  CheckpointPlan::Kept& planned = plan.kept[kept];
  planned.saved = collection.kept_saved().saved(kept);
  if (planned.is_due) {
    planned.saved = {collection.take_index_number(), plan.view->lsn, 0};
    Status saved = write_kept(*plan.view, kept, collection, planned.saved.number);
    const bool full = !saved.ok() && saved.error().os_errno == ENOSPC;
    TRY(full ? std::move(saved) : after_sync(collection, std::move(saved)));
    TRY_ASSIGN(
        planned.saved.bytes,
        io::file_bytes(collection.storage(), collection.kept_path(kept, planned.saved.number)));
  }
  manifest.kept.push_back({planned.saved.number, planned.saved.lsn});
  const auto& before = collection.saved_manifest().kept;
  if (kept < before.size() && before[kept].number > 0 &&
      before[kept].number != planned.saved.number) {
    superfluous.push_back(collection.kept_path(kept, before[kept].number));
  }
  return {};
}

Status Maintenance::save_points(const CheckpointPlan& plan, Collection& collection, Saving saving,
                                Manifest& manifest, std::vector<std::string>& superfluous) {
  const Manifest& before = collection.saved_manifest();
  manifest.points = before.points;
  if (plan.whole_table) {
    for (const uint64_t lsn : before.points) {
      superfluous.push_back(collection.points_path(lsn));
    }
    manifest.points.clear();
  }
  // Names are by operation; two checkpoints of one operation (after a merge) need different ones.
  uint64_t name = plan.view->lsn * 16;
  const auto taken = [&] {
    const auto& named = manifest.points;
    return std::find(named.begin(), named.end(), name) != named.end() ||
           std::find(before.points.begin(), before.points.end(), name) != before.points.end();
  };
  while (taken()) {
    ++name;
  }
  io::Storage& storage = collection.storage();
  if (plan.changed > 0) {
    TRY(plan.changes.write(storage, {collection.points_path(name), name}, collection.identity(),
                           plan.slot_count));
    manifest.points.push_back(name);
    collection.add_points_entries(plan.changed, plan.whole_table);
  }
  const bool due = saving == Saving::all || collection.points_need_merge(manifest.points.size());
  if (manifest.points.size() > 1 && due) {
    std::vector<points::PointsFile> files;
    for (const uint64_t number : manifest.points) {
      files.push_back({collection.points_path(number), number});
      superfluous.push_back(files.back().path);
    }
    while (taken()) {
      ++name;
    }
    TRY_ASSIGN(const uint64_t entries,
               points::merge_points(storage, files, collection.identity(),
                                    static_cast<uint32_t>(collection.fields().size()),
                                    {collection.points_path(name), name}));
    manifest.points = {name};
    collection.add_points_entries(entries, true);
  }
  return {};
}

}  // namespace asyncstore::engine
