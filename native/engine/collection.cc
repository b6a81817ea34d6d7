#include "engine/collection.h"

#include <algorithm>
#include <utility>

#include "multivector/code_index.h"
#include "sparse/window.h"

namespace asyncstore::engine {

using base::Code;
using base::Error;
using points::Location;
using segment::Segment;

namespace {
// A payload index is saved when more than this part of the points has changed since: so many
// payloads at most are read again after a crash.
constexpr uint64_t k_reread_part = 16;
// The index of a sparse vector likewise; it is larger, and vectors are read in a row.
constexpr uint64_t k_reread_sparse_part = 4;
// Codes of multivectors are larger still: while points come in, twice as many bytes are written as
// there are codes in the end. Where what makes the next opening quicker is saved, they stay as they
// are if not even the latter part has changed: reading that again takes less than loading.
constexpr uint64_t k_reread_codes_part = 2;
constexpr uint64_t k_reread_codes_part_at_rest = 64;
// About a millisecond of merging and coding.
constexpr uint64_t k_sparse_part_elements = 1 << 17;
}  // namespace

Collection::Collection(std::shared_ptr<io::Storage> storage, std::string folder,
                       const Options& options, CollectionFile file)
    : storage_(std::move(storage)),
      folder_(std::move(folder)),
      options_(options),
      file_(std::move(file)),
      table_(std::make_unique<points::PointTable>(static_cast<uint32_t>(file_.fields.size()))),
      kept_saved_(schema().kept()),
      sparse_indexes_(schema().sparse, kept_saved_),
      multivector_indexes_(file_.multivectors, schema().sparse, kept_saved_),
      states_(file_.fields.size()) {
  for (const auto* fields : {&file_.fields, &file_.multivectors}) {
    for (const auto& field : *fields) {
      codecs_.emplace_back(field);
    }
  }
}

std::shared_ptr<const View> Collection::view() const {
  const std::lock_guard lock(view_mutex_);
  return view_;
}

uint32_t Collection::rows_max(uint32_t field) const {
  // 4 GiB of originals or a million rows, and always more than one group of operations can bring.
  const uint64_t rows = (uint64_t{4} << 30) / segment::row_bytes(fields()[field]);
  return static_cast<uint32_t>(std::clamp<uint64_t>(rows, 16384, 1 << 20));
}

uint64_t Collection::input_bytes(const WriteJob& job) const {
  return operation_bytes(schema(), job.operation);
}

std::string Collection::points_path(uint64_t lsn) const {
  return folder_ + "/points/" + std::to_string(lsn) + ".points";
}

std::string Collection::index_path(uint64_t number) const {
  return folder_ + "/fields/" + std::to_string(number) + ".field";
}

std::string Collection::kept_path(uint32_t kept, uint64_t number) const {
  return folder_ + "/fields/" + std::to_string(number) +
         (kept < schema().sparse ? ".sparse" : ".multi");
}

multivector::CodeFile Collection::codes_file(uint32_t multivector, uint64_t number) const {
  return {kept_path(schema().sparse + multivector, number), identity(), multivector};
}

void Collection::set_progress(OptimizerProgress progress) {
  const std::lock_guard lock(progress_mutex_);
  progress_ = std::move(progress);
}

void Collection::set_prewarm(OptimizerProgress progress) {
  const std::lock_guard lock(progress_mutex_);
  prewarm_ = std::move(progress);
}

void Collection::set_indexing(OptimizerProgress progress) {
  const std::lock_guard lock(progress_mutex_);
  indexing_ = std::move(progress);
}

Manifest Collection::saved() const {
  const std::lock_guard lock(progress_mutex_);
  return saved_;
}

void Collection::set_saved_manifest(Manifest manifest) {
  const std::lock_guard lock(progress_mutex_);
  saved_ = std::move(manifest);
  repaired_.store(false, std::memory_order_relaxed);
}

void Collection::add_rebuilt(std::string what) {
  const std::lock_guard lock(progress_mutex_);
  rebuilt_.push_back(std::move(what));
  repaired_.store(true, std::memory_order_relaxed);
}

std::vector<std::string> Collection::unsaved_rebuilt() const {
  const std::lock_guard lock(progress_mutex_);
  return repaired_.load(std::memory_order_relaxed) ? rebuilt_ : std::vector<std::string>();
}

CollectionStatistics Collection::statistics() const {
  CollectionStatistics statistics;
  const auto now = view();
  statistics.points = now->points;
  statistics.operation_id = now->lsn;
  statistics.ram_ids = table_->ram_bytes();
  for (const auto& field : now->fields) {
    for (const auto& view : field.segments) {
      const Segment& segment = *view.segment;
      ++statistics.segments;
      statistics.rows_deleted += view.deleted_count();
      (segment.sealed() ? statistics.indexed_vectors : statistics.appendable_rows) +=
          view.live_count();
      statistics.ram_codes += segment.codes_bytes(view.rows);
      statistics.ram_graph += segment.graph() != nullptr ? segment.graph()->ram_bytes() : 0;
      statistics.ram_ids +=
          segment.tables_bytes(view.rows) + (view.deleted ? view.deleted->ram_bytes() : 0);
      statistics.disk_vectors += segment.disk_bytes("vectors");
      statistics.disk_codes += segment.disk_bytes("codes");
      statistics.disk_graph += segment.disk_bytes("graph");
      statistics.disk_rows += segment.disk_bytes("rows");
    }
  }
  for (size_t at = 0; values_ && at < values_->size(); ++at) {
    const gridstore::Statistics values = (*values_)[at].statistics();
    const bool sparse = at <= file_.sparse.size();
    (at == 0  ? statistics.ram_payload
     : sparse ? statistics.ram_sparse
              : statistics.ram_multivectors) += values.ram_bytes;
    (at == 0  ? statistics.disk_payload
     : sparse ? statistics.disk_sparse
              : statistics.disk_multivectors) += values.file_bytes;
  }
  for (const auto& index : now->sparse) {
    statistics.ram_sparse += index->ram_bytes;
  }
  for (const auto& codes : now->multivectors) {
    statistics.ram_multivectors += codes ? codes->ram_bytes : 0;
  }
  for (uint32_t kept = 0; kept < kept_saved_.count(); ++kept) {
    (kept < file_.sparse.size() ? statistics.disk_sparse : statistics.disk_multivectors) +=
        kept_saved_.saved(kept).bytes;
  }
  statistics.ram_filters = filter_cache_.bytes();
  for (const auto& index : *indexes_.list()) {
    const auto content = index->content();
    statistics.ram_fields += content ? content->ram_bytes() : 0;
    statistics.disk_fields += index->saved().bytes;
  }
  statistics.wal_bytes = wal_bytes_.load(std::memory_order_relaxed);
  const std::lock_guard lock(progress_mutex_);
  statistics.optimizer = progress_;
  statistics.prewarm = prewarm_;
  statistics.indexing = indexing_;
  statistics.rebuilt = rebuilt_;
  return statistics;
}

void Collection::fail_writes(const Error& cause) {
  if (!failure_) {
    failure_ =
        Error{Code::failed, "writing to collection '" + name() + "' stopped: " + cause.message +
                                ". Reading goes on; open the store again to write."};
  }
}

void Collection::close() {
  auto nothing = std::make_shared<View>();
  nothing->lsn = view()->lsn;
  nothing->points = view()->points;
  nothing->fields.resize(states_.size());
  log_.reset();
  values_.reset();
  for (const auto& index : *indexes_.list()) {
    index->begin_use(nullptr);
  }
  for (uint32_t number = 0; number < sparse_indexes_.count(); ++number) {
    sparse_indexes_.clear(number);
  }
  nothing->sparse = sparse_indexes_.snapshots();
  for (uint32_t number = 0; number < file_.multivectors.size(); ++number) {
    multivector_indexes_.clear(number);
  }
  nothing->multivectors = multivector_indexes_.snapshots();
  saved_deleted_.clear();
  for (FieldState& state : states_) {
    state = FieldState();
  }
  const std::lock_guard lock(view_mutex_);
  view_ = std::move(nothing);
}

bool Collection::has_new_index() const {
  const auto all = indexes_.list();
  return std::any_of(all->begin(), all->end(), [](const auto& index) {
    return index->saved().number == 0 && index->content() != nullptr;
  });
}

bool Collection::index_changes() const {
  const auto now = view();
  for (uint32_t kept = 0; kept < kept_saved_.count(); ++kept) {
    if (is_kept_due(*now, kept, Saving::all)) {
      return true;
    }
  }
  const auto all = indexes_.list();
  return std::any_of(all->begin(), all->end(), [](const auto& index) {
    return index->changes > 0 && index->content() != nullptr;
  });
}

void Collection::forget_saved_index(uint64_t number) {
  for (const auto& index : *indexes_.list()) {
    if (index->saved().number == number) {
      index->set_saved({});
    }
  }
  kept_saved_.forget_file(number);
}

// How many points the index of a vector has, by its number among those that are kept as values.
uint64_t Collection::kept_live(const View& view, uint32_t kept) const {
  if (kept < view.sparse.size()) {
    return view.sparse[kept]->live;
  }
  const auto& codes = view.multivectors[kept - view.sparse.size()];
  return codes ? codes->live : 0;
}

bool Collection::is_kept_due(const View& view, uint32_t kept, Saving saving) const {
  const uint64_t live = kept_live(view, kept);
  const bool all = saving == Saving::all;
  const uint64_t few = kept < view.sparse.size()
                           ? (all ? 0 : live / k_reread_sparse_part)
                           : live / (all ? k_reread_codes_part_at_rest : k_reread_codes_part);
  return kept_saved_.changes(kept) > few || (kept_saved_.saved(kept).number == 0 && live > 0);
}

void Collection::use_codes(uint32_t multivector, std::unique_ptr<multivector::CodeIndex> codes) {
  multivector_indexes_.load(multivector, std::move(codes), {});
  publish();
}

bool Collection::work_on_sparse() {
  const bool worked = sparse_indexes_.work(k_sparse_part_elements);
  if (worked) {
    publish();
  }
  return worked;
}

CheckpointPlan Collection::plan_checkpoint(Saving saving) {
  const auto fields_count = static_cast<uint32_t>(fields().size());
  CheckpointPlan plan{
      view(), points::PointsBuffer(fields_count), 0, 0, next_segment_, whole_table_, {}, {}, {}};
  plan_indexes(saving, plan);
  for (size_t at = 0; at < values_->size(); ++at) {
    plan.values.push_back((*values_)[at].plan_flush());
  }
  if (whole_table_) {
    table_->touch_all();
  }
  changes_.emplace(fields_count);
  plan.changed =
      table_->begin_changes([this](const points::PointEntry& entry) { changes_->add(entry); });
  whole_table_ = false;
  plan.slot_count = table_->slot_count();
  return plan;
}

void Collection::plan_indexes(Saving saving, CheckpointPlan& plan) {
  for (const auto& index : *indexes_.list()) {
    const uint64_t few = table_->live_count() / k_reread_part;
    const bool due = index->saved().number == 0 || index->changes > few ||
                     (saving == Saving::all && index->changes > 0);
    auto content = due ? index->content() : nullptr;
    if (content) {
      content->begin_snapshot();
    }
    plan.indexes.push_back({index, std::move(content), index->changes});
  }
  for (uint32_t kept = 0; kept < kept_saved_.count(); ++kept) {
    plan.kept.push_back({is_kept_due(*plan.view, kept, saving), kept_saved_.changes(kept)});
  }
}

bool Collection::take_changes(CheckpointPlan& plan) {
  if (table_->take_changes(options_.writer_part_points)) {
    return true;
  }
  plan.changes = std::move(*std::exchange(changes_, std::nullopt));
  return false;
}

void Collection::finish_checkpoint(CheckpointPlan& plan, bool succeeded) {
  for (const CheckpointPlan::Index& planned : plan.indexes) {
    if (planned.content) {
      planned.content->end_snapshot();
    }
    if (planned.content && succeeded) {
      planned.index->set_saved(planned.saved);
      planned.index->changes -= planned.changes;
    }
  }
  for (uint32_t kept = 0; kept < plan.kept.size() && succeeded; ++kept) {
    if (plan.kept[kept].is_due) {
      kept_saved_.set_saved(kept, plan.kept[kept].saved);
      kept_saved_.forget_changes(kept, plan.kept[kept].changes);
    }
  }
  if (!succeeded) {
    whole_table_ = true;  // what was taken is lost to the table's list of changes
    for (size_t at = 0; at < plan.values.size(); ++at) {
      if (plan.values[at]) {
        (*values_)[at].abandon(std::move(plan.values[at]));
      }
    }
    return;
  }
  for (size_t at = 0; at < plan.values.size(); ++at) {
    if (plan.values[at]) {
      (*values_)[at].committed(std::move(plan.values[at]));
    }
  }
  // A log file that stays costs space, not data: the next checkpoint tries again.
  static_cast<void>(log_->forget_until(plan.view->lsn).ok());
  wal_bytes_.store(log_->size_bytes(), std::memory_order_relaxed);
}

void Collection::give_back_space() {
  if (log_) {
    // Best effort, as above.
    static_cast<void>(log_->remove_spares().ok());
  }
}

std::shared_ptr<const segment::DeletedRows> Collection::saved_deleted(uint32_t segment) const {
  const auto found = saved_deleted_.find(segment);
  return found == saved_deleted_.end() ? nullptr : found->second;
}

void Collection::set_saved_deleted(uint32_t segment,
                                   std::shared_ptr<const segment::DeletedRows> deleted) {
  saved_deleted_[segment] = std::move(deleted);
}

void Collection::add_points_entries(uint64_t entries, bool base) {
  if (base) {
    points_base_entries_ = entries;
    points_change_entries_ = 0;
  } else {
    points_change_entries_ += entries;
  }
}

bool Collection::points_need_merge(size_t files) const {
  constexpr size_t k_files_max = 64;
  return points_change_entries_ > points_base_entries_ || files > k_files_max;
}

void Collection::freeze(uint32_t field) {
  FieldState& state = states_[field];
  if (state.appendable && state.segments.back().segment->rows() > 0) {
    state.appendable = false;
  }
}

void Collection::follow_table(uint32_t field, uint32_t segment, std::span<const uint32_t> rows) {
  for (SegmentState& state : states_[field].segments) {
    if (state.segment->id() != segment) {
      continue;
    }
    segment::DeletedRowsBuilder builder(state.deleted);
    for (const uint32_t row : rows) {
      const Location place = table_->location_or_none(state.segment->slot(row), field);
      if (place == Location{segment, row}) {
        builder.unmark(row);
      } else {
        builder.mark(row);
      }
    }
    state.deleted = builder.build();
  }
  publish();
}

}  // namespace asyncstore::engine
