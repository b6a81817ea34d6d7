#include "gridstore/flush_journal.h"

#include <algorithm>
#include <span>

#include "gridstore/dictionary.h"
#include "gridstore/tracker.h"

namespace asyncstore::gridstore {

using base::Result;
using base::Status;

namespace {

constexpr io::Magic k_magic = {'A', 'S', 'G', 'F', 'L', 'U', 'S', 'H'};
constexpr uint64_t k_part_images = io::CheckedFile::k_block_bytes / k_tracker_page_bytes;

}  // namespace

std::string flush_path(const std::string& folder, uint64_t number) {
  return folder + "/" + std::to_string(number) + ".flush";
}
std::string done_path(const std::string& folder, uint64_t number) {
  return folder + "/" + std::to_string(number) + ".done";
}

Status write_journal(io::Storage& storage, const std::string& path, uint64_t owner,
                     const FlushInfo& info, const std::vector<TrackerPage>& images) {
  TRY_ASSIGN(auto file, io::CheckedFileWriter::create(
                            storage, path, {k_magic, owner},
                            {info.number, info.slots | uint64_t{info.dictionaries} << 32,
                             info.images, info.page_file_bytes}));
  TRY(file.append(std::as_bytes(std::span(images))));
  return file.finish();
}

Result<FlushJournal> FlushJournal::open(io::Storage& storage, const std::string& path,
                                        uint64_t owner, uint64_t number) {
  TRY_ASSIGN(io::CheckedFile file, io::CheckedFile::open(storage, path, {k_magic, owner}));
  const auto [file_number, counts, images, page_file_bytes] = file.fields();
  const auto slots = static_cast<uint32_t>(counts);
  const auto dictionaries = static_cast<uint32_t>(counts >> 32);
  if (file_number != number || slots > k_slots_max || dictionaries > k_dictionaries_max ||
      images > pages_of(slots) || page_file_bytes > UINT32_MAX ||
      file.payload_bytes() != images * k_tracker_page_bytes) {
    return base::corruption(path, 32, "the header's numbers do not fit together");
  }
  const FlushInfo info{number, slots, images, static_cast<uint32_t>(page_file_bytes), dictionaries};
  return FlushJournal(std::move(file), info, owner);
}

Status FlushJournal::visit(const std::function<void(const TrackerPage&)>& show) const {
  std::vector<TrackerPage> part;
  for (uint64_t first = 0; first < info_.images; first += part.size()) {
    part.resize(std::min(k_part_images, info_.images - first));
    TRY(file_.read(first * k_tracker_page_bytes, std::as_writable_bytes(std::span(part))));
    for (const TrackerPage& image : part) {
      if (image.number >= pages_of(info_.slots) || !holds(image, image.number, owner_)) {
        return base::corruption(path(), (first + (&image - part.data())) * k_tracker_page_bytes,
                                "an image of a tracker page does not hold");
      }
      show(image);
    }
  }
  return {};
}

}  // namespace asyncstore::gridstore
