#include "sparse/index.h"

#include <utility>

#include "base/assert.h"
#include "sparse/sparse_vector.h"

namespace asyncstore::sparse {

namespace {

constexpr uint32_t k_row_bits = 16;
static_assert(k_window_rows == 1 << k_row_bits);
// So many runs of one size become a larger one.
constexpr size_t k_merged_runs = 4;
// A window drops what deleted rows had when these are such a part of the rows that it still has.
constexpr uint32_t k_purged_part = 4;

}  // namespace

// The writer's side of a WindowView.
struct Index::Window {
  uint32_t number = 0;
  uint32_t rows = 0;
  uint32_t live = 0;
  uint32_t purged = 0;    // deleted rows of which nothing is left
  uint64_t elements = 0;  // of all rows that came
  bool is_full = false;
  std::vector<std::shared_ptr<const Run>> runs;
  std::vector<uint32_t> levels;  // of the runs: how many times their rows were merged
  uint32_t first_tail_row = 0;
  base::Growing<uint32_t> tail_ends;
  base::Growing<uint32_t> tail_indices;
  base::Growing<float> tail_values;
  base::Growing<uint32_t> slots;
  std::shared_ptr<RowBits> deleted;        // null: none
  bool is_shared = false;                  // `deleted` is in a view: to be copied before a change
  std::shared_ptr<const WindowView> view;  // null: something has changed

