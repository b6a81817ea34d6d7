#include "engine/input_rows.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "engine/vector_fetch.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;
using base::Status;
using segment::Segment;

namespace {

constexpr uint64_t k_part_bytes = 1 << 20;

// Puts rows where they belong as they land.
class Landing final : public io::Sink {
 public:
  Landing(RowPart& part, std::span<const points::Location> places, const FieldView& field,
          uint64_t row_bytes)
      : part_(part), places_(places), field_(field), row_bytes_(row_bytes) {}

  void landed(const io::ReadRequest& request, Bytes data, const Error* error) override {
    const points::Location place = places_[request.index];
    Segment& segment = *field_.find(place.segment)->segment;
    Status sound =
        error != nullptr ? Status(row_error(request, *error)) : check_row(segment, place.row, data);
    if (sound.ok()) {
      std::memcpy(part_.vectors.data() + request.index * row_bytes_, data.data(), row_bytes_);
      return;
    }
    if (sound.error().code == base::Code::corruption) {
      segment.set_damaged();
    }
    error_ = error_ ? error_ : std::move(sound.error());
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  RowPart& part_;
  std::span<const points::Location> places_;
  const FieldView& field_;
  uint64_t row_bytes_;
  std::optional<Error> error_;
};

}  // namespace

Status read_live(const SegmentView& view, uint32_t first, uint32_t count,
                 Segment::StoredRows& stored) {
  // A damaged row that belongs to no point shall not keep the others from moving.
  Status read =
      view.segment->read_rows(first, count, stored, [&](uint32_t row) { return view.live(row); });
  if (!read.ok() && read.error().code == base::Code::corruption) {
    view.segment->set_damaged();
  }
  return read;
}

Status InputRows::read_all(const Visit& visit) {
  Segment::StoredRows stored;
  RowPart part;
  const auto part_rows =
      static_cast<uint32_t>(std::max<uint64_t>(1, k_part_bytes / layout().stride()));
  for (const SegmentView& view : views_.segments) {
    for (uint32_t first = 0; first < view.rows; first += part_rows) {
      const uint32_t count = std::min(part_rows, view.rows - first);
      TRY(read_live(view, first, count, stored));
      part.vectors.clear();
      part.entries.clear();
      for (uint32_t i = 0; i < count; ++i) {
        if (view.live(first + i)) {
          const std::byte* row = stored.row(layout(), i);
          part.vectors.insert(part.vectors.end(), row, row + layout().row_bytes());
          part.entries.push_back(stored.entries[i]);
          places_.push_back({view.segment->id(), first + i});
        }
      }
      entries_.insert(entries_.end(), part.entries.begin(), part.entries.end());
      TRY(visit(part));
    }
  }
  return {};
}

Status InputRows::gather(std::span<const uint32_t> numbers, RowPart& part) {
  if (!reader_) {
    TRY_ASSIGN(reader_, io::make_mmap_reader({}));
  }
  part.vectors.resize(numbers.size() * layout().row_bytes());
  part.entries.clear();
  std::vector<points::Location> places;
  std::vector<io::ReadRequest> wave;
  for (uint32_t i = 0; i < numbers.size(); ++i) {
    places.push_back(places_[numbers[i]]);
    part.entries.push_back(entries_[numbers[i]]);
    wave.push_back(row_request(*views_.find(places[i].segment)->segment, places[i].row, i));
  }
  Landing landing(part, places, views_, layout().row_bytes());
  reader_->submit(wave);
  while (reader_->pending() > 0) {
    reader_->reap(landing, true);
  }
  return landing.error() ? Status(*landing.error()) : Status();
}

}  // namespace asyncstore::engine
