// The flush journal: whole images of the tracker pages that changed since the last flush, written
// and synced before a page is changed in place, so that no page is ever torn without a remedy.
//
// A checked file (io/checked_file.h) with the magic "ASGFLUSH" and the header fields flush number,
// slots | dictionaries ≪ 32, images I, bytes of a page file; the payload is I tracker pages in the
// order of their numbers, from 4,096 · i on.
//
// `N.flush` holds what the tracker may lack; it is renamed to `N.done` once the tracker has it all
// and was synced. So the name says whether damage to the journal matters.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "gridstore/tracker_page.h"
#include "io/checked_file.h"
#include "io/storage.h"

namespace asyncstore::gridstore {

struct FlushInfo {
  uint64_t number = 0;
  uint32_t slots = 0;
  uint64_t images = 0;
  uint32_t page_file_bytes = 0;
  uint32_t dictionaries = 0;  // that values may need: 1 … this
};

std::string flush_path(const std::string& folder, uint64_t number);
std::string done_path(const std::string& folder, uint64_t number);

// Writes and syncs the file; its name is durable after a sync of the folder. The images are sealed.
base::Status write_journal(io::Storage& storage, const std::string& path, uint64_t owner,
                           const FlushInfo& info, const std::vector<TrackerPage>& images);

class FlushJournal {
 public:
  static base::Result<FlushJournal> open(io::Storage& storage, const std::string& path,
                                         uint64_t owner, uint64_t number);

  const FlushInfo& info() const { return info_; }
  const std::string& path() const { return file_.path(); }
  // Shows all images, each of which holds and lies within info().slots; or fails.
  base::Status visit(const std::function<void(const TrackerPage&)>& show) const;

 private:
  FlushJournal(io::CheckedFile file, FlushInfo info, uint64_t owner)
      : file_(std::move(file)), info_(info), owner_(owner) {}

  io::CheckedFile file_;
  FlushInfo info_;
  uint64_t owner_;
};

}  // namespace asyncstore::gridstore
