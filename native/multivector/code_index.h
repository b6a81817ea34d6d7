// Codes of the multivectors of one name, in memory: by them a search knows which to read.
//
// A multivector that is set becomes a *point* of a window: the codes of its rows behind those of
// the points before it. The point that its slot had is deleted. Points never change, so that what a
// search sees is fixed by how many there were and which of them were deleted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "quantize/quantizer.h"
#include "segment/deleted_rows.h"
#include "segment/field.h"
#include "segment/row_codec.h"

namespace asyncstore::multivector {

// Some thousand points. Immutable.
struct CodeWindow {
  uint32_t points = 0;
  uint32_t live = 0;                                    // that no other has replaced
  std::shared_ptr<const uint32_t[]> slots;              // of each point
  std::shared_ptr<const uint32_t[]> ends;               // its rows end here
  std::shared_ptr<const uint8_t[]> codes;               // of each row
  std::shared_ptr<const segment::DeletedRows> deleted;  // points; null: none
  uint64_t ram_bytes = 0;

  bool is_live(uint32_t point) const { return !deleted || !deleted->contains(point); }
  uint32_t slot(uint32_t point) const { return slots[point]; }
  uint32_t first_row(uint32_t point) const { return point == 0 ? 0 : ends[point - 1]; }
  uint32_t rows(uint32_t point) const { return ends[point] - first_row(point); }
};

// What makes all codes of an index, and how many rows there were when it was trained; 0: it was
// not.
struct CodeQuantizer {
  std::shared_ptr<const quantize::Quantizer> quantizer = nullptr;
  uint64_t trained_rows = 0;
};

// The points of an index at one moment.
struct CodeSnapshot {
  CodeQuantizer made_by;
  std::vector<std::shared_ptr<const CodeWindow>> windows;
  uint64_t live = 0;  // points
  uint64_t rows = 0;  // of these
  uint64_t ram_bytes = 0;
};

// Sizes other than the defaults are for tests.
struct CodeIndexOptions {
  uint32_t window_points = 4096;
  uint64_t window_bytes = 4 << 20;  // of codes; a point of more has a window of its own
};

// One thread, the writer, changes it and takes snapshots; any thread uses these.
class CodeIndex {
 public:
  // The field has codes: those of this quantizer, or, without one, such as need no training.
  explicit CodeIndex(const segment::Field& field, CodeIndexOptions options = {},
                     CodeQuantizer quantizer = {});
  ~CodeIndex();
  CodeIndex(const CodeIndex&) = delete;
  CodeIndex& operator=(const CodeIndex&) = delete;

  // Takes points of slots that have none, each once, with so many rows each. `read` writes their
  // codes, a part after the other. After an error the index is of no use.
  base::Status load(std::span<const uint32_t> slots, std::span<const uint32_t> rows,
                    const std::function<base::Status(base::MutableBytes codes)>& read);
  bool has(uint32_t slot) const;
  // The slot has this multivector now, as stored (multivector.h).
  void set(uint32_t slot, base::Bytes stored);
  // It has none.
  void remove(uint32_t slot);
  // The points as they are now: the same object while nothing changes. Drops deleted points where
  // they are many.
  std::shared_ptr<const CodeSnapshot> snapshot();

 private:
  struct Window;

  bool has_room(const Window& window, uint64_t bytes) const;
  Window& open_window(uint64_t bytes);
  void add_point(Window& window, uint32_t slot, uint32_t rows);
  void purge(Window& window);

  const segment::Field field_;
  const CodeIndexOptions options_;
  const CodeQuantizer made_by_;
  const quantize::Quantizer& quantizer_;
  segment::RowCodec codec_;
  std::vector<uint32_t> places_;                  // by slot: window << 12 | point
  std::vector<std::unique_ptr<Window>> windows_;  // by number; null: the number is free
  uint32_t open_;                                 // the number of the window that takes points
  uint64_t live_ = 0;
  uint64_t rows_ = 0;                             // of live points
  std::shared_ptr<const CodeSnapshot> snapshot_;  // null: something has changed
};

}  // namespace asyncstore::multivector
