// CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected), the checksum of everything on disk.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace asyncstore::base {

// The checksum of `bytes` appended to bytes whose checksum is `crc` (0 for none).
// crc32c of "123456789" is 0xE3069283.
uint32_t crc32c(Bytes bytes, uint32_t crc = 0);

// The same by table alone; tests hold the fast one against it.
uint32_t crc32c_portable(Bytes bytes, uint32_t crc = 0);

}  // namespace asyncstore::base
