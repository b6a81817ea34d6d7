// The engine: one open store. Everything above it is Python.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/histogram.h"
#include "base/result.h"
#include "engine/catalog.h"
#include "engine/chores.h"
#include "engine/collection.h"
#include "engine/completion_queue.h"
#include "engine/direct_reading.h"
#include "engine/field_answers.h"
#include "engine/maintenance.h"
#include "engine/multivector_request.h"
#include "engine/options.h"
#include "engine/search.h"
#include "engine/sparse_request.h"
#include "engine/stage_clock.h"
#include "engine/worker.h"
#include "engine/writer.h"
#include "io/row_cache.h"
#include "io/storage.h"

namespace asyncstore::engine {

struct StoreStatistics {
  io::ReaderKind reader = io::ReaderKind::mmap;
  std::string reader_reason;
  uint64_t workers = 0;
  uint64_t tasks_waiting = 0;  // that no worker has begun
  uint64_t tasks_running = 0;
  bool direct = false;       // originals are read past the page cache
  uint64_t cache_bytes = 0;  // of rows that are kept
  uint64_t searches = 0;
  uint64_t candidates = 0;
  uint64_t rows_rescored = 0;
  uint64_t rows_skipped = 0;
  std::array<base::HistogramCounts, k_search_stages> stages;  // by SearchStage
  io::ReaderStatistics io;
};

// A folder with the files STORE and LOCK and a numbered folder for each collection. Submitting
// calls come from one thread (Python's); each answers its ticket through completions() exactly
// once, unless it returns false: then the inbox is full and nothing was taken.
class Engine {
 public:
  static base::Result<std::unique_ptr<Engine>> open(std::shared_ptr<io::Storage> storage,
                                                    const std::string& path,
                                                    const Options& options);
  // Ends all work as close() does.
  ~Engine();

  // Searches in flight are answered with "closed", writes that were taken are finished, what
  // changed is checkpointed. Afterwards every submission is answered with "closed". Idempotent.
  void close();

  CompletionQueue& completions() { return *completions_; }
  uint64_t next_ticket() { return ++last_ticket_; }
  StoreStatistics statistics() const;
  std::vector<std::shared_ptr<Collection>> collections() const { return catalog_.collections(); }
  std::vector<BrokenCollection> broken() const { return catalog_.broken(); }
  base::Result<AliasMap> aliases() const { return catalog_.aliases(); }

  bool create_collection(uint64_t ticket, CollectionFile file);
  // Answers false when its configuration was not `expected` any more.
  bool configure_collection(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                            std::vector<std::byte> expected, std::vector<std::byte> config,
                            const OptimizerOverrides& optimizers);
  bool delete_collection(uint64_t ticket, std::string name);
  bool update_aliases(uint64_t ticket, std::vector<AliasAction> actions);
  bool write(uint64_t ticket, const std::shared_ptr<Collection>& collection, WriteJob job);
  bool search(uint64_t ticket, const std::shared_ptr<Collection>& collection,
              SearchRequest request);
  bool search_batch(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                    SearchRequest request);
  // By sparse vectors, and by multivectors; those that are no batches have one query.
  bool search(uint64_t ticket, const std::shared_ptr<Collection>& collection,
              SparseSearchRequest request);
  bool search_batch(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                    SparseSearchRequest request);
  bool search(uint64_t ticket, const std::shared_ptr<Collection>& collection,
              MultivectorSearchRequest request);
  bool search_batch(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                    MultivectorSearchRequest request);
  bool retrieve(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                std::vector<points::PointId> ids, With with);
  // Without a filter: all points.
  bool scroll(uint64_t ticket, const std::shared_ptr<Collection>& collection,
              points::PointId offset, uint64_t limit, std::shared_ptr<const filter::Filter> filter,
              With with);
  bool count(uint64_t ticket, const std::shared_ptr<Collection>& collection,
             std::shared_ptr<const filter::Filter> filter, bool exact);
  bool matching_ids(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                    std::shared_ptr<const filter::Filter> filter);
  bool sample(uint64_t ticket, const std::shared_ptr<Collection>& collection,
              std::shared_ptr<const filter::Filter> filter, uint64_t count, uint64_t seed);
  bool order(uint64_t ticket, const std::shared_ptr<Collection>& collection,
             std::shared_ptr<const filter::Filter> filter, OrderTask::Wanted wanted);
  bool facet(uint64_t ticket, const std::shared_ptr<Collection>& collection,
             const std::shared_ptr<const filter::Filter>& filter, std::string key, uint64_t limit);
  bool check_vectors(uint64_t ticket, const float* values, uint64_t rows, uint32_t dim);
  void optimize(uint64_t ticket, const std::shared_ptr<Collection>& collection);
  void prewarm(uint64_t ticket, const std::shared_ptr<Collection>& collection,
               uint64_t budget_bytes);
  // Answers once the payload index of the field is in use, or is no more.
  void build_index(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                   const std::string& field);
  // Answers with the collection's files as of one operation, held open.
  void snapshot(uint64_t ticket, const std::shared_ptr<Collection>& collection);
  // The files of a collection in a folder of the store's, and the name that it is to have.
  struct Brought {
    std::string name;
    std::string folder;
  };
  // Makes collections of them. All are verified; then each takes the place of the collection of its
  // name, if there is one. The folders go, or after an error may stay.
  void recover_collections(uint64_t ticket, std::vector<Brought> brought);
  // With `repair`, mends what it can of what it finds.
  void check(uint64_t ticket, const std::shared_ptr<Collection>& collection, bool repair);

 private:
  Engine(std::shared_ptr<io::Storage> storage, std::string path, Options options);
  base::Status prepare_folder();
  base::Status take_lock();
  base::Status make_readers();
  void start();
  bool refused(uint64_t ticket);
  bool refused(uint64_t ticket, const Collection& collection);
  bool offer(uint64_t ticket, std::unique_ptr<Task> task);
  bool offer(uint64_t ticket, std::span<std::unique_ptr<Task>> tasks);
  // By vectors that are kept as values.
  template <typename SomeTask, typename Request>
  bool search_kept(uint64_t ticket, const std::shared_ptr<Collection>& collection, Request request);
  template <typename SomeTask, typename Request>
  bool search_kept_batch(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                         Request request);
  Writer& writer_of(const Collection& collection);
  void leave(Collection& collection);
  void retire(std::span<const uint64_t> source_ids);
  void look_at_memory();
  void build_indexes();
  void build_indexes(const std::shared_ptr<Collection>& collection);
  void use(uint64_t ticket, std::span<const Arrival> arrivals);
  void refuse(std::span<const Arrival> arrivals);

  std::shared_ptr<io::Storage> storage_;
  std::string path_;
  Options options_;
  std::unique_ptr<io::File> lock_;
  std::unique_ptr<CompletionQueue> completions_;
  uint64_t last_ticket_ = 0;
  std::atomic<bool> closed_{false};

  std::string reader_reason_;
  io::ReaderKind reader_kind_ = io::ReaderKind::mmap;
  DirectReading direct_reading_;
  std::shared_ptr<io::RowCache> cache_;               // null: rows are not kept
  std::vector<std::unique_ptr<io::Reader>> readers_;  // until the workers own them

  Catalog catalog_;
  TaskQueue tasks_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Writer>> writers_;
  std::unique_ptr<Maintenance> maintenance_;
  std::unique_ptr<Chores> chores_;          // prewarm, check
  std::unique_ptr<Chores> catalog_chores_;  // creating, changing and deleting collections, aliases
  std::unique_ptr<Chores> index_chores_;    // making payload indexes
};

}  // namespace asyncstore::engine
