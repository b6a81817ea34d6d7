#include "io/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace asyncstore::io {
namespace {
constexpr uint64_t k_word_bits = 64;
}  // namespace

base::Result<std::unique_ptr<BufferPool>> BufferPool::make(uint64_t size_bytes) {
  const uint64_t pages =
      base::round_up(std::max<uint64_t>(size_bytes, 1), base::k_page_bytes) / base::k_page_bytes;
  void* memory = ::mmap(nullptr, pages * base::k_page_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return base::io_error("cannot map read buffers,", "anonymous memory", 0, errno);
  }
  // A child process never gets these pages: copy on write would part the buffer from the pages that
  // a device is writing to.
  (void)::madvise(memory, pages * base::k_page_bytes, MADV_DONTFORK);
  return std::unique_ptr<BufferPool>(new BufferPool(static_cast<std::byte*>(memory), pages));
}

BufferPool::BufferPool(std::byte* memory, uint64_t pages)
    : memory_(memory),
      pages_(pages),
      pages_free_(0),
      free_(base::round_up(pages, k_word_bits) / k_word_bits) {
  mark(0, pages, true);
}

BufferPool::~BufferPool() {
  ::munmap(memory_, pages_ * base::k_page_bytes);
}

std::byte* BufferPool::take(uint64_t length) {
  ASSERT(length > 0);
  const uint64_t count = base::round_up(length, base::k_page_bytes) / base::k_page_bytes;
  if (count > pages_free_) {
    return nullptr;
  }
  uint64_t page = next_free(0);
  while (page + count <= pages_) {
    const uint64_t taken = next_taken(page, page + count);
    if (taken == page + count) {
      mark(page, count, false);
      return memory_ + page * base::k_page_bytes;
    }
    page = next_free(taken);
  }
  return nullptr;
}

void BufferPool::give(std::byte* buffer, uint64_t length) {
  const uint64_t offset = static_cast<uint64_t>(buffer - memory_);
  const uint64_t count = base::round_up(length, base::k_page_bytes) / base::k_page_bytes;
  const uint64_t page = offset / base::k_page_bytes;
  ASSERT(offset % base::k_page_bytes == 0);
  ASSERT(page + count <= pages_);
  ASSERT(next_free(page) >= page + count);  // given back twice otherwise
  mark(page, count, true);
}

// The first free page at or after `page`; pages_ when there is none.
uint64_t BufferPool::next_free(uint64_t page) const {
  for (uint64_t word = page / k_word_bits; word < free_.size(); ++word) {
    uint64_t bits = free_[word];
    if (word == page / k_word_bits) {
      bits &= ~uint64_t{0} << page % k_word_bits;
    }
    if (bits != 0) {
      return word * k_word_bits + static_cast<uint64_t>(std::countr_zero(bits));
    }
  }
  return pages_;
}

// The first taken page at or after `page`; `end` when all before it are free.
uint64_t BufferPool::next_taken(uint64_t page, uint64_t end) const {
  while (page < end) {
    const uint64_t bits = ~(free_[page / k_word_bits] >> page % k_word_bits);
    const uint64_t run = static_cast<uint64_t>(std::countr_zero(bits));
    const uint64_t rest_of_word = k_word_bits - page % k_word_bits;
    page += std::min(run, rest_of_word);
    if (run < rest_of_word) {
      return std::min(page, end);
    }
  }
  return end;
}

void BufferPool::mark(uint64_t page, uint64_t count, bool is_free) {
  pages_free_ = is_free ? pages_free_ + count : pages_free_ - count;
  while (count > 0) {
    const uint64_t first = page % k_word_bits;
    const uint64_t here = std::min(count, k_word_bits - first);
    const uint64_t ones = here == k_word_bits ? ~uint64_t{0} : (uint64_t{1} << here) - 1;
    uint64_t& word = free_[page / k_word_bits];
    word = is_free ? word | ones << first : word & ~(ones << first);
    page += here;
    count -= here;
  }
}

}  // namespace asyncstore::io