  uint32_t deleted_rows() const { return rows - live; }
  uint64_t ram_bytes() const;
  std::shared_ptr<const WindowView> make_view() const;
};

Index::Index(IndexOptions options) : options_(options) {}
Index::~Index() = default;

void Index::set(uint32_t slot, base::Bytes stored) {
  remove(slot);
  const auto elements = static_cast<uint32_t>(elements_of(stored.size()));
  Window& window = open_window();
  if (window.tail_indices.size() > 0 &&
      window.tail_indices.size() + elements > options_.tail_elements) {
    gather_tail(window);
  }
  window.tail_indices.append_bytes(stored.first(elements * sizeof(uint32_t)));
  window.tail_values.append_bytes(stored.subspan(elements * sizeof(uint32_t)));
  window.tail_ends.append(static_cast<uint32_t>(window.tail_indices.size()));
  window.slots.append(slot);
  if (slot >= rows_.size()) {
    rows_.resize(size_t{slot} + 1, k_no_row);
  }
  rows_[slot] = window.number << k_row_bits | window.rows;
  ++window.rows;
  ++window.live;
  ++live_;
  window.elements += elements;
  window.view = nullptr;
  snapshot_ = nullptr;
  if (window.rows >= options_.window_rows || window.elements >= options_.window_elements) {
    finish(window);
  }
}

void Index::remove(uint32_t slot) {
  const uint32_t row = row_of(slot);
  if (row != k_no_row) {
    delete_row(row);
    rows_[slot] = k_no_row;
  }
}

void Index::delete_row(uint32_t row) {
  Window& window = *windows_[row >> k_row_bits];
  const uint32_t at = row % k_window_rows;
  if (!window.deleted) {
    window.deleted = std::make_shared<RowBits>(k_window_rows / 64);
    window.is_shared = false;
  } else if (window.is_shared) {
    window.deleted = std::make_shared<RowBits>(*window.deleted);
    window.is_shared = false;
  }
  (*window.deleted)[at / 64] |= uint64_t{1} << (at % 64);
  --window.live;
  --live_;
  window.view = nullptr;
  snapshot_ = nullptr;
}

// --- windows, tails and runs ---

Index::Window& Index::open_window() {
  if (open_ == k_no_row) {
    size_t number = 0;
    while (number < windows_.size() && windows_[number]) {
      ++number;
    }
    ASSERT(number < k_window_rows);  // as many as there are slots at most
    if (number == windows_.size()) {
      windows_.emplace_back();
    }
    windows_[number] = std::make_unique<Window>();
    windows_[number]->number = static_cast<uint32_t>(number);
    open_ = static_cast<uint32_t>(number);
  }
  return *windows_[open_];
}

// What the tail has becomes a run.
void Index::gather_tail(Window& window) {
  std::vector<Posting> postings;
  postings.reserve(window.tail_indices.size());
  const auto rows = static_cast<uint32_t>(window.tail_ends.size());
  size_t at = 0;
  for (uint32_t row = 0; row < rows; ++row) {
    const uint32_t in_window = window.first_tail_row + row;
    const bool is_deleted = has_bit(window.deleted.get(), in_window);
    for (; at < window.tail_ends[row]; ++at) {
      if (!is_deleted) {
        postings.push_back(
            {window.tail_indices[at], static_cast<uint16_t>(in_window), window.tail_values[at]});
      }
    }
  }
  window.runs.push_back(make_run(window.first_tail_row, rows, postings));
  window.levels.push_back(0);
  window.first_tail_row += rows;
  window.tail_ends = {};
  window.tail_indices = {};
  window.tail_values = {};
  merge(window);
}

// Runs of one level, at the end, become one of the next: an element is moved a few times in all.
void Index::merge(Window& window) {
  auto& runs = window.runs;
  auto& levels = window.levels;
  while (runs.size() >= k_merged_runs && levels[runs.size() - k_merged_runs] == levels.back()) {
    const auto merged =
        merge_runs(std::span(runs).last(k_merged_runs), window.deleted.get(), false);
    const uint32_t level = levels.back() + 1;
    runs.resize(runs.size() - k_merged_runs);
    levels.resize(runs.size());
    runs.push_back(merged);
    levels.push_back(level);
  }
}

// One run of codes; no row comes any more.
void Index::finish(Window& window) {
  if (window.tail_ends.size() > 0) {
    gather_tail(window);
  }
  window.runs = {merge_runs(window.runs, window.deleted.get(), true)};
  window.levels = {0};
  window.purged = window.deleted_rows();
  window.is_full = true;
  window.view = nullptr;
  open_ = k_no_row;
}

void Index::purge(Window& window) {
  for (auto& run : window.runs) {
    run = merge_runs(std::span(&run, 1), window.deleted.get(), run->is_coded);
  }
  window.purged = window.deleted_rows();
}

// --- what searches see ---

uint64_t Index::Window::ram_bytes() const {
  uint64_t bytes = sizeof(Window) + slots.ram_bytes() + tail_ends.ram_bytes() +
                   tail_indices.ram_bytes() + tail_values.ram_bytes() +
                   (deleted ? k_window_rows / 8 : 0);
  for (const auto& run : runs) {
    bytes += run->ram_bytes();
  }
  return bytes;
}

std::shared_ptr<const WindowView> Index::Window::make_view() const {
  auto made = std::make_shared<WindowView>();
  made->rows = rows;
  made->live = live;
  made->runs = runs;
  made->first_tail_row = first_tail_row;
  made->tail_ends = tail_ends.data();
  made->tail_indices = tail_indices.data();
  made->tail_values = tail_values.data();
  made->slots = slots.data();
  made->deleted = deleted;
  made->ram_bytes = ram_bytes();
  return made;
}

std::shared_ptr<const Snapshot> Index::snapshot() {
  if (snapshot_) {
    return snapshot_;
  }
  auto next = std::make_shared<Snapshot>();
  for (auto& window : windows_) {
    if (window && window->live == 0) {
      open_ = open_ == window->number ? k_no_row : open_;
      window = nullptr;
    }
    if (!window) {
      continue;
    }
    if (!window->view) {
      if (window->is_full &&
          (window->deleted_rows() - window->purged) * k_purged_part > window->live) {
        purge(*window);
      }
      window->view = window->make_view();
      window->is_shared = true;
    }
    next->windows.push_back(window->view);
    next->ram_bytes += window->view->ram_bytes;
  }
  next->live = live_;
  next->ram_bytes += rows_.capacity() * sizeof(uint32_t);
  snapshot_ = std::move(next);
  return snapshot_;
}

bool Index::load(std::vector<std::shared_ptr<const Run>> runs, const std::vector<uint32_t>& slots) {
  open_ = k_no_row;
  Window& window = open_window();
  window.rows = static_cast<uint32_t>(slots.size());
  window.first_tail_row = window.rows;
  window.slots.append(std::span<const uint32_t>(slots));
  for (uint32_t row = 0; row < window.rows; ++row) {
    const uint32_t slot = slots[row];
    if (slot == k_no_slot_of_row) {
      if (!window.deleted) {
        window.deleted = std::make_shared<RowBits>(k_window_rows / 64);
      }
      (*window.deleted)[row / 64] |= uint64_t{1} << (row % 64);
      continue;
    }
    if (slot >= rows_.size()) {
      rows_.resize(size_t{slot} + 1, k_no_row);
    }
    if (rows_[slot] != k_no_row) {
      return false;
    }
    rows_[slot] = window.number << k_row_bits | row;
    ++window.live;
    ++live_;
  }
  for (const auto& run : runs) {
    window.is_full = window.is_full || run->is_coded;
    for (const Piece& piece : run->pieces) {
      window.elements += piece.count;
    }
  }
  // Of the larger runs no more is known than that they were merged before.
  for (size_t i = 0; i < runs.size(); ++i) {
    window.levels.push_back(static_cast<uint32_t>(runs.size() - i));
  }
  window.runs = std::move(runs);
  if (window.is_full) {
    open_ = k_no_row;
  }
  snapshot_ = nullptr;
  return true;
}

}  // namespace asyncstore::sparse
