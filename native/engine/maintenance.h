// What goes on behind the writes: checkpoints, sealing, merging, vacuuming.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include "engine/collection.h"
#include "engine/completion_queue.h"
#include "engine/damage.h"
#include "engine/options.h"
#include "engine/snapshot.h"
#include "engine/writer.h"

namespace asyncstore::engine {

// One thread for all collections. It reads what is immutable, writes new files, and hands results
// to the collection's writer in short steps; it holds up neither searches nor writes.
class Maintenance {
 public:
  using Collections = std::function<std::vector<std::shared_ptr<Collection>>()>;
  using WriterOf = std::function<Writer&(const Collection&)>;
  // Told of segments that searches will not read any more.
  using Retire = std::function<void(std::span<const uint64_t> source_ids)>;

  // Called now and then, while nothing is to be done.
  using LookAround = std::function<void()>;

  Maintenance(const Options& options, Collections collections, WriterOf writer_of, Retire retire,
              LookAround look_around, CompletionQueue& completions);

  void start();
  // Ends after the step at hand, answers waiting requests with "closed", and joins.
  void stop();
  // Seals, merges and vacuums until nothing is left to do, then completes the ticket.
  void optimize(uint64_t ticket, const std::shared_ptr<Collection>& collection);
  // Mends what a check found, makes it durable, looks again, and completes the ticket with what
  // became of it.
  void repair(uint64_t ticket, const std::shared_ptr<Collection>& collection,
              std::vector<Damage> damages);
  // Makes a checkpoint, and completes the ticket with the files that it left, held open. While one
  // optimizes, that comes first.
  void snapshot(uint64_t ticket, const std::shared_ptr<Collection>& collection);
  // Makes everything up to now durable outside the log. Only when the thread does not run.
  base::Status checkpoint(Collection& collection, Saving saving = Saving::as_due);
  // After a checkpoint, where no writes are expected: leaves no more on disk than is needed.
  void rest(Collection& collection);

 private:
  struct Request {
    uint64_t ticket;
    std::shared_ptr<Collection> collection;
    std::optional<std::vector<Damage>> damages;  // to be repaired; without: optimize
    bool is_snapshot = false;
  };
  struct Activity {  // when a collection was last seen to change, in ticks
    uint64_t lsn = 0;
    uint64_t quiet_ticks = 0;
    uint64_t pause_ticks = 0;  // after a failure
  };

  void loop();
  void tick();
  void take(Request request);
  void serve(Request& request);
  base::Status optimize_now(Collection& collection);
  base::Result<std::shared_ptr<Snapshot>> snapshot_now(Collection& collection);
  base::Result<std::vector<Finding>> repair_now(Collection& collection,
                                                std::vector<Damage> damages);
  bool stopping();

  base::Status save(CheckpointPlan& plan, Collection& collection, Saving saving,
                    std::vector<std::string>& superfluous);
  base::Status save_indexes(CheckpointPlan& plan, Collection& collection, Manifest& manifest,
                            std::vector<std::string>& superfluous);
  base::Status save_kept(CheckpointPlan& plan, uint32_t kept, Collection& collection,
                         Manifest& manifest, std::vector<std::string>& superfluous);
  base::Status save_points(const CheckpointPlan& plan, Collection& collection, Saving saving,
                           Manifest& manifest, std::vector<std::string>& superfluous);
  base::Status save_values(CheckpointPlan& plan, Collection& collection, Manifest& manifest);
  base::Status save_segments(const CheckpointPlan& plan, Collection& collection, Manifest& manifest,
                             std::vector<std::string>& superfluous);

  bool seal_due(const Collection& collection, uint32_t field, bool idle) const;
  base::Result<bool> improve(Collection& collection, uint32_t field, bool seal, uint64_t segments);
  base::Result<uint32_t> freeze(Collection& collection, uint32_t field);
  base::Result<bool> seal_in_place(Collection& collection, uint32_t field, uint32_t open_id_end);
  base::Status rewrite(Collection& collection, uint32_t field, std::vector<SegmentView> inputs);
  base::Status write_output(Collection& collection, Rewrite& work);
  base::Status replace(Collection& collection, const Rewrite& work);
  // Of multivectors, where they are due; whether any were.
  base::Result<bool> train_codes(Collection& collection);
  base::Result<bool> restore_graphs(Collection& collection, uint32_t field);
  base::Status after_sync(Collection& collection, base::Status synced);

  const Options options_;
  Collections collections_;
  WriterOf writer_of_;
  Retire retire_;
  LookAround look_around_;
  uint64_t ticks_ = 0;
  CompletionQueue& completions_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Request> requests_;
  bool stopping_ = false;
  std::unordered_map<const Collection*, Activity> activity_;
  std::thread thread_;
};

}  // namespace asyncstore::engine
