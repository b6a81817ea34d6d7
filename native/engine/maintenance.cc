#include "engine/maintenance.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/thread.h"
#include "engine/check.h"
#include "engine/codes_training.h"
#include "engine/errors.h"
#include "engine/linking.h"
#include "engine/repair.h"

namespace asyncstore::engine {

using base::Result;
using base::Status;
using segment::Segment;

namespace {

constexpr auto k_tick = std::chrono::milliseconds(250);
// How many sealed segments a field may have where the configuration does not say: each costs a
// search its own preselection. What comes in is merged in the background when it is more;
// optimize() leaves one.
constexpr uint64_t k_background_segments = 4;
// A sealed segment holds at least this part of its field, so that their number grows slowly while
// much is written.
constexpr uint64_t k_seal_part = 8;
// A checkpoint is due when a crash would have to replay this many log files.
constexpr uint64_t k_checkpoint_log_files = 4;
constexpr uint64_t k_look_ticks = 8;
// After a failure (a full disk, a damaged row) a collection is left alone for half a minute.
constexpr uint64_t k_pause_ticks = 120;

uint64_t quiet_ticks_of(const OptimizerSettings& optimizers) {
  return std::chrono::seconds(optimizers.flush_interval_s) / k_tick;
}

}  // namespace

Maintenance::Maintenance(const Options& options, Collections collections, WriterOf writer_of,
                         Retire retire, LookAround look_around, CompletionQueue& completions)
    : options_(options),
      collections_(std::move(collections)),
      writer_of_(std::move(writer_of)),
      retire_(std::move(retire)),
      look_around_(std::move(look_around)),
      completions_(completions) {}

void Maintenance::start() {
  thread_ = std::thread([this] { loop(); });
}

void Maintenance::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
  for (const Request& request : std::exchange(requests_, {})) {
    completions_.fail(request.ticket, store_closed());
  }
}

bool Maintenance::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Maintenance::optimize(uint64_t ticket, const std::shared_ptr<Collection>& collection) {
  take({ticket, collection, std::nullopt});
}

void Maintenance::repair(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                         std::vector<Damage> damages) {
  take({ticket, collection, std::move(damages)});
}

void Maintenance::snapshot(uint64_t ticket, const std::shared_ptr<Collection>& collection) {
  take({ticket, collection, std::nullopt, true});
}

void Maintenance::take(Request request) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      completions_.fail(request.ticket, store_closed());
      return;
    }
    requests_.push_back(std::move(request));
  }
  changed_.notify_one();
}

void Maintenance::loop() {
  base::describe_thread("as-maintenance", base::k_nice_background);
  while (true) {
    std::optional<Request> request;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, k_tick, [this] { return stopping_ || !requests_.empty(); });
      if (stopping_) {
        return;
      }
      if (!requests_.empty()) {
        request = std::move(requests_.front());
        requests_.pop_front();
      }
    }
    if (!request) {
      tick();
      continue;
    }
    serve(*request);
  }
}

void Maintenance::serve(Request& request) {
  if (request.is_snapshot) {
    auto taken = snapshot_now(*request.collection);
    if (taken.ok()) {
      completions_.complete(request.ticket, std::move(taken.value()));
    } else {
      completions_.fail(request.ticket, std::move(taken.error()));
    }
    return;
  }
  Value value;
  Status status;
  if (request.damages) {
    auto repaired = repair_now(*request.collection, std::move(*request.damages));
    status = repaired.ok() ? Status() : Status(std::move(repaired.error()));
    value = repaired.ok() ? Value(std::move(repaired.value())) : Value();
  } else {
    status = optimize_now(*request.collection);
  }
  request.collection->set_progress(OptimizerProgress{status.ok() ? "idle" : "failed", 0, 0,
                                                     status.ok() ? "" : status.error().message});
  if (status.ok()) {
    completions_.complete(request.ticket, std::move(value));
  } else {
    completions_.fail(request.ticket, std::move(status.error()));
  }
}

