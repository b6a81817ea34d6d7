#include "base/crc32c.h"

#include <array>

#if defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace asyncstore::base {
namespace {

constexpr uint32_t k_polynomial = 0x82F63B78;  // 0x1EDC6F41, bits reversed

constexpr std::array<std::array<uint32_t, 256>, 8> make_tables() {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? k_polynomial : 0);
    }
    tables[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (size_t slice = 1; slice < 8; ++slice) {
      const uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}
constexpr auto k_tables = make_tables();

uint64_t load64(const std::byte* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// Slicing by eight: M. E. Kounavis and F. L. Berry, "Novel Table Lookup-Based Algorithms for
// High-Performance CRC Generation", IEEE Transactions on Computers 57 (2008).
uint32_t update_by_table(uint32_t crc, const std::byte* data, size_t size) {
  while (size >= 8) {
    const uint64_t word = load64(data) ^ crc;
    crc = 0;
    for (size_t slice = 0; slice < 8; ++slice) {
      crc ^= k_tables[7 - slice][(word >> (8 * slice)) & 0xFF];
    }
    data += 8;
    size -= 8;
  }
  while (size-- > 0) {
    crc = (crc >> 8) ^ k_tables[0][(crc ^ static_cast<uint32_t>(*data++)) & 0xFF];
  }
  return crc;
}

#if defined(__x86_64__)

// Three streams of this many bytes hide the three cycles of one crc32 instruction.
constexpr size_t k_lane_bytes = 1024;

// The operator "append k_lane_bytes zero bytes" as four tables of 256 entries: the checksum of a
// concatenation is the operator on the first part's checksum, xor the second's.
struct ShiftTable {
  uint32_t entries[4][256];
};

ShiftTable make_shift_table() {
  ShiftTable table{};
  for (uint32_t lane = 0; lane < 4; ++lane) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t crc = byte << (8 * lane);
      for (size_t i = 0; i < k_lane_bytes; ++i) {
        crc = (crc >> 8) ^ k_tables[0][crc & 0xFF];
      }
      table.entries[lane][byte] = crc;
    }
  }
  return table;
}

uint32_t shift(const ShiftTable& table, uint32_t crc) {
  return table.entries[0][crc & 0xFF] ^ table.entries[1][(crc >> 8) & 0xFF] ^
         table.entries[2][(crc >> 16) & 0xFF] ^ table.entries[3][crc >> 24];
}

__attribute__((target("sse4.2"))) uint32_t update_by_instruction(uint32_t crc,
                                                                 const std::byte* data,
                                                                 size_t size) {
  static const ShiftTable k_shift = make_shift_table();
  while (size >= 3 * k_lane_bytes) {
    uint64_t first = crc;
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t i = 0; i < k_lane_bytes; i += 8) {
      first = __builtin_ia32_crc32di(first, load64(data + i));
      second = __builtin_ia32_crc32di(second, load64(data + k_lane_bytes + i));
      third = __builtin_ia32_crc32di(third, load64(data + 2 * k_lane_bytes + i));
    }
    crc = shift(k_shift, static_cast<uint32_t>(first)) ^ static_cast<uint32_t>(second);
    crc = shift(k_shift, crc) ^ static_cast<uint32_t>(third);
    data += 3 * k_lane_bytes;
    size -= 3 * k_lane_bytes;
  }
  uint64_t running = crc;
  for (; size >= 8; data += 8, size -= 8) {
    running = __builtin_ia32_crc32di(running, load64(data));
  }
  crc = static_cast<uint32_t>(running);
  for (; size > 0; ++data, --size) {
    crc = __builtin_ia32_crc32qi(crc, static_cast<unsigned char>(*data));
  }
  return crc;
}

bool has_instruction() {
  return __builtin_cpu_supports("sse4.2") != 0;
}

#elif defined(__aarch64__)

__attribute__((target("+crc"))) uint32_t update_by_instruction(uint32_t crc, const std::byte* data,
                                                               size_t size) {
  for (; size >= 8; data += 8, size -= 8) {
    crc = __builtin_aarch64_crc32cx(crc, load64(data));
  }
  for (; size > 0; ++data, --size) {
    crc = __builtin_aarch64_crc32cb(crc, static_cast<unsigned char>(*data));
  }
  return crc;
}

bool has_instruction() {
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}

#else

uint32_t update_by_instruction(uint32_t crc, const std::byte* data, size_t size) {
  return update_by_table(crc, data, size);
}
bool has_instruction() {
  return false;
}

#endif

}  // namespace

uint32_t crc32c(Bytes bytes, uint32_t crc) {
  static const bool k_has_instruction = has_instruction();
  return k_has_instruction ? ~update_by_instruction(~crc, bytes.data(), bytes.size())
                           : ~update_by_table(~crc, bytes.data(), bytes.size());
}

uint32_t crc32c_portable(Bytes bytes, uint32_t crc) {
  return ~update_by_table(~crc, bytes.data(), bytes.size());
}

}  // namespace asyncstore::base
