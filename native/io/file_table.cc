#ifndef ASYNCSTORE_WITHOUT_URING

#include "io/file_table.h"

namespace asyncstore::io {
namespace {

// Each place has two registered files: 2 × place reads through the page cache, 2 × place + 1 does
// not.
constexpr uint32_t k_files = 2 * SourceTable<FileTable::State>::k_places;

uint32_t file_index(uint64_t source_id, bool direct) {
  return 2 * SourceTable<FileTable::State>::place(source_id) + (direct ? 1 : 0);
}

}  // namespace

FileTable::FileTable(Ring& ring) : ring_(ring) {
  sparse_ = io_uring_register_files_sparse(ring_.raw(), k_files) == 0;
}

FileTable::Entry* FileTable::entry(const Source& source) {
  if (Entry* known = table_.find(source.id())) {
    return known;
  }
  Entry* claimed = table_.claim(source.id());
  if (claimed != nullptr) {
    claimed->state.registered = update(source.id(), source.fd(), source.direct_fd());
  }
  return claimed;
}

base::Bytes FileTable::map(Entry& entry, Source& source) {
  if (!entry.state.map_asked) {
    entry.state.map_asked = true;
    if (auto map = source.map(); map.ok()) {
      entry.state.map = map.value();
    }
  }
  return entry.state.map;
}

void FileTable::aim(io_uring_sqe& sqe, const Entry* entry, const Source& source, bool direct) {
  if (entry != nullptr && entry->state.registered) {
    sqe.fd = static_cast<int>(file_index(source.id(), direct));
    sqe.flags |= IOSQE_FIXED_FILE;
  } else {
    sqe.fd = direct ? source.direct_fd() : source.fd();
  }
}

void FileTable::forget(uint64_t source_id) {
  if (Entry* known = table_.find(source_id)) {
    if (known->state.registered) {
      (void)update(source_id, -1, -1);
    }
    table_.release(*known);
  }
}

bool FileTable::update(uint64_t source_id, int fd, int direct_fd) {
  if (!sparse_) {
    return false;
  }
  const int fds[2] = {fd, direct_fd};
  return io_uring_register_files_update(ring_.raw(), file_index(source_id, false), fds, 2) == 2;
}

}  // namespace asyncstore::io

#endif  // ASYNCSTORE_WITHOUT_URING