void Maintenance::tick() {
  if (++ticks_ % k_look_ticks == 0) {
    look_around_();
  }
  for (const auto& collection : collections_()) {
    Activity& activity = activity_[collection.get()];
    const uint64_t lsn = collection->view()->lsn;
    activity.quiet_ticks = lsn == activity.lsn ? activity.quiet_ticks + 1 : 0;
    activity.lsn = lsn;
    if (activity.pause_ticks > 0) {
      --activity.pause_ticks;
      continue;
    }
    // A collection's own may have changed since the last tick: they are asked for at each decision.
    const bool idle = activity.quiet_ticks >= quiet_ticks_of(collection->optimizers());
    Status status;
    bool worked = false;
    for (uint32_t field = 0; field < collection->fields().size() && status.ok() && !stopping();
         ++field) {
      auto improved =
          improve(*collection, field, seal_due(*collection, field, idle), k_background_segments);
      status = improved.ok() ? Status() : Status(std::move(improved.error()));
      worked = worked || (improved.ok() && improved.value());
    }
    if (status.ok() && collection->optimizers().indexing_threshold_bytes > 0) {
      const auto trained = train_codes(*collection);
      status = trained.ok() ? Status() : Status(trained.error());
      worked = worked || (trained.ok() && trained.value());
    }
    const bool changed = collection->unsaved();
    const bool long_log =
        collection->wal_bytes() >= k_checkpoint_log_files * collection->log_file_bytes();
    if (status.ok() && (worked || (changed && (idle || long_log)))) {
      status = checkpoint(*collection);
      if (idle && status.ok()) {
        rest(*collection);
      }
    }
    if (collection->dropped()) {
      activity_.erase(collection.get());
    } else if (!status.ok()) {
      activity.pause_ticks = k_pause_ticks;
      collection->set_progress({"failed", 0, 0, status.error().message});
    } else if (worked) {
      collection->set_progress({});
    }
  }
}

Status Maintenance::optimize_now(Collection& collection) {
  for (uint32_t field = 0; field < collection.fields().size(); ++field) {
    TRY(improve(collection, field, true, 1));
  }
  TRY(train_codes(collection));
  TRY(checkpoint(collection, Saving::all));
  rest(collection);
  return {};
}

// No other checkpoint comes between: they are this thread's.
Result<std::shared_ptr<Snapshot>> Maintenance::snapshot_now(Collection& collection) {
  if (collection.dropped()) {
    return no_collection(collection.name());
  }
  auto before = collection.view();
  TRY(checkpoint(collection));
  return Snapshot::take(collection, std::move(before));
}

// --- repair ---

Result<std::vector<Finding>> Maintenance::repair_now(Collection& collection,
                                                     std::vector<Damage> damages) {
  const bool rebuilt = !collection.unsaved_rebuilt().empty();
  std::vector<Damage> places;
  std::copy_if(damages.begin(), damages.end(), std::back_inserter(places),
               [](const Damage& damage) { return is_repairable(damage.kind); });
  if (places.empty() && !rebuilt) {
    return findings_of(std::move(damages));
  }
  collection.set_progress({"repairing", 0, places.size(), "writing anew what a check found"});
  Repair repair(collection, writer_of_(collection));
  TRY(repair.mend(places));
  TRY(checkpoint(collection));
  TRY(repair.finish());
  TRY_ASSIGN(auto after, check_again(collection, places, [this] { return stopping(); }));
  return outcome(std::move(damages), std::move(after));
}

// --- sealing, merging, vacuuming ---

bool Maintenance::seal_due(const Collection& collection, uint32_t field, bool idle) const {
  const uint64_t threshold = collection.optimizers().indexing_threshold_bytes;
  if (threshold == 0) {
    return false;
  }
  const auto view = collection.view();
  uint64_t all = 0;
  uint64_t open = 0;
  for (const auto& segment : view->fields[field].segments) {
    all += segment.bytes();
    open += segment.segment->sealed() ? 0 : segment.bytes();
  }
  return open >= threshold && (idle || open >= all / k_seal_part);
}

// Seals the field's rows of this moment if told to, and rewrites until at most so many segments are
// left (or as many as the settings say). Whether there was anything to do.
Result<bool> Maintenance::improve(Collection& collection, uint32_t field, bool seal,
                                  uint64_t segments) {
  bool worked = false;
  const OptimizerSettings settings = collection.optimizers();
  const uint32_t told = settings.default_segment_number;
  RewriteBounds bounds{0, told > 0 ? told : segments, settings.max_segment_bytes,
                       settings.deleted_threshold, settings.vacuum_min_vector_number};
  if (seal) {
    TRY_ASSIGN(bounds.open_id_end, freeze(collection, field));
    TRY_ASSIGN(worked, seal_in_place(collection, field, bounds.open_id_end));
  }
  TRY_ASSIGN(const bool restored, restore_graphs(collection, field));
  worked = worked || restored;
  while (!stopping()) {
    auto inputs = choose_inputs(collection.view()->fields[field], bounds);
    if (inputs.empty()) {
      return worked;
    }
    TRY(rewrite(collection, field, std::move(inputs)));
    worked = true;
  }
  return store_closed();
}

