// The bounds of payload JSON.
#pragma once

#include <cstdint>

namespace asyncstore::payload {

// Containers inside each other, the outermost counted: 64 is far beyond what people write, and the
// walks here are recursive, one frame a level.
inline constexpr uint32_t k_payload_depth_max = 64;
// Half of the 32 MiB that Qdrant takes as one request. Offsets are u32; reading a text takes up to
// about fifteen times its size in memory for a moment (the copies, an index of its tokens, nodes).
inline constexpr uint32_t k_payload_bytes_max = 16 << 20;
// Paths of one removal or projection: each is compared with each member on its way.
inline constexpr uint32_t k_payload_paths_max = 256;

}  // namespace asyncstore::payload
