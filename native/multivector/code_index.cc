#include "multivector/code_index.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/growing.h"
#include "multivector/multivector.h"

namespace asyncstore::multivector {

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
  uint32_t live() const { return points() - deleted_points; }
  std::shared_ptr<const CodeWindow> make_view();
};

CodeIndex::CodeIndex(const segment::Field& field, CodeIndexOptions options)
    : field_(field),
      options_(options),
      quantizer_(segment::make_quantizer(field)),
      codec_(field),
      open_(k_none) {
  ASSERT(quantizer_ != nullptr && options.window_points <= k_points_max);
}

CodeIndex::~CodeIndex() = default;

void CodeIndex::set(uint32_t slot, base::Bytes stored) {
  remove(slot);
  const auto rows = static_cast<uint32_t>(rows_of(field_, stored.size()));
  Window& window = open_window();
  uint8_t* code = window.codes.extend(size_t{rows} * quantizer_->code_bytes());
  for (uint32_t row = 0; row < rows; ++row) {
    quantizer_->encode(
        codec_.search_vector(stored.data() + size_t{row} * segment::row_bytes(field_)),
        code + size_t{row} * quantizer_->code_bytes());
  }
  window.ends.append((window.ends.size() == 0 ? 0 : window.ends[window.ends.size() - 1]) + rows);
  add_point(window, slot);
  ++live_;
  window.view = nullptr;
  snapshot_ = nullptr;
  if (window.points() >= options_.window_points || window.codes.size() >= options_.window_bytes) {
    window.is_full = true;
    window.codes.trim();
    open_ = k_none;
  }
}

void CodeIndex::add_point(Window& window, uint32_t slot) {
  if (slot >= places_.size()) {
    places_.resize(size_t{slot} + 1, k_none);
  }
  places_[slot] = window.number << k_point_bits | window.points();
  window.slots.append(slot);
}

void CodeIndex::remove(uint32_t slot) {
  const uint32_t place = slot < places_.size() ? std::exchange(places_[slot], k_none) : k_none;
  if (place == k_none) {
    return;
  }
  Window& window = *windows_[place >> k_point_bits];
  window.deleted.mark(place % k_points_max);
  ++window.deleted_points;
  --live_;
  window.view = nullptr;
  snapshot_ = nullptr;
}

CodeIndex::Window& CodeIndex::open_window() {
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
  const uint32_t code_bytes = quantizer_->code_bytes();
  for (uint32_t point = 0; point < before->points; ++point) {
    if (before->is_live(point)) {
      const uint32_t rows = before->rows(point);
      const uint8_t* code = before->codes.get() + size_t{before->first_row(point)} * code_bytes;
      after.codes.append(std::span(code, size_t{rows} * code_bytes));
      after.ends.append((after.ends.size() == 0 ? 0 : after.ends[after.ends.size() - 1]) + rows);
      add_point(after, before->slot(point));
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
  next->ram_bytes += places_.capacity() * sizeof(uint32_t);
  snapshot_ = std::move(next);
  return snapshot_;
}

}  // namespace asyncstore::multivector
