// One collection: its points, its segments, its log.
//
// Who may do what: the writer thread that the collection belongs to makes every change; workers
// read through view() and the point table; the maintenance thread works on copies and hands its
// results to the writer. The line of a write is Collection::write() in write.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/completion_queue.h"
#include "engine/field_indexes.h"
#include "engine/filter_cache.h"
#include "engine/group_points.h"
#include "engine/manifest.h"
#include "engine/multivector_indexes.h"
#include "engine/operation.h"
#include "engine/options.h"
#include "engine/rewrite.h"
#include "engine/saved_indexes.h"
#include "engine/sparse_indexes.h"
#include "engine/value_stores.h"
#include "engine/view.h"
#include "engine/write_job.h"
#include "io/storage.h"
#include "multivector/code_file.h"
#include "points/point_table.h"
#include "points/points_file.h"
#include "segment/field.h"
#include "segment/segment.h"
#include "wal/log.h"

namespace asyncstore::engine {

// What a checkpoint has to make durable, taken between two groups.
struct CheckpointPlan {
  std::shared_ptr<const View> view;
  points::PointsBuffer changes;
  uint64_t changed = 0;
  uint32_t slot_count = 0;
  uint32_t next_segment = 0;
  bool whole_table = false;  // the changes are a base, not a delta
  // Of each store of values; null: nothing changed.
  std::vector<std::unique_ptr<gridstore::FlushPlan>> values;
  struct Index {
    std::shared_ptr<PayloadIndex> index;
    std::shared_ptr<fields::FieldIndex> content;  // null: it stays as it was saved
    uint64_t changes = 0;                         // that are saved by it
    SavedIndex saved = {};                        // once it is
  };
  std::vector<Index> indexes;
  struct Kept {           // the index of a vector that is kept as a value, as the view has it
    bool is_due = false;  // else it stays as it was saved
    uint64_t changes = 0;
    SavedIndex saved = {};
  };
  std::vector<Kept> kept;
};

// What a checkpoint does beyond making durable what changed: what makes the next opening quicker,
// when it is due, or now.
enum class Saving : uint8_t { as_due, all };

struct OptimizerProgress {
  std::string state = "idle";
  uint64_t done = 0;
  uint64_t total = 0;
  std::string what;
};

struct CollectionStatistics {
  uint64_t points = 0;
  uint64_t segments = 0;
  uint64_t rows_deleted = 0;
  uint64_t appendable_rows = 0;
  uint64_t indexed_vectors = 0;
  uint64_t ram_codes = 0, ram_graph = 0, ram_ids = 0, ram_payload = 0, ram_sparse = 0,
           ram_multivectors = 0, ram_fields = 0, ram_filters = 0;
  uint64_t disk_vectors = 0, disk_codes = 0, disk_graph = 0, disk_rows = 0, disk_points = 0,
           disk_payload = 0, disk_sparse = 0, disk_multivectors = 0, disk_fields = 0;
  uint64_t wal_bytes = 0;
  uint64_t operation_id = 0;
  OptimizerProgress optimizer;
  OptimizerProgress prewarm;
  OptimizerProgress indexing;
  std::vector<std::string> rebuilt;
};

class Collection : public std::enable_shared_from_this<Collection> {
 public:
  // Makes the folder's files; the folder exists and is empty.
  static base::Result<std::shared_ptr<Collection>> create(std::shared_ptr<io::Storage> storage,
                                                          std::string folder,
                                                          const Options& options,
                                                          CollectionFile file);
  // Loads tables and codes, repairs what is derived, replays the log. `file`: what COLLECTION
  // holds.
  static base::Result<std::shared_ptr<Collection>> open(std::shared_ptr<io::Storage> storage,
                                                        std::string folder, const Options& options,
                                                        CollectionFile file);

