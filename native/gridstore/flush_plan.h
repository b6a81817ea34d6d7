// One flush on its way: what it takes along from thread to thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gridstore/dictionary.h"
#include "gridstore/page_files.h"
#include "gridstore/tracker_page.h"

namespace asyncstore::gridstore {

// A dictionary that is to be written, and where.
struct DictionaryFile {
  std::shared_ptr<const Dictionary> dictionary;
  std::string path;
};

// Made by Gridstore::plan_flush(); opaque to others.
class FlushPlan {
 public:
  // The number given to prepare(); 0 before.
  uint64_t number() const { return number_; }

 private:
  friend class Gridstore;

  uint32_t order_ = 0;  // among the plans of this Gridstore, from 1
  uint64_t number_ = 0;
  uint64_t previous_ = 0;  // flush that was committed before
  uint32_t slots_ = 0;
  uint32_t dictionaries_ = 0;            // that values may need
  std::vector<DictionaryFile> lacking_;  // not on disk so far
  std::vector<uint32_t> pages_;          // of the tracker, that changed
  std::vector<TrackerPage> images_;      // of these; prepare() makes them, finish() drops them
  std::vector<UnsyncedPage> unsynced_;
  std::vector<std::string> obsolete_;  // journals to remove once this one is committed
  std::string journal_;                // path; empty: not begun
  bool folder_is_new_ = false;
  bool finished_ = false;  // the tracker has it all, and was synced
};

}  // namespace asyncstore::gridstore
