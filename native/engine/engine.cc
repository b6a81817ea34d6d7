#include "engine/engine.h"

#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string_view>
#include <thread>
#include <utility>

#include "engine/errors.h"
#include "engine/fetch.h"
#include "engine/index_build.h"
#include "engine/multivector_search.h"
#include "engine/repair.h"
#include "engine/sparse_example_search.h"
#include "engine/sparse_search.h"
#include "io/cached_reader.h"
#include "io/fault_plan.h"
#include "io/fault_reader.h"

namespace asyncstore::engine {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using points::PointId;

namespace {

constexpr char k_store_text[] = "asyncstore\nformat 1\n";
constexpr size_t k_store_file_bytes = 4096;  // a page, so that the probe of io_uring can read it
constexpr size_t k_writers = 2;
// Queries of a batch that are worth a task: of those that scan codes, and of those that walk.
constexpr size_t k_scan_part_min = 16;
constexpr size_t k_walk_part_min = 4;
constexpr size_t k_batch_parts_max = 256;
// Codes that are scanned: from so many on, as many queries as can be shall share a scan.
constexpr uint64_t k_shared_scan_bytes = 16 << 20;

// What to do about a folder that cannot be opened.
Status advised(Status status) {
  if (!status.ok()) {
    std::string& message = status.error().message;
    switch (status.error().os_errno) {
      case ENOENT:
        message += ". Make the folder around it first.";
        break;
      case EEXIST:
      case ENOTDIR:
        message += ". A store is a folder: give the path of one, or of none yet.";
        break;
      case EROFS:
      case EACCES:
      case EPERM:
        message += ". A store needs a folder that it may write to, even if it is only read.";
        break;
      default:
        break;
    }
  }
  return status;
}

uint32_t worker_count(const Options& options) {
  const uint32_t wanted =
      options.workers > 0 ? options.workers : std::thread::hardware_concurrency();
  return std::clamp<uint32_t>(wanted, 1, base::k_workers_max);
}

// How many tasks a batch becomes. Where graphs are walked they are small: then the rows of some are
// read while others still look for theirs, and a wave does not wait for places in the ring.
size_t batch_parts(const FieldView& field, size_t queries, size_t workers) {
  uint64_t scanned_bytes = 0;
  for (const SegmentView& view : field.segments) {
    if (view.segment->graph() == nullptr && view.segment->quantizer()) {
      scanned_bytes += uint64_t{view.rows} * view.segment->quantizer()->code_bytes();
    }
  }
  const bool scans = scanned_bytes >= k_shared_scan_bytes;
  const size_t parts = queries / (scans ? k_scan_part_min : k_walk_part_min);
  return std::clamp<size_t>(parts, 1, std::max<size_t>(scans ? workers : k_batch_parts_max, 1));
}

}  // namespace

Engine::Engine(std::shared_ptr<io::Storage> storage, std::string path, Options options)
    : storage_(std::move(storage)),
      path_(std::move(path)),
      options_(std::move(options)),
      direct_reading_(options_),
      catalog_(storage_, path_ + "/collections", options_) {}

Result<std::unique_ptr<Engine>> Engine::open(std::shared_ptr<io::Storage> storage,
                                             const std::string& path, const Options& options) {
  std::unique_ptr<Engine> engine(new Engine(std::move(storage), path, options));
  TRY_ASSIGN(engine->completions_, CompletionQueue::create());
  TRY(engine->prepare_folder());
  TRY(engine->make_readers());
  TRY(engine->catalog_.open());
  engine->options_.opening.reset();  // of collections that come later nobody asks
  engine->start();
  return engine;
}

Engine::~Engine() {
  close();
}

// --- opening ---

Status Engine::prepare_folder() {
  const std::string store = path_ + "/STORE";
  TRY(advised(storage_->create_folder(path_)));
  if (!storage_->exists(store)) {
    TRY_ASSIGN(const auto names, storage_->list(path_));
    const auto foreign = std::find_if(names.begin(), names.end(), [](const auto& name) {
      return name != "LOCK" && name != "STORE.new" && name != "collections";
    });
    if (foreign != names.end()) {
      return base::invalid_argument("'" + path_ +
                                    "' is not a store: it has no file STORE, but holds '" +
                                    *foreign + "'. Give an empty or a new folder.");
    }
    TRY(take_lock());
    TRY(storage_->create_folder(path_ + "/collections"));
    std::vector<std::byte> content(k_store_file_bytes);
    std::memcpy(content.data(), k_store_text, sizeof k_store_text - 1);
    return io::replace_file(*storage_, store, content);
  }
  TRY(take_lock());
  TRY_ASSIGN(const auto content, io::read_file(*storage_, store, k_store_file_bytes));
  const std::string_view all(reinterpret_cast<const char*>(content.data()), content.size());
  const std::string text(all.substr(0, all.find('\0')));
  if (text != k_store_text) {
    constexpr std::string_view k_begin = "asyncstore\nformat ";
    const size_t end = text.find('\n', k_begin.size());
    const uint64_t format = text.starts_with(k_begin) && end != std::string::npos
                                ? number_of(text.substr(k_begin.size(), end - k_begin.size()))
                                : 0;
    if (format > 1) {
      return Error{Code::unsupported, "the store in '" + path_ + "' has format " +
                                          std::to_string(format) +
                                          "; this asyncstore reads format 1. Open it with a newer "
                                          "one."};
    }
    return base::corruption(store, 0, "the file does not say that this is a store");
  }
  return {};
}

Status Engine::take_lock() {
  auto opened = storage_->open(path_ + "/LOCK", io::Open::create_or_open);
  if (!opened.ok()) {
    return advised(std::move(opened.error())).error();
  }
  lock_ = std::move(opened.value());
  if (flock(lock_->fd(), LOCK_EX | LOCK_NB) == 0) {
    return {};
  }
  if (errno == EWOULDBLOCK) {
    return Error{Code::locked,
                 "the store in '" + path_ +
                     "' is open already, here or in another process; close it there first"};
  }
  return base::io_error("cannot lock", path_ + "/LOCK", 0, errno);
}

Status Engine::make_readers() {
  io::ReaderOptions options;
  options.depth = options_.io_depth;
  options.gap_bytes = base::k_read_gap_bytes;
  options.direct = direct_reading_.on();
  if (options_.cache_bytes > 0) {
    cache_ = std::make_shared<io::RowCache>(options_.cache_bytes);
  }
  bool ring = options_.async_scorer != Choice::no;
  reader_reason_ = ring ? "io_uring works here" : "async_scorer is false";
  if (ring) {
    Status probed = io::probe_uring(path_ + "/STORE");
    if (!probed.ok()) {
      if (options_.async_scorer == Choice::yes) {
        return Error{Code::unsupported, "async_scorer is true, but " + probed.error().message};
      }
      ring = false;
      reader_reason_ = probed.error().message;
    }
  }
  reader_kind_ = ring ? io::ReaderKind::io_uring : io::ReaderKind::mmap;
  for (uint32_t i = 0; i < worker_count(options_); ++i) {
    auto made = ring ? io::make_uring_reader(options) : io::make_mmap_reader(options);
    TRY_ASSIGN(auto reader, std::move(made));
    if (cache_) {
      reader = std::make_unique<io::CachedReader>(std::move(reader), cache_, options.direct);
    }
    if (!options_.fault.empty()) {
      TRY_ASSIGN(const io::FaultPlan plan, io::parse_fault_plan(options_.fault));
      reader = std::make_unique<io::FaultReader>(std::move(reader), plan);
    }
    readers_.push_back(std::move(reader));
  }
  return {};
}

void Engine::start() {
  for (auto& reader : std::exchange(readers_, {})) {
    workers_.push_back(std::make_unique<Worker>(tasks_, *completions_, std::move(reader)));
    workers_.back()->start();
  }
  for (size_t i = 0; i < k_writers; ++i) {
    writers_.push_back(std::make_unique<Writer>(*completions_));
    writers_.back()->start();
  }
  maintenance_ = std::make_unique<Maintenance>(
      options_, [this] { return collections(); },
      [this](const Collection& collection) -> Writer& { return writer_of(collection); },
      [this](std::span<const uint64_t> ids) { retire(ids); }, [this] { look_at_memory(); },
      *completions_);
  look_at_memory();
  maintenance_->start();
  chores_ = std::make_unique<Chores>(*completions_);
  chores_->start();
  catalog_chores_ = std::make_unique<Chores>(*completions_);
  catalog_chores_->start();
  index_chores_ = std::make_unique<Chores>(*completions_);
  index_chores_->start();
  build_indexes();
  if (options_.prewarm && !direct_reading_.on()) {  // what is read directly is not looked for there
    for (const auto& collection : collections()) {
      chores_->prewarm(0, collection, 0);
    }
  }
}

void Engine::close() {
  if (closed_.exchange(true)) {
    return;
  }
  for (auto& task : tasks_.close()) {
    task->abandon(store_closed());
  }
  for (Chores* chores : {catalog_chores_.get(), chores_.get(), index_chores_.get()}) {
    if (chores != nullptr) {
      chores->stop();
    }
  }
  if (maintenance_) {
    maintenance_->stop();
  }
  for (auto& worker : workers_) {
    worker->stop(store_closed());
  }
  for (auto& writer : writers_) {
    writer->stop();
  }
  if (maintenance_) {
    for (const auto& collection : collections()) {
      if (collection->unsaved() || collection->index_changes()) {
        // What cannot be saved now is in the log and is replayed at the next open.
        static_cast<void>(maintenance_->checkpoint(*collection, Saving::all).ok());
      }
      maintenance_->rest(*collection);
    }
  }
  catalog_.close();
  lock_.reset();
}

// --- what is there ---

StoreStatistics Engine::statistics() const {
  StoreStatistics sum;
  sum.reader = reader_kind_;
  sum.reader_reason = reader_reason_;
  sum.workers = workers_.size();
  sum.tasks_waiting = tasks_.waiting();
  sum.direct = direct_reading_.on();
  sum.cache_bytes = cache_ ? cache_->bytes() : 0;
  for (const auto& worker : workers_) {
    const SearchCounters& counters = worker->counters();
    sum.searches += counters.searches.get();
    sum.candidates += counters.candidates.get();
    sum.rows_rescored += counters.rows_rescored.get();
    sum.rows_skipped += counters.rows_skipped.get();
    for (size_t stage = 0; stage < k_search_stages; ++stage) {
      sum.stages[stage].add(counters.stages[stage].counts());
    }
    sum.tasks_running += worker->tasks_running();
    const io::ReaderStatistics io = worker->reader_statistics();
    sum.io.requests += io.requests;
    sum.io.reads_submitted += io.reads_submitted;
    sum.io.read_bytes += io.read_bytes;
    sum.io.reads_retried += io.reads_retried;
    sum.io.cache_hits += io.cache_hits;
    sum.io.inflight_max = std::max(sum.io.inflight_max, io.inflight_max);
  }
  return sum;
}

Writer& Engine::writer_of(const Collection& collection) {
  // By the folder's number, so that collections made one after the other take turns.
  const std::string& folder = collection.folder();
  const uint64_t number = number_of(folder.substr(folder.rfind('/') + 1));
  return *writers_[number % writers_.size()];
}

void Engine::retire(std::span<const uint64_t> source_ids) {
  for (auto& worker : workers_) {
    worker->retire(source_ids);
  }
}

void Engine::look_at_memory() {
  uint64_t originals_bytes = 0;
  for (const auto& collection : collections()) {
    const auto view = collection->view();
    for (const FieldView& field : view->fields) {
      for (const SegmentView& segment : field.segments) {
        originals_bytes += segment.bytes();
      }
    }
  }
  if (direct_reading_.look(originals_bytes)) {
    for (auto& worker : workers_) {
      worker->set_direct(direct_reading_.on());
    }
  }
}

// --- submissions ---

bool Engine::create_collection(uint64_t ticket, CollectionFile file) {
  if (refused(ticket)) {
    return true;
  }
  catalog_chores_->run(ticket, [this, ticket, file = std::move(file)]() mutable {
    auto made = catalog_.create(std::move(file));
    if (made.ok()) {
      completions_->complete(ticket, std::move(made.value()));
    } else {
      completions_->fail(ticket, std::move(made.error()));
    }
  });
  return true;
}

bool Engine::configure_collection(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                                  std::vector<std::byte> expected, std::vector<std::byte> config,
                                  const OptimizerOverrides& optimizers) {
  if (refused(ticket, *collection)) {
    return true;
  }
  const auto configure = [this, ticket, collection, expected = std::move(expected),
                          config = std::move(config), optimizers]() mutable {
    if (refused(ticket, *collection)) {  // by now: deletions are chores of the same thread
      return;
    }
    auto changed = collection->replace_config(expected, std::move(config), optimizers);
    if (changed.ok()) {
      completions_->complete(ticket, changed.value());
    } else {
      completions_->fail(ticket, std::move(changed.error()));
    }
  };
  catalog_chores_->run(ticket, configure);
  return true;
}

bool Engine::delete_collection(uint64_t ticket, std::string name) {
  if (refused(ticket)) {
    return true;
  }
  catalog_chores_->run(ticket, [this, ticket, name = std::move(name)] {
    auto removed = catalog_.remove(name, [this](Collection& collection) { leave(collection); });
    if (removed.ok()) {
      completions_->complete(ticket, removed.value());
    } else {
      completions_->fail(ticket, std::move(removed.error()));
    }
  });
  return true;
}

bool Engine::update_aliases(uint64_t ticket, std::vector<AliasAction> actions) {
  if (refused(ticket)) {
    return true;
  }
  catalog_chores_->run(ticket, [this, ticket, actions = std::move(actions)] {
    Status changed = catalog_.change_aliases(actions);
    if (changed.ok()) {
      completions_->complete(ticket, std::monostate{});
    } else {
      completions_->fail(ticket, std::move(changed.error()));
    }
  });
  return true;
}

// Ends the writes of a collection that goes, and what readers remember of its files.
void Engine::leave(Collection& collection) {
  // Between two groups, so that every write before was answered and every later one is refused.
  std::vector<uint64_t> retired;
  writer_of(collection).run([&] {
    collection.drop();
    retired = collection.values().source_ids();
  });
  const auto view = collection.view();
  for (const auto& field : view->fields) {
    for (const auto& segment : field.segments) {
      retired.push_back(segment.segment->source().id());
    }
  }
  retire(retired);
}

// Answers for a store that is closed.
bool Engine::refused(uint64_t ticket) {
  const bool is_closed = closed_;
  if (is_closed) {
    completions_->fail(ticket, store_closed());
  }
  return is_closed;
}

// The same, and for a collection that is no more.
bool Engine::refused(uint64_t ticket, const Collection& collection) {
  if (refused(ticket)) {
    return true;
  }
  if (collection.dropped()) {
    completions_->fail(ticket, no_collection(collection.name()));
    return true;
  }
  return false;
}

bool Engine::write(uint64_t ticket, const std::shared_ptr<Collection>& collection, WriteJob job) {
  if (refused(ticket, *collection)) {
    return true;
  }
  job.ticket = ticket;
  return writer_of(*collection).offer(collection, job);
}

bool Engine::offer(uint64_t ticket, std::unique_ptr<Task> task) {
  return offer(ticket, std::span(&task, 1));
}

bool Engine::offer(uint64_t ticket, std::span<std::unique_ptr<Task>> tasks) {
  for (const auto& task : tasks) {
    task->job = ticket;
  }
  const TaskQueue::Offer offered = closed_ ? TaskQueue::Offer::closed : tasks_.offer(tasks);
  if (offered == TaskQueue::Offer::closed) {
    completions_->fail(ticket, store_closed());
  }
  return offered != TaskQueue::Offer::full;
}

bool Engine::search(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                    SearchRequest request) {
  if (refused(ticket, *collection)) {
    return true;
  }
  return offer(ticket,
               std::make_unique<SearchTask>(ticket, collection, std::move(request), *completions_));
}

bool Engine::search_batch(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                          SearchRequest request) {
  if (refused(ticket, *collection)) {
    return true;
  }
  const uint32_t dim = collection->fields()[request.field].dim;
  const size_t queries = request.queries.size() / dim;
  size_t parts = batch_parts(collection->view()->fields[request.field], queries, workers_.size());
  if (request.filter) {
    parts = std::min(parts, workers_.size());  // each part finds for itself which points pass
  }
  auto join = std::make_shared<BatchJoin>(ticket, queries, request.limit, parts, *completions_);
  std::vector<std::unique_ptr<Task>> tasks;
  tasks.reserve(parts);
  const std::vector<float> all = std::move(request.queries);
  request.queries.clear();
  for (size_t part = 0; part < parts; ++part) {
    const size_t begin = queries * part / parts;
    const size_t end = queries * (part + 1) / parts;
    SearchRequest some = request;
    some.queries.assign(all.begin() + static_cast<ptrdiff_t>(begin * dim),
                        all.begin() + static_cast<ptrdiff_t>(end * dim));
    tasks.push_back(std::make_unique<SearchTask>(ticket, collection, std::move(some), *completions_,
                                                 join, static_cast<uint32_t>(begin)));
  }
  return offer(ticket, tasks);
}

template <typename SomeTask, typename Request>
bool Engine::search_kept(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                         Request request) {
  if (refused(ticket, *collection)) {
    return true;
  }
  return offer(ticket,
               std::make_unique<SomeTask>(ticket, collection, std::move(request), *completions_));
}

template <typename SomeTask, typename Request>
bool Engine::search_kept_batch(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                               Request request) {
  if (refused(ticket, *collection)) {
    return true;
  }
  auto all = std::exchange(request.queries, {});
  const size_t parts = std::min(all.size(), workers_.size());
  auto join = std::make_shared<BatchJoin>(ticket, all.size(), request.limit, parts, *completions_);
  std::vector<std::unique_ptr<Task>> tasks;
  for (size_t part = 0; part < parts; ++part) {
    const size_t begin = all.size() * part / parts;
    const size_t end = all.size() * (part + 1) / parts;
    Request some = request;
    some.queries.assign(all.begin() + static_cast<ptrdiff_t>(begin),
                        all.begin() + static_cast<ptrdiff_t>(end));
    tasks.push_back(std::make_unique<SomeTask>(ticket, collection, std::move(some), *completions_,
                                               join, begin));
  }
  return offer(ticket, tasks);
}

bool Engine::search(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                    SparseSearchRequest request) {
  if (!request.score.is_similarity()) {
    return search_kept<SparseExampleSearchTask>(ticket, collection, std::move(request));
  }
  return search_kept<SparseSearchTask>(ticket, collection, std::move(request));
}

bool Engine::search_batch(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                          SparseSearchRequest request) {
  return search_kept_batch<SparseSearchTask>(ticket, collection, std::move(request));
}

bool Engine::search(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                    MultivectorSearchRequest request) {
  return search_kept<MultivectorSearchTask>(ticket, collection, std::move(request));
}

bool Engine::search_batch(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                          MultivectorSearchRequest request) {
  return search_kept_batch<MultivectorSearchTask>(ticket, collection, std::move(request));
}

bool Engine::retrieve(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                      std::vector<PointId> ids, With with) {
  if (refused(ticket, *collection)) {
    return true;
  }
  return offer(ticket, std::make_unique<RetrieveTask>(ticket, collection, std::move(ids),
                                                      std::move(with), *completions_));
}

bool Engine::scroll(uint64_t ticket, const std::shared_ptr<Collection>& collection, PointId offset,
                    uint64_t limit, std::shared_ptr<const filter::Filter> filter, With with) {
  if (refused(ticket, *collection)) {
    return true;
  }
  return offer(ticket,
               std::make_unique<ScrollTask>(ticket, collection, offset, limit, std::move(filter),
                                            std::move(with), *completions_));
}

bool Engine::count(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                   std::shared_ptr<const filter::Filter> filter, bool exact) {
  if (refused(ticket, *collection)) {
    return true;
  }
  return offer(ticket, std::make_unique<CountTask>(ticket, collection, std::move(filter), exact,
                                                   *completions_));
}

bool Engine::matching_ids(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                          std::shared_ptr<const filter::Filter> filter) {
  if (refused(ticket, *collection)) {
    return true;
  }
  return offer(ticket, std::make_unique<MatchingIdsTask>(ticket, collection, std::move(filter),
                                                         *completions_));
}

bool Engine::sample(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                    std::shared_ptr<const filter::Filter> filter, uint64_t count, uint64_t seed) {
  if (refused(ticket, *collection)) {
    return true;
  }
  return offer(ticket, std::make_unique<SampleTask>(ticket, collection, std::move(filter), count,
                                                    seed, *completions_));
}

bool Engine::order(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                   std::shared_ptr<const filter::Filter> filter, OrderTask::Wanted wanted) {
  if (refused(ticket, *collection)) {
    return true;
  }
  return offer(ticket, std::make_unique<OrderTask>(ticket, collection, std::move(filter),
                                                   std::move(wanted), *completions_));
}

bool Engine::facet(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                   const std::shared_ptr<const filter::Filter>& filter, std::string key,
                   uint64_t limit) {
  if (refused(ticket, *collection)) {
    return true;
  }
  return offer(ticket, std::make_unique<FacetTask>(ticket, collection, filter, std::move(key),
                                                   limit, *completions_));
}

bool Engine::check_vectors(uint64_t ticket, const float* values, uint64_t rows, uint32_t dim) {
  return offer(ticket,
               std::make_unique<CheckVectorsTask>(ticket, values, rows, dim, *completions_));
}

void Engine::optimize(uint64_t ticket, const std::shared_ptr<Collection>& collection) {
  if (!refused(ticket, *collection)) {
    maintenance_->optimize(ticket, collection);
  }
}

void Engine::prewarm(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                     uint64_t budget_bytes) {
  if (!refused(ticket, *collection)) {
    chores_->prewarm(ticket, collection, budget_bytes);
  }
}

// Those that a crash, or damage, has left without content.
void Engine::build_indexes() {
  for (const auto& collection : collections()) {
    build_indexes(collection);
  }
}

void Engine::build_indexes(const std::shared_ptr<Collection>& collection) {
  for (const auto& index : *collection->indexes().list()) {
    if (!index->content()) {
      build_index(0, collection, index->definition().schema.key);
    }
  }
}

void Engine::build_index(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                         const std::string& field) {
  if (refused(ticket, *collection)) {
    return;
  }
  index_chores_->run(ticket, [=, this] {
    const auto index = collection->indexes().find(field);
    const auto stopping = [&] { return closed_ || collection->dropped(); };
    Status built = index ? engine::build_index(*collection, writer_of(*collection), index, stopping)
                         : Status();
    if (ticket == 0) {
      return;  // what fails here fails again, and is told, when the index is asked for
    }
    if (built.ok()) {
      completions_->complete(ticket, std::monostate{});
    } else {
      completions_->fail(ticket, std::move(built.error()));
    }
  });
}

void Engine::snapshot(uint64_t ticket, const std::shared_ptr<Collection>& collection) {
  if (!refused(ticket, *collection)) {
    maintenance_->snapshot(ticket, collection);
  }
}

// Verifying takes long and changes nothing that anybody sees, so that collections may be made and
// deleted meanwhile. All are verified before the first is used.
void Engine::recover_collections(uint64_t ticket, std::vector<Brought> brought) {
  if (refused(ticket)) {
    return;
  }
  chores_->run(ticket, [this, ticket, brought = std::move(brought)] {
    std::vector<Arrival> arrivals;
    for (const Brought& one : brought) {
      auto arrival = catalog_.receive(one.folder, one.name, [this] { return closed_.load(); });
      if (!arrival.ok()) {
        refuse(arrivals);
        completions_->fail(ticket, std::move(arrival.error()));
        return;
      }
      arrivals.push_back(std::move(arrival.value()));
    }
    catalog_chores_->run(ticket,
                         [this, ticket, arrivals = std::move(arrivals)] { use(ticket, arrivals); });
  });
}

void Engine::use(uint64_t ticket, std::span<const Arrival> arrivals) {
  for (size_t i = 0; i < arrivals.size(); ++i) {
    const auto leave_replaced = [this](Collection& collection) { leave(collection); };
    const Status used = catalog_.replace(arrivals[i], leave_replaced);
    if (!used.ok()) {
      refuse(arrivals.subspan(i));
      completions_->fail(ticket, used.error());
      return;
    }
    build_indexes(arrivals[i].collection);
    if (options_.prewarm && !direct_reading_.on()) {
      chores_->prewarm(0, arrivals[i].collection, 0);
    }
  }
  completions_->complete(ticket, std::monostate{});
}

void Engine::refuse(std::span<const Arrival> arrivals) {
  for (const Arrival& arrival : arrivals) {
    catalog_.refuse(arrival);
  }
}

void Engine::check(uint64_t ticket, const std::shared_ptr<Collection>& collection, bool repair) {
  if (refused(ticket, *collection)) {
    return;
  }
  chores_->check(ticket, collection, [=, this](std::vector<Damage> found) {
    if (repair) {
      maintenance_->repair(ticket, collection, std::move(found));
    } else {
      completions_->complete(ticket, findings_of(std::move(found)));
    }
  });
}

}  // namespace asyncstore::engine