  // --- any thread ---
  const std::string& name() const { return file_.name; }
  const std::string& folder() const { return folder_; }
  const std::vector<segment::Field>& fields() const { return file_.fields; }
  const std::vector<std::string>& sparse_names() const { return file_.sparse; }
  const std::vector<segment::Field>& multivectors() const { return file_.multivectors; }
  Schema schema() const {
    return {file_.fields, static_cast<uint32_t>(file_.sparse.size()), file_.multivectors};
  }
  // What COLLECTION holds; all but what replace_config() replaces stays as it was made.
  CollectionFile file() const;
  std::vector<std::byte> config() const;
  // In force from now on: the collection's own, else the store's.
  OptimizerSettings optimizers() const;
  // Of one file of the write-ahead log: likewise.
  uint64_t log_file_bytes() const {
    return file_.log_file_bytes > 0 ? file_.log_file_bytes : options_.wal_capacity_bytes;
  }
  // How often it was replaced since the store was opened.
  uint64_t config_version() const { return config_version_.load(std::memory_order_acquire); }
  std::shared_ptr<const View> view() const;
  points::PointTable& table() { return *table_; }
  CollectionStatistics statistics() const;
  // What was rebuilt at open and is in memory only, in words.
  std::vector<std::string> unsaved_rebuilt() const;
  uint64_t wal_bytes() const { return wal_bytes_.load(std::memory_order_relaxed); }
  void set_progress(OptimizerProgress progress);
  void set_prewarm(OptimizerProgress progress);
  void set_indexing(OptimizerProgress progress);
  // What the last checkpoint wrote.
  Manifest saved() const;
  // Of the vectors of a job, as stored.
  uint64_t input_bytes(const WriteJob& job) const;
  ValueStores& values() { return *values_; }
  const FieldIndexes& indexes() const { return indexes_; }
  const SavedIndexes& kept_saved() const { return kept_saved_; }
  FilterCache& filter_cache() { return filter_cache_; }
  bool dropped() const { return dropped_.load(std::memory_order_acquire); }
  void drop() { dropped_.store(true, std::memory_order_release); }

  // --- any thread that may wait for the disk (configure.cc) ---
  // Another configuration and what it says of the optimizer, durable when this returns; false, and
  // nothing is done, when the one in force is not `expected`. After a failure that leaves open
  // which of both a crash would show, it is not changed any more until the store is opened again.
  base::Result<bool> replace_config(const std::vector<std::byte>& expected,
                                    std::vector<std::byte> config,
                                    const OptimizerOverrides& optimizers);
  // COLLECTION was damaged.
  base::Status rewrite_file();

  // --- writer ---
  // Logs, applies, publishes and answers a group of jobs.
  void write(std::span<WriteJob> jobs, CompletionQueue& completions);
  MultivectorIndexes& multivector_indexes() { return multivector_indexes_; }
  // Other codes of a multivector take the place of those that are there.
  void use_codes(uint32_t multivector, std::unique_ptr<multivector::CodeIndex> codes);
  // A part of the work that changes of sparse vectors have left behind; false when none was.
  bool work_on_sparse();
  CheckpointPlan plan_checkpoint(Saving saving);
  // Adds a part of the points that had changed by then, as they were then; false when all are
  // there.
  bool take_changes(CheckpointPlan& plan);
  // The checkpoint reached the disk (or failed, and its changes count as changes again).
  void finish_checkpoint(CheckpointPlan& plan, bool succeeded);
  // Gives back what only makes writing quicker.
  void give_back_space();
  // From now on nothing is appended to the field's newest segment.
  void freeze(uint32_t field);
  // Puts the output of a rewrite in place of its inputs (replace.cc): begins, goes on until it
  // returns false, ends. Writes may come between these.
  void begin_replacing(const Rewrite& rewrite);
  bool replace_some(const Rewrite& rewrite);
  void end_replacing(const Rewrite& rewrite);
  uint32_t take_segment_id() { return next_segment_++; }
  // What a repair changes between two groups, for the checkpoint that it makes then: all points
  // are written, rows are live or deleted as the point table says, the log goes on in a new file.
  void rewrite_table() { whole_table_ = true; }
  void follow_table(uint32_t field, uint32_t segment, std::span<const uint32_t> rows);
  void end_log_file() { log_->end_file(); }
  void forget_saved_index(uint64_t number);
  // Whether a payload index has changed since it was saved: the next opening would read those
  // payloads again.
  bool index_changes() const;
  // Writing stops until the store is opened again. So do checkpoints: what is in memory may be half
  // an operation, and a sync that failed must not be tried again. The log has everything.
  void fail_writes(const base::Error& cause);
  base::Status writable() const { return failure_ ? base::Status(*failure_) : base::Status(); }

  // After all threads have ended: lets go of files and codes, though somebody may keep the object.
  void close();

