#include "gridstore_bench_stores.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "gridstore/gridstore.h"
#include "io/storage.h"
#include "simd/pause.h"

#ifdef ASYNCSTORE_BENCH_ROCKSDB
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#endif
#ifdef ASYNCSTORE_BENCH_LMDB
#include <lmdb.h>
#endif

namespace asyncstore::bench {
namespace {

void must(const base::Status& status) {
  if (!status.ok()) {
    die(status.error().message);
  }
}

template <typename T>
T must(base::Result<T> result) {
  if (!result.ok()) {
    die(result.error().message);
  }
  return std::move(result.value());
}

// Waits a moment for the other writer before it goes to sleep, as the peers' locks do.
class SpinningLock {
 public:
  void lock() {
    for (int i = 0; i < 2000; ++i) {
      if (mutex_.try_lock()) {
        return;
      }
      simd::pause();
    }
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

// One writer at a time, by a lock; reads and the encoding of values take none.
class GridstoreStore final : public Store {
 public:
  explicit GridstoreStore(const std::string& folder)
      : storage_(io::make_posix_storage()), manifest_(folder + "/manifest") {
    gridstore::Options options;
    options.owner = 1;
    store_ = must(gridstore::Gridstore::open(storage_, folder + "/grid", options, 0));
  }

  void put(uint32_t key, base::Bytes value) override {
    thread_local gridstore::Encoded encoded;
    must(store_->encode(key, value, encoded));
    const std::lock_guard lock(writing_);
    must(store_->put(encoded));
    must(store_->write_out());
    store_->release(nullptr);
  }

  bool get(uint32_t key, std::vector<std::byte>& value) override {
    auto read = must(store_->read(key));
    if (!read) {
      return false;
    }
    value = std::move(*read);
    return true;
  }

  void flush() override {
    const std::lock_guard flushing(flushing_);
    std::unique_ptr<gridstore::FlushPlan> plan;
    {
      const std::lock_guard lock(writing_);
      plan = store_->plan_flush();
    }
    if (!plan) {
      return;
    }
    must(store_->prepare(*plan, ++number_));
    must(io::replace_file(*storage_, manifest_, std::as_bytes(std::span(&number_, 1))));
    must(store_->finish(*plan));
    const std::lock_guard lock(writing_);
    store_->committed(std::move(plan));
  }

 private:
  std::shared_ptr<io::Storage> storage_;
  std::string manifest_;
  std::unique_ptr<gridstore::Gridstore> store_;
  SpinningLock writing_;
  std::mutex flushing_;
  uint64_t number_ = 0;
};

// Values in memory and nothing else: what the machine and the measuring let any store have.
class MemoryStore final : public Store {
 public:
  explicit MemoryStore(const std::string&) {}

  void put(uint32_t key, base::Bytes value) override {
    const std::lock_guard lock(lock_);
    if (key >= values_.size()) {
      values_.resize(std::max<size_t>(key + 1, 2 * values_.size()));
    }
    values_[key].assign(value.begin(), value.end());
  }

  bool get(uint32_t key, std::vector<std::byte>& value) override {
    const std::lock_guard lock(lock_);
    if (key >= values_.size() || values_[key].empty()) {
      return false;
    }
    value = values_[key];
    return true;
  }

  void flush() override {}

 private:
  SpinningLock lock_;
  std::vector<std::vector<std::byte>> values_ = std::vector<std::vector<std::byte>>(1 << 21);
};

#ifdef ASYNCSTORE_BENCH_ROCKSDB

// With its own log, or without: as Gridstore, whose caller has a log.
class RocksStore : public Store {
 public:
  RocksStore(const std::string& folder, bool with_log) {
    writing_.disableWAL = !with_log;
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kLZ4Compression;
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(512 << 20);
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    rocksdb::DB* store = nullptr;
    must(rocksdb::DB::Open(options, folder + "/rocks", &store));
    store_.reset(store);
  }

  void put(uint32_t key, base::Bytes value) override {
    const uint32_t ordered = __builtin_bswap32(key);  // sequential inserts stay sequential
    must(store_->Put(writing_, slice(ordered),
                     {reinterpret_cast<const char*>(value.data()), value.size()}));
  }

  bool get(uint32_t key, std::vector<std::byte>& value) override {
    const uint32_t ordered = __builtin_bswap32(key);
    rocksdb::PinnableSlice found;
    const auto status =
        store_->Get(rocksdb::ReadOptions(), store_->DefaultColumnFamily(), slice(ordered), &found);
    if (status.IsNotFound()) {
      return false;
    }
    must(status);
    const auto* begin = reinterpret_cast<const std::byte*>(found.data());
    value.assign(begin, begin + found.size());
    return true;
  }

  void flush() override {
    must(writing_.disableWAL ? store_->Flush(rocksdb::FlushOptions()) : store_->FlushWAL(true));
  }

 private:
  static rocksdb::Slice slice(const uint32_t& key) {
    return {reinterpret_cast<const char*>(&key), sizeof key};
  }
  static void must(const rocksdb::Status& status) {
    if (!status.ok()) {
      die(status.ToString());
    }
  }
  std::unique_ptr<rocksdb::DB> store_;
  rocksdb::WriteOptions writing_;
};

class RocksStoreWithLog final : public RocksStore {
 public:
  explicit RocksStoreWithLog(const std::string& folder) : RocksStore(folder, true) {}
};
class RocksStoreWithoutLog final : public RocksStore {
 public:
  explicit RocksStoreWithoutLog(const std::string& folder) : RocksStore(folder, false) {}
};

#endif

#ifdef ASYNCSTORE_BENCH_LMDB

class LmdbStore final : public Store {
 public:
  explicit LmdbStore(const std::string& folder) {
    must(mdb_env_create(&environment_));
    must(mdb_env_set_mapsize(environment_, uint64_t{64} << 30));
    must(mdb_env_open(environment_, folder.c_str(), MDB_NOSYNC | MDB_NORDAHEAD, 0644));
    MDB_txn* change = nullptr;
    must(mdb_txn_begin(environment_, nullptr, 0, &change));
    must(mdb_dbi_open(change, nullptr, MDB_INTEGERKEY | MDB_CREATE, &table_));
    must(mdb_txn_commit(change));
  }
  ~LmdbStore() override { mdb_env_close(environment_); }

  void put(uint32_t key, base::Bytes value) override {
    MDB_txn* change = nullptr;
    must(mdb_txn_begin(environment_, nullptr, 0, &change));
    MDB_val name{sizeof key, &key};
    MDB_val content{value.size(), const_cast<std::byte*>(value.data())};
    must(mdb_put(change, table_, &name, &content, 0));
    must(mdb_txn_commit(change));
  }

  bool get(uint32_t key, std::vector<std::byte>& value) override {
    MDB_txn* look = nullptr;
    must(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &look));
    MDB_val name{sizeof key, &key};
    MDB_val content;
    const int outcome = mdb_get(look, table_, &name, &content);
    if (outcome == 0) {
      const auto* begin = static_cast<const std::byte*>(content.mv_data);
      value.assign(begin, begin + content.mv_size);
    } else if (outcome != MDB_NOTFOUND) {
      must(outcome);
    }
    mdb_txn_abort(look);
    return outcome == 0;
  }

  void flush() override { must(mdb_env_sync(environment_, 1)); }

 private:
  static void must(int outcome) {
    if (outcome != 0) {
      die(mdb_strerror(outcome));
    }
  }
  MDB_env* environment_ = nullptr;
  MDB_dbi table_ = 0;
};

#endif

template <typename T>
std::unique_ptr<Store> open_store(const std::string& folder) {
  return std::make_unique<T>(folder);
}

}  // namespace

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"gridstore", "the last flush: its caller has a log", &open_store<GridstoreStore>},
      {"memory", "none: values in an array under a lock", &open_store<MemoryStore>},
#ifdef ASYNCSTORE_BENCH_ROCKSDB
      {"rocksdb", "log without sync; FlushWAL(sync)", &open_store<RocksStoreWithLog>},
      {"rocksdb-no-log", "the last flush: disableWAL; Flush", &open_store<RocksStoreWithoutLog>},
#endif
#ifdef ASYNCSTORE_BENCH_LMDB
      {"lmdb", "MDB_NOSYNC (power loss may damage it); mdb_env_sync", &open_store<LmdbStore>},
#endif
  };
  return all;
}

void die(const std::string& what) {
  std::fprintf(stderr, "gridstore_bench: %s\n", what.c_str());
  std::exit(1);
}

}  // namespace asyncstore::bench
