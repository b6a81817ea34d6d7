#include "multivector/code_index.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/growing.h"
#include "multivector/multivector.h"

namespace asyncstore::multivector {

using base::Status;

namespace {
constexpr uint32_t k_point_bits = 12;
constexpr uint32_t k_points_max = 1 << k_point_bits;
constexpr uint32_t k_windows_max = 1 << (32 - k_point_bits);
constexpr uint32_t k_none = UINT32_MAX;  // no place, no window
}  // namespace

// The writer's side of a CodeWindow.
struct CodeIndex::Window {
  uint32_t number = 0;
  bool is_full = false;
  uint32_t deleted_points = 0;
  base::Growing<uint32_t> slots;
  base::Growing<uint32_t> ends;
  base::Growing<uint8_t> codes;
  segment::DeletedRowsBuilder deleted{nullptr};
  std::shared_ptr<const CodeWindow> view;  // null: something has changed

  uint32_t points() const { return static_cast<uint32_t>(slots.size()); }
  uint32_t rows(uint32_t point) const { return ends[point] - (point == 0 ? 0 : ends[point - 1]); }
  uint32_t live() const { return points() - deleted_points; }
  std::shared_ptr<const CodeWindow> make_view();
};

CodeIndex::CodeIndex(const segment::Field& field, CodeIndexOptions options, CodeQuantizer quantizer)
    : field_(field),
      options_(options),
      made_by_(quantizer.quantizer ? std::move(quantizer)
                                   : CodeQuantizer{segment::make_quantizer(field)}),
      quantizer_(*made_by_.quantizer),
      codec_(field),
      open_(k_none) {
  ASSERT(options.window_points <= k_points_max);
}

CodeIndex::~CodeIndex() = default;

Status CodeIndex::load(std::span<const uint32_t> slots, std::span<const uint32_t> rows,
                       const std::function<Status(base::MutableBytes)>& read) {
  const uint64_t code_bytes = quantizer_.code_bytes();
  for (size_t at = 0; at < slots.size();) {
    // As many as fill a window.
    Window& window = open_window(rows[at] * code_bytes);
    uint64_t bytes = 0;
    do {
      ASSERT(!has(slots[at]));
      add_point(window, slots[at], rows[at]);
      bytes += rows[at] * code_bytes;
      rows_ += rows[at];
      ++at;
    } while (at < slots.size() && has_room(window, bytes + rows[at] * code_bytes));
    TRY(read(std::as_writable_bytes(std::span(window.codes.extend(bytes), bytes))));
  }
  live_ += slots.size();
  snapshot_ = nullptr;
  return {};
}

bool CodeIndex::has(uint32_t slot) const {
  return slot < places_.size() && places_[slot] != k_none;
}

void CodeIndex::set(uint32_t slot, base::Bytes stored) {
  remove(slot);
  const auto rows = static_cast<uint32_t>(rows_of(field_, stored.size()));
  const uint64_t code_bytes = quantizer_.code_bytes();
  Window& window = open_window(rows * code_bytes);
  uint8_t* code = window.codes.extend(rows * code_bytes);
  for (uint32_t row = 0; row < rows; ++row) {
    quantizer_.encode(
        codec_.search_vector(stored.data() + size_t{row} * segment::row_bytes(field_)),
        code + row * code_bytes);
  }
  add_point(window, slot, rows);
  ++live_;
  rows_ += rows;
  snapshot_ = nullptr;
}

// The codes are the caller's.
void CodeIndex::add_point(Window& window, uint32_t slot, uint32_t rows) {
  if (slot >= places_.size()) {
    places_.resize(size_t{slot} + 1, k_none);
  }
  places_[slot] = window.number << k_point_bits | window.points();
  window.slots.append(slot);
  const size_t before = window.ends.size();
  window.ends.append((before == 0 ? 0 : window.ends[before - 1]) + rows);
  window.view = nullptr;
}

void CodeIndex::remove(uint32_t slot) {
  if (!has(slot)) {
    return;
  }
  const uint32_t place = std::exchange(places_[slot], k_none);
  Window& window = *windows_[place >> k_point_bits];
  rows_ -= window.rows(place % k_points_max);
  window.deleted.mark(place % k_points_max);
  ++window.deleted_points;
  --live_;
  window.view = nullptr;
  snapshot_ = nullptr;
}

bool CodeIndex::has_room(const Window& window, uint64_t bytes) const {
  return window.points() < options_.window_points &&
         window.codes.size() + bytes <= options_.window_bytes;
}

// One that has room for a point with codes of so many bytes.
CodeIndex::Window& CodeIndex::open_window(uint64_t bytes) {
  if (open_ != k_none && !has_room(*windows_[open_], bytes)) {
    windows_[open_]->is_full = true;
    windows_[open_]->codes.trim();
    windows_[open_]->view = nullptr;
    open_ = k_none;
  }
  if (open_ == k_none) {
    const auto free = std::find(windows_.begin(), windows_.end(), nullptr);
    open_ = static_cast<uint32_t>(free - windows_.begin());
    ASSERT(open_ < k_windows_max - 1);
    if (free == windows_.end()) {
      windows_.emplace_back();
    }
    windows_[open_] = std::make_unique<Window>();
    windows_[open_]->number = open_;
  }
  return *windows_[open_];
}

// Keeps the points that are left. Whoever sees the window as it was keeps its arrays.
void CodeIndex::purge(Window& window) {
  const auto before = window.make_view();
  Window after;
  after.number = window.number;
  after.is_full = true;
  const uint32_t code_bytes = quantizer_.code_bytes();
  for (uint32_t point = 0; point < before->points; ++point) {
    if (before->is_live(point)) {
      const uint32_t rows = before->rows(point);
      const uint8_t* code = before->codes.get() + size_t{before->first_row(point)} * code_bytes;
      after.codes.append(std::span(code, size_t{rows} * code_bytes));
      add_point(after, before->slot(point), rows);
    }
  }
  after.codes.trim();
  window = std::move(after);
}

std::shared_ptr<const CodeWindow> CodeIndex::Window::make_view() {
  auto made = std::make_shared<CodeWindow>();
  made->points = points();
  made->live = live();
  made->slots = slots.data();
  made->ends = ends.data();
  made->codes = codes.data();
  made->deleted = deleted.build();
  deleted = segment::DeletedRowsBuilder(made->deleted);
  made->ram_bytes = sizeof(Window) + slots.ram_bytes() + ends.ram_bytes() + codes.ram_bytes() +
                    (made->deleted ? made->deleted->ram_bytes() : 0);
  return made;
}

std::shared_ptr<const CodeSnapshot> CodeIndex::snapshot() {
  if (snapshot_) {
    return snapshot_;
  }
  auto next = std::make_shared<CodeSnapshot>();
  next->made_by = made_by_;
  for (auto& window : windows_) {
    if (window && window->live() == 0) {
      open_ = open_ == window->number ? k_none : open_;
      window = nullptr;
    }
    if (!window) {
      continue;
    }
    if (!window->view) {
      if (window->is_full && window->deleted_points > window->live()) {
        purge(*window);
      }
      window->view = window->make_view();
    }
    next->windows.push_back(window->view);
    next->ram_bytes += window->view->ram_bytes;
  }
  next->live = live_;
  next->rows = rows_;
  next->ram_bytes += places_.capacity() * sizeof(uint32_t);
  snapshot_ = std::move(next);
  return snapshot_;
}

}  // namespace asyncstore::multivector