  // --- maintenance ---
  // The same, for the thread that writes it.
  const Manifest& saved_manifest() const { return saved_; }
  void set_saved_manifest(Manifest manifest);
  std::shared_ptr<const segment::DeletedRows> saved_deleted(uint32_t segment) const;
  void set_saved_deleted(uint32_t segment, std::shared_ptr<const segment::DeletedRows> deleted);
  // Maintenance: for the next flush of the values.
  uint64_t take_flush_number() { return ++last_flush_number_; }
  // No manifest names what was written since the last one.
  void forget_saved_deleted() { saved_deleted_.clear(); }
  // The file of this segment is damaged.
  void forget_saved_deleted(uint32_t segment) { saved_deleted_.erase(segment); }
  void add_points_entries(uint64_t entries, bool base);
  // Whether the changes since the base outweigh it.
  bool points_need_merge(size_t files) const;
  io::Storage& storage() { return *storage_; }
  const std::shared_ptr<io::Storage>& shared_storage() { return storage_; }
  // Maintenance: for the next file of a payload index.
  uint64_t take_index_number() { return ++last_index_number_; }
  std::string points_path(uint64_t lsn) const;
  std::string index_path(uint64_t number) const;
  // Of the index of a vector, by its number among those that are kept as values.
  std::string kept_path(uint32_t kept, uint64_t number) const;
  multivector::CodeFile codes_file(uint32_t multivector, uint64_t number) const;
  std::string manifest_path() const { return folder_ + "/MANIFEST"; }
  std::string segments_folder() const { return folder_ + "/segments"; }
  uint32_t rows_max(uint32_t field) const;
  uint64_t identity() const { return file_.identity; }
  segment::Segment::Options segment_options(uint32_t id, uint32_t rows_max) const {
    const bool direct = options_.direct_io == Choice::yes || options_.direct_by_memory();
    return {id, rows_max, direct, identity()};
  }
  void add_rebuilt(std::string what);
  // Whether a checkpoint would save anything: operations, what was rebuilt at open, or a new index.
  bool unsaved() const {
    return view()->lsn != saved_.lsn || repaired_.load(std::memory_order_relaxed) ||
           has_new_index();
  }

 private:
  // A segment as the writer keeps it.
  struct SegmentState {
    std::shared_ptr<segment::Segment> segment;
    std::shared_ptr<const segment::DeletedRows> deleted;
    std::unique_ptr<segment::DeletedRowsBuilder> builder;  // while a group is applied
  };
  // The output of a rewrite while it takes the place of its inputs, row by row: points up to
  // `moved` are in it, but searches look into the inputs.
  struct Incoming {
    const Rewrite* rewrite;
    uint32_t moved = 0;
    segment::DeletedRowsBuilder deleted{nullptr};
  };
  struct FieldState {
    std::vector<SegmentState> segments;      // oldest first
    bool appendable = false;                 // the last one takes rows
    std::shared_ptr<segment::Segment> next;  // made ready for when the last one is full
    std::unique_ptr<Incoming> incoming;
    uint32_t pending = 0;  // rows reserved by the group, not yet appended
    uint32_t pending_next = 0;
  };

  Collection(std::shared_ptr<io::Storage> storage, std::string folder, const Options& options,
             CollectionFile file);

  bool has_new_index() const;
  uint64_t kept_live(const View& view, uint32_t kept) const;
  bool is_kept_due(const View& view, uint32_t kept, Saving saving) const;
  void plan_indexes(Saving saving, CheckpointPlan& plan);

  // write.cc
  base::Status take(WriteJob& job);
  base::Status follow_group();
  base::Status reserve(const Operation& operation);
  base::Status reserve_parts(const Operation& operation);
  base::Result<std::shared_ptr<segment::Segment>> new_segment(uint32_t field);
  void end_group();
  void publish();

