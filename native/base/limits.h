// Every bound of the engine in one place: no queue and no loop is without one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace asyncstore::base {

inline constexpr uint32_t k_dim_max = 65536;
inline constexpr uint32_t k_row_bytes_max = k_dim_max * sizeof(float);  // 256 KiB
inline constexpr uint32_t k_fields_max = 64;  // named vectors of a collection

// A sector: the least that a device reads, and the alignment that O_DIRECT asks for here.
inline constexpr uint32_t k_sector_bytes = 512;
inline constexpr uint32_t k_page_bytes = 4096;

inline constexpr uint32_t k_io_depth_default = 128;  // reads in flight per worker
inline constexpr uint32_t k_io_depth_max = 4096;
// One read: a row of the largest size, twice.
inline constexpr uint32_t k_read_bytes_max = 512 << 10;
inline constexpr uint32_t k_read_pool_bytes = 8 << 20;  // buffers of one worker
// Rows with at most this between them are read at once: another request costs the device about what
// reading 12 KiB more does (docs/decisions/0015-joined-reads.md).
inline constexpr uint32_t k_read_gap_bytes = 8 << 10;
// EINTR, EAGAIN, EBUSY and short reads of one read.
inline constexpr uint32_t k_read_retries_max = 16;

inline constexpr uint32_t k_searches_queued_max = 4096;  // then submitters wait
inline constexpr uint32_t k_writes_queued_max = 64;      // jobs of at most k_write_bytes_max
inline constexpr uint32_t k_write_bytes_max = 8 << 20;   // vectors of one log record
inline constexpr uint32_t k_write_points_max = 1 << 16;  // points of one log record
inline constexpr uint32_t k_searches_active_max = 64;    // searches one worker holds open

inline constexpr uint32_t k_workers_max = 256;
inline constexpr uint64_t k_log_file_bytes_max = uint64_t{4} << 30;
inline constexpr uint32_t k_collections_max = 65536;
inline constexpr uint32_t k_segments_max = 4096;  // of one vector field

// Preselected candidates of one search; more is answered by an exact scan.
inline constexpr uint64_t k_candidates_max = 1 << 20;
inline constexpr uint64_t k_batch_results_max = 1 << 26;  // queries times limit of one batch

// Vectors that one query gives as examples of what it looks for.
inline constexpr uint64_t k_examples_max = 4096;

// Of what passed the filters that were asked last, for each collection.
inline constexpr uint64_t k_filter_cache_bytes = 16 << 20;

}  // namespace asyncstore::base
