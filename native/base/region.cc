#include "base/region.h"

#include <sys/mman.h>

#include <utility>

#include "base/limits.h"

namespace asyncstore::base {
namespace {
constexpr uint64_t k_huge_page_bytes = 2 << 20;
}

Region::Region(uint64_t bytes_max, bool huge_pages)
    : bytes_max_(round_up(bytes_max, huge_pages ? k_huge_page_bytes : uint64_t{k_page_bytes})) {
  if (bytes_max_ == 0) {
    return;
  }
  // PROT_NONE reservations count against no memory limit, not even with overcommit switched off.
  void* address =
      mmap(nullptr, bytes_max_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) {
    return;
  }
  data_ = static_cast<std::byte*>(address);
  if (huge_pages) {
    madvise(address, bytes_max_, MADV_HUGEPAGE);
  }
}

Region::Region(Region&& other) noexcept {
  *this = std::move(other);
}

Region& Region::operator=(Region&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(bytes_max_, other.bytes_max_);
  return *this;
}

Region::~Region() {
  if (data_ != nullptr) {
    munmap(data_, bytes_max_);
  }
}

bool Region::grow(uint64_t bytes) {
  if (bytes <= bytes_) {
    return true;
  }
  if (data_ == nullptr || bytes > bytes_max_) {
    return false;
  }
  // In steps, so that a row at a time does not cost a system call each.
  const uint64_t step = bytes < (1 << 20) ? uint64_t{k_page_bytes} * 4 : uint64_t{1} << 20;
  uint64_t target = round_up(bytes, step);
  target = target < bytes_max_ ? target : bytes_max_;
  if (mprotect(data_, target, PROT_READ | PROT_WRITE) != 0) {
    return false;
  }
  bytes_ = target;
  return true;
}

}  // namespace asyncstore::base