  // apply.cc
  base::Status apply(uint64_t lsn, uint32_t kind, base::Bytes payload);
  base::Status apply_upsert(uint64_t lsn, const Operation& operation);
  void apply_remove(const Operation& operation);
  base::Status apply_set_vectors(uint64_t lsn, const Operation& operation);
  base::Status apply_delete_vectors(uint64_t lsn, const Operation& operation);
  // The indexes of vectors that are kept as values follow the operation.
  void apply_kept(const Operation& operation, std::span<const uint32_t> slots);
  base::Status apply_set_payload(uint64_t lsn, const Operation& operation);
  base::Result<std::vector<uint32_t>> slots_of(const Operation& operation) const;
  base::Status place_rows(uint64_t lsn, const Operation& operation, std::span<const uint32_t> slots,
                          bool whole);
  base::Status append_rows(uint64_t lsn, const Operation& operation, const FieldRows& rows,
                           std::span<const uint32_t> slots, uint32_t& segment, uint32_t& first_row);
  void mark_deleted(uint32_t field, points::Location location);
  template <typename Change>
  void in_parts(size_t points, const Change& change);

  // recovery.cc
  base::Status recover();
  base::Status load_table(const Manifest& manifest);
  base::Status check_locations(const Manifest& manifest) const;
  base::Status open_segments(const Manifest& manifest, std::vector<base::Status>& codes);
  base::Status load_deleted(const Manifest& manifest, bool table_lost);
  base::Status rebuild_table(const Manifest& manifest);
  base::Status repair_entries();
  base::Status rebuild_codes(const Manifest& manifest, std::vector<base::Status> codes);
  base::Status load_indexes(const Manifest& manifest);
  base::Status load_kept(const Manifest& manifest);
  base::Status load_sparse(uint32_t number, const ManifestKept& saved);
  base::Status load_codes(uint32_t number, const ManifestKept& saved);
  base::Result<SavedIndex> found_index(const std::string& path, const ManifestKept& saved,
                                       uint64_t lsn) const;
  base::Result<uint64_t> follow_sparse(uint32_t number);
  base::Result<uint64_t> follow_codes(uint32_t number);
  template <typename IsSound, typename Set, typename Remove>
  base::Result<uint64_t> follow_kept(uint32_t kept, const IsSound& is_sound, const Set& set,
                                     const Remove& remove);
  base::Status follow_payloads(const std::vector<std::shared_ptr<PayloadIndex>>& loaded);
  base::Status replay();
  base::Status replay(uint64_t lsn, uint32_t kind, base::Bytes payload);
  base::Status make_space();
  void remove_orphans();

  std::shared_ptr<io::Storage> storage_;
  std::string folder_;
  Options options_;
  CollectionFile file_;
  std::mutex file_mutex_;            // while COLLECTION is replaced
  mutable std::mutex config_mutex_;  // of file_.config and file_.optimizers
  std::atomic<uint64_t> config_version_{0};
  std::optional<base::Error> config_failure_;
  std::atomic<bool> dropped_{false};

  std::unique_ptr<points::PointTable> table_;
  std::unique_ptr<ValueStores> values_;
  FieldIndexes indexes_;
  SavedIndexes kept_saved_;
  SparseIndexes sparse_indexes_;
  MultivectorIndexes multivector_indexes_;
  FilterCache filter_cache_;
  std::unique_ptr<wal::Log> log_;
  std::vector<segment::RowCodec> codecs_;  // of the fields, then of the multivectors
  std::vector<FieldState> states_;
  std::optional<GroupPoints> group_points_;  // once a job of the group looked at points
  uint64_t pending_points_ = 0;              // that the group may add to the table, not yet applied
  uint32_t next_segment_ = 1;
  uint64_t applied_lsn_ = 0;
  bool whole_table_ = false;                     // the next checkpoint writes all points
  std::optional<points::PointsBuffer> changes_;  // while a checkpoint takes them
  std::optional<base::Error> failure_;

  mutable std::mutex view_mutex_;
  std::shared_ptr<const View> view_;

  Manifest saved_;
  std::unordered_map<uint32_t, std::shared_ptr<const segment::DeletedRows>> saved_deleted_;
  uint64_t last_flush_number_ = 0;  // given out, committed or not
  uint64_t last_index_number_ = 0;  // likewise
  uint64_t points_base_entries_ = 0;
  uint64_t points_change_entries_ = 0;
  mutable std::mutex progress_mutex_;
  OptimizerProgress progress_;
  OptimizerProgress prewarm_;
  OptimizerProgress indexing_;
  std::vector<std::string> rebuilt_;
  std::atomic<bool> repaired_{false};  // since the last checkpoint
  std::atomic<uint64_t> wal_bytes_{0};
};

}  // namespace asyncstore::engine