Result<bool> Maintenance::train_codes(Collection& collection) {
  bool worked = false;
  for (uint32_t number = 0; number < collection.multivectors().size(); ++number) {
    if (training_due(collection, number)) {
      TRY(engine::train_codes(collection, writer_of_(collection), number,
                              [this] { return stopping(); }));
      worked = true;
    }
  }
  return worked;
}

// No segment of the field below the number takes rows any more.
Result<uint32_t> Maintenance::freeze(Collection& collection, uint32_t field) {
  Status writable;
  uint32_t end = 0;
  const std::function<void()> on_writer = [&] {
    writable = collection.writable();
    collection.freeze(field);
    end = collection.take_segment_id();
  };
  if (!writer_of_(collection).run(on_writer)) {
    return store_closed();
  }
  TRY(std::move(writable));
  return end;
}

// Rows without codes have nothing to gain by moving, and those of a damaged segment cannot.
Result<bool> Maintenance::seal_in_place(Collection& collection, uint32_t field,
                                        uint32_t open_id_end) {
  bool worked = false;
  const auto view = collection.view();
  for (const SegmentView& frozen : view->fields[field].segments) {
    Segment& segment = *frozen.segment;
    const bool stays = segment.quantizer() == nullptr || segment.damaged();
    if (stays && !segment.sealed() && segment.id() < open_id_end && frozen.rows > 0) {
      TRY(segment.seal(frozen.rows));
      worked = true;
    }
  }
  return worked;
}

Status Maintenance::rewrite(Collection& collection, uint32_t field,
                            std::vector<SegmentView> inputs) {
  Writer& writer = writer_of_(collection);
  const uint64_t live = live_count(inputs);
  uint32_t id = 0;
  if (!writer.run([&] { id = collection.take_segment_id(); })) {
    return store_closed();
  }
  const auto rows_max = static_cast<uint32_t>(std::max<uint64_t>(live, 1));
  Rewrite work{field, std::move(inputs), nullptr, {}};
  TRY_ASSIGN(auto quantizer, train_quantizer(collection, work, [this] { return stopping(); }));
  TRY_ASSIGN(work.output,
             Segment::create(collection.shared_storage(), collection.segments_folder(),
                             collection.fields()[field], collection.segment_options(id, rows_max),
                             std::move(quantizer)));
  Status done = write_output(collection, work);
  if (done.ok()) {
    done = replace(collection, work);
  }
  if (!done.ok()) {
    work.output->drop_files();
    return done;
  }
  TRY(checkpoint(collection));
  // The manifest no longer names the inputs: their files go with their last search.
  std::vector<uint64_t> retired;
  for (const SegmentView& input : work.inputs) {
    input.segment->drop_files();
    retired.push_back(input.segment->source().id());
  }
  retire_(retired);
  return {};
}

// A few thousand rows at a time, so that no write waits for all of them. Once begun it is finished:
// it touches no disk, and the writer ends after this thread.
Status Maintenance::replace(Collection& collection, const Rewrite& work) {
  Writer& writer = writer_of_(collection);
  Status writable;
  const std::function<void()> begin = [&] {
    writable = collection.writable();
    if (writable.ok()) {
      collection.begin_replacing(work);
    }
  };
  if (!writer.run(begin)) {
    return store_closed();
  }
  TRY(std::move(writable));
  bool more = true;
  while (more) {
    const bool ran = writer.run([&] { more = collection.replace_some(work); });
    ASSERT(ran);
  }
  const bool ran = writer.run([&] { collection.end_replacing(work); });
  ASSERT(ran);
  return {};
}

Status Maintenance::write_output(Collection& collection, Rewrite& work) {
  TRY(fill_output(collection, work, [this] { return stopping(); }));
  TRY(after_sync(collection, work.output->sync()));
  return work.output->seal(work.output->rows());
}

// Sealed segments of the field that lack the graph that they shall have: it was damaged.
Result<bool> Maintenance::restore_graphs(Collection& collection, uint32_t field) {
  bool worked = false;
  const auto view = collection.view();
  for (const SegmentView& sealed : view->fields[field].segments) {
    Segment& segment = *sealed.segment;
    if (segment.sealed() && segment.graph() == nullptr && segment.wants_graph(sealed.rows)) {
      TRY(make_graph(collection, sealed, [this] { return stopping(); }));
      TRY(segment.rewrite_graph());
      TRY(after_sync(collection, collection.storage().sync_folder(collection.segments_folder())));
      worked = true;
    }
  }
  return worked;
}

}  // namespace asyncstore::engine
