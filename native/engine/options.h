// What a store is opened with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/limits.h"
#include "engine/opening.h"
#include "engine/optimizer_settings.h"
#include "wal/log.h"

namespace asyncstore::engine {

enum class Choice : uint8_t { automatic, yes, no };

struct Options {
  Choice async_scorer = Choice::automatic;
  wal::Durability durability = wal::Durability::fsync;
  uint32_t workers = 0;  // 0: one per CPU
  uint32_t io_depth = base::k_io_depth_default;
  Choice direct_io = Choice::automatic;
  uint64_t cache_bytes = 0;  // for rows that were read; direct reads only
  bool prewarm = true;
  // Whether reads are direct or not by the memory that is left (engine/direct_reading.h).
  bool direct_by_memory() const { return direct_io == Choice::automatic && cache_bytes > 0; }

  OptimizerSettings optimizers;  // of collections that have none of their own
  uint64_t wal_capacity_bytes = 32 << 20;
  // What the writer does for the optimizer without letting a write come between, in points: about
  // a millisecond.
  uint32_t writer_part_points = 4096;

  std::shared_ptr<Opening> opening;  // told how far opening has come; null: nobody asks
  std::string fault;                 // a plan for io/fault_reader.h; tests only
};

}  // namespace asyncstore::engine
