#include "sparse/index.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "sparse/run_merge.h"
#include "sparse/sparse_vector.h"

namespace asyncstore::sparse {

namespace {

constexpr uint32_t k_row_bits = 16;
static_assert(k_window_rows == 1 << k_row_bits);
// So many runs of one size become a larger one.
constexpr size_t k_merged_runs = 4;
// What a change does of the work that is left, as a multiple of what it makes: an element is moved
// three times into larger runs and once into codes, now and then again when others have gone, and
// each dimension counts as an element.
constexpr uint64_t k_work_factor = 16;
// A window drops what deleted rows had when these are such a part of the rows that it still has.
constexpr uint32_t k_purged_part = 4;

}  // namespace

// Some runs of a window on their way to become one.
struct Index::Task {
  size_t first;  // of the runs
  size_t count;
  uint32_t level;    // of the run that they become
  uint32_t deleted;  // rows, when it began: nothing of them is left in the end
  RunMerge merge;
};

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
  std::unique_ptr<Task> task;
  uint32_t first_tail_row = 0;
  base::Growing<uint32_t> tail_ends;
  base::Growing<uint32_t> tail_indices;
  base::Growing<float> tail_values;
  base::Growing<uint32_t> slots;
  std::shared_ptr<RowBits> deleted;        // null: none
  bool is_shared = false;                  // `deleted` is in a view: to be copied before a change
  std::shared_ptr<const WindowView> view;  // null: something has changed

  uint32_t deleted_rows() const { return rows - live; }
  bool is_coded() const { return runs.size() == 1 && runs.front()->is_coded; }
  uint64_t elements_a_row() const { return elements / std::max(rows, 1U) + 1; }
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
  work((elements + 1) * k_work_factor);
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
  begin_task(window);
  work(window.elements_a_row() * k_work_factor);
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
  begin_task(window);
}

// No row comes any more.
void Index::finish(Window& window) {
  if (window.tail_ends.size() > 0) {
    gather_tail(window);
  }
  window.is_full = true;
  window.task = nullptr;  // all of its runs become one
  begin_task(window);
  open_ = k_no_row;
}

// --- the work behind ---

// Of a window that is full all runs become one of codes. Of the others as many of one level, the
// oldest ones, become one of the next, so that an element is moved a few times in all.
void Index::begin_task(Window& window) {
  if (window.task || window.runs.empty()) {
    return;
  }
  size_t first = 0;
  size_t count = 0;
  uint32_t level = 0;
  if (!window.is_full) {
    const auto& levels = window.levels;
    while (first + k_merged_runs <= levels.size() &&
           levels[first] != levels[first + k_merged_runs - 1]) {
      ++first;
    }
    if (first + k_merged_runs > levels.size()) {
      return;
    }
    count = k_merged_runs;
    level = levels[first] + 1;
  } else if (!window.is_coded() ||
             (window.deleted_rows() - window.purged) * k_purged_part > window.live) {
    count = window.runs.size();
  } else {
    return;
  }
  const auto begin = window.runs.begin() + static_cast<ptrdiff_t>(first);
  window.task = std::make_unique<Task>(
      Task{first, count, level, window.deleted_rows(),
           RunMerge({begin, begin + static_cast<ptrdiff_t>(count)}, window.is_full)});
  busy_.push_back(window.number);
}

void Index::end_task(Window& window) {
  const auto task = std::move(window.task);
  const auto first = static_cast<ptrdiff_t>(task->first);
  const auto last = first + static_cast<ptrdiff_t>(task->count);
  window.runs[task->first] = task->merge.take();
  window.levels[task->first] = task->level;
  window.runs.erase(window.runs.begin() + first + 1, window.runs.begin() + last);
  window.levels.erase(window.levels.begin() + first + 1, window.levels.begin() + last);
  if (window.is_full) {
    window.purged = task->deleted;
  }
  window.view = nullptr;
  snapshot_ = nullptr;
  begin_task(window);
}

bool Index::work(uint64_t elements) {
  while (!busy_.empty()) {
    Window* window = windows_[busy_.front()].get();
    if (window == nullptr || !window->task) {
      busy_.pop_front();  // it has gone
      continue;
    }
    if (window->task->merge.step(elements, window->deleted.get())) {
      busy_.pop_front();
      end_task(*window);
    }
    return true;
  }
  return false;
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
  window.is_full = window.is_full || window.rows >= options_.window_rows ||
                   window.elements >= options_.window_elements;
  if (window.is_full) {
    open_ = k_no_row;
    begin_task(window);
  }
  snapshot_ = nullptr;
  return true;
}

}  // namespace asyncstore::sparse
