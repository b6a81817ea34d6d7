// The part of UringReader that hands over rows which are in memory already, past the ring.
#ifndef ASYNCSTORE_WITHOUT_URING

#include <algorithm>

#include "io/uring_reader.h"

namespace asyncstore::io {

size_t UringReader::land_resident(Sink& sink) {
  size_t delivered = 0;
  uint64_t sized_id = 0;  // The source whose size is known; one fstat a source and call.
  uint64_t size = 0;
  for (size_t count = resident_.size(); count > 0; --count) {
    const uint32_t number = resident_.front();
    resident_.pop();
    const Read& read = reads_[number];
    if (sized_id != read.source->id()) {
      const auto present = read.source->size();
      sized_id = read.source->id();
      size = present.ok() ? present.value() : 0;
    }
    FileTable::Entry* entry = files_.entry(*read.source);
    const bool trusted =
        entry != nullptr && entry->state.residency.trusted() &&
        read.offset + read.length <= std::min(size, FileTable::map(*entry, *read.source).size());
    if (trusted) {
      delivered += land_from_map(number, *entry, sink);
    } else {
      backlog_.push(number);  // The ring also words the errors.
    }
  }
  return delivered;
}

size_t UringReader::land_from_map(uint32_t number, FileTable::Entry& entry, Sink& sink) {
  const Read read = reads_[number];
  reads_.give(number);
  size_t delivered = 0;
  uint32_t link = read.first_request;
  while (link != k_none) {
    const Request request = requests_[link];
    prefetch_after(request, entry);
    const MappedRow::Outcome outcome =
        mapped_row_.copy(entry.state.map.data() + request.request.offset, request.request.length);
    if (outcome == MappedRow::Outcome::failed) {
      entry.state.residency.disappointed();
      split(link, false);
      break;
    }
    if (outcome == MappedRow::Outcome::waited) {
      entry.state.residency.disappointed();
    } else {
      entry.state.residency.found(1);
    }
    requests_.give(link);
    --pending_;
    ++delivered;
    counters_.rows_mapped.add(1);
    sink.landed(request.request, base::Bytes(mapped_row_.data(), request.request.length), nullptr);
    link = request.next;
  }
  return delivered;
}

// The row that will be copied after `request`: the next of its read, or the next read's first.
void UringReader::prefetch_after(const Request& request, const FileTable::Entry& entry) {
  uint32_t next = request.next;
  if (next == k_none && !resident_.empty()) {
    next = reads_[resident_.front()].first_request;
  }
  if (next != k_none && requests_[next].request.source == request.request.source) {
    const ReadRequest& row = requests_[next].request;
    MappedRow::prefetch(entry.state.map.data() + row.offset, row.length);
  }
}

}  // namespace asyncstore::io

#endif  // ASYNCSTORE_WITHOUT_URING
