#include "gridstore/tracker_page.h"

#include <cstddef>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace asyncstore::gridstore {
namespace {

constexpr uint32_t k_magic = 0x00015447;

uint32_t fold(uint64_t owner) {
  return static_cast<uint32_t>(owner ^ owner >> 32);
}

uint32_t crc_of(const TrackerPage& page) {
  return base::crc32c(std::as_bytes(std::span(&page, 1)).first(offsetof(TrackerPage, crc)));
}

}  // namespace

void seal(TrackerPage& page, uint64_t owner) {
  page.magic = k_magic;
  page.owner = fold(owner);
  page.crc = crc_of(page);
}

bool holds(const TrackerPage& page, uint32_t number, uint64_t owner) {
  return page.magic == k_magic && page.number == number && page.owner == fold(owner) &&
         page.crc == crc_of(page);
}

}  // namespace asyncstore::gridstore
