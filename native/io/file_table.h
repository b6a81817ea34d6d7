// The sources a ring knows.
#pragma once

#ifndef ASYNCSTORE_WITHOUT_URING

#include <cstdint>

#include "base/bytes.h"
#include "io/residency.h"
#include "io/ring.h"
#include "io/source.h"
#include "io/source_table.h"

namespace asyncstore::io {

// A registered file saves the kernel looking up and counting the descriptor at every read. The
// registration holds the file open by itself: a removed file keeps its blocks until forget() or
// until another source takes its place. Belongs to the ring's owner.
class FileTable {
 public:
  struct State {
    bool registered = false;
    Residency residency;
    bool map_asked = false;
    base::Bytes map;  // empty when there is none
  };
  using Entry = SourceTable<State>::Entry;

  // Where the kernel has no sparse tables (before 5.19) nothing is registered.
  explicit FileTable(Ring& ring);

  // The source's entry, registered at first use; null when its place is held by another source with
  // reads in flight. Raise Entry::users for as long as a read uses the registration.
  Entry* entry(const Source& source);

  // The map of the entry's source, made at first use; empty when it cannot be mapped.
  static base::Bytes map(Entry& entry, Source& source);

  // Points the operation at the source's descriptor, by registration where there is one.
  static void aim(io_uring_sqe& sqe, const Entry* entry, const Source& source, bool direct);

  // Not while reads of the source are in flight.
  void forget(uint64_t source_id);

 private:
  bool update(uint64_t source_id, int fd, int direct_fd);

  Ring& ring_;
  bool sparse_ = false;
  SourceTable<State> table_;
};

}  // namespace asyncstore::io

#endif  // ASYNCSTORE_WITHOUT_URING
