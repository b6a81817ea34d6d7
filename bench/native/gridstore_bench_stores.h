// The stores that gridstore_bench compares, behind one interface.
//
// What power loss leaves is the same for all: what the last flush() synced, which another thread
// calls every so many operations. Of the death of the process Gridstore and RocksDB without its log
// survive likewise only what the last flush() wrote: who uses them has a log of its own. RocksDB
// with its log, as Qdrant used it before its Gridstore, and LMDB survive it with every write.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace asyncstore::bench {

// Keys are 0, 1, 2, …; put, remove and get may be called from several threads.
class Store {
 public:
  virtual ~Store() = default;
  virtual void put(uint32_t key, base::Bytes value) = 0;
  // False when there is no such key.
  virtual bool get(uint32_t key, std::vector<std::byte>& value) = 0;
  virtual void flush() = 0;
};

struct Kind {
  const char* name;
  const char* durability;  // in words
  std::unique_ptr<Store> (*open)(const std::string& folder);
};

// Gridstore, and those of RocksDB and LMDB that were found when this was built.
const std::vector<Kind>& kinds();

[[noreturn]] void die(const std::string& what);

}  // namespace asyncstore::bench
