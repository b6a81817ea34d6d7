#include "sparse/index_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "io/checked_file.h"

namespace asyncstore::sparse {

using base::Bytes;
using base::Result;
using base::Status;

namespace {

constexpr io::Magic k_magic = {'A', 'S', 'S', 'P', 'A', 'R', 'S', '1'};
constexpr uint64_t k_align = 4;
constexpr uint64_t k_header_bytes = 72;  // of a checked file, before its payload

struct RunHeader {
  uint32_t first_row = 0;
  uint32_t rows = 0;
  uint32_t is_coded = 0;
  uint32_t pieces = 0;
  uint32_t listed = 0;
  uint32_t dense = 0;
};
static_assert(sizeof(RunHeader) == 24);

// --- writing ---

template <typename T>
Status put(io::CheckedFileWriter& file, std::span<const T> values) {
  const Bytes bytes = base::bytes_of(values);
  TRY(file.append(bytes));
  const std::array<std::byte, k_align> zeros{};
  return file.append(Bytes(zeros).first(base::round_up(bytes.size(), k_align) - bytes.size()));
}

Status put_run(io::CheckedFileWriter& file, const Run& run) {
  const RunHeader header{run.first_row,
                         run.rows,
                         run.is_coded ? 1U : 0U,
                         static_cast<uint32_t>(run.pieces.size()),
                         static_cast<uint32_t>(run.listed_rows.size()),
                         static_cast<uint32_t>(run.dense.size())};
  TRY(put(file, std::span(&header, 1)));
  TRY(put(file, std::span(run.dims)));
  TRY(put(file, std::span(run.pieces)));
  TRY(put(file, std::span(run.listed_rows)));
  TRY(run.is_coded ? put(file, std::span(run.codes)) : put(file, std::span(run.weights)));
  return put(file, std::span(run.dense));
}

std::shared_ptr<const Run> run_of_tail(const WindowView& window) {
  std::vector<Posting> postings;
  for (uint32_t row = window.first_tail_row; row < window.rows; ++row) {
    if (!window.is_live(row)) {
      continue;
    }
    const auto [indices, values] = window.tail_row(row);
    for (size_t i = 0; i < indices.size(); ++i) {
      postings.push_back({indices[i], static_cast<uint16_t>(row), values[i]});
    }
  }
  return make_run(window.first_tail_row, window.rows - window.first_tail_row, postings);
}

Status put_window(io::CheckedFileWriter& file, const WindowView& window) {
  auto runs = window.runs;
  if (window.first_tail_row < window.rows) {
    runs.push_back(run_of_tail(window));
  }
  const std::array<uint32_t, 2> header = {window.rows, static_cast<uint32_t>(runs.size())};
  TRY(put(file, std::span<const uint32_t>(header)));
  std::vector<uint32_t> slots(window.slots.get(), window.slots.get() + window.rows);
  for (uint32_t row = 0; row < window.rows; ++row) {
    slots[row] = window.is_live(row) ? slots[row] : k_no_slot_of_row;
  }
  TRY(put(file, std::span<const uint32_t>(slots)));
  for (const auto& run : runs) {
    TRY(put_run(file, *run));
  }
  return {};
}

}  // namespace

Status write_index(const Snapshot& snapshot, io::Storage& storage, const std::string& path,
                   uint64_t owner, uint64_t lsn) {
  TRY_ASSIGN(auto file,
             io::CheckedFileWriter::create(storage, path, {k_magic, owner},
                                           {lsn, snapshot.windows.size(), snapshot.live, 0}));
  for (const auto& window : snapshot.windows) {
    TRY(put_window(file, *window));
  }
  return file.finish();
}

// --- loading ---

namespace {

// Whether the lists of a run are what a run's can be: searches rely on it.
bool is_sound(const Run& run) {
  size_t listed = 0;
  size_t dense = 0;
  if (std::adjacent_find(run.dims.begin(), run.dims.end(), std::greater_equal<>()) !=
      run.dims.end()) {
    return false;
  }
  for (const Piece& piece : run.pieces) {
    const bool is_dense = piece.is_dense == 1 && run.is_coded;
    size_t& at = is_dense ? dense : listed;
    const size_t end = at + (is_dense ? run.rows : piece.count);
    if (piece.is_dense > 1 || (piece.is_dense == 1 && !is_dense) || piece.begin != at ||
        piece.count == 0 || piece.count > run.rows ||
        end > (is_dense ? run.dense.size() : run.listed_rows.size()) || !std::isfinite(piece.low) ||
        !std::isfinite(piece.high) || !std::isfinite(piece.error) || piece.low > piece.high ||
        piece.error < 0) {
      return false;
    }
    const std::span<const uint16_t> rows =
        is_dense ? std::span<const uint16_t>()
                 : std::span(run.listed_rows).subspan(at, piece.count);
    if (std::adjacent_find(rows.begin(), rows.end(), std::greater_equal<>()) != rows.end() ||
        (!rows.empty() &&
         (rows.front() < run.first_row || rows.back() >= run.first_row + run.rows))) {
      return false;
    }
    if (!run.is_coded) {
      const auto weights = std::span(run.weights).subspan(at, piece.count);
      if (!std::all_of(weights.begin(), weights.end(),
                       [&](float weight) { return weight >= piece.low && weight <= piece.high; })) {
        return false;
      }
    }
    at = end;
  }
  return listed == run.listed_rows.size() && dense == run.dense.size() &&
         std::find(run.codes.begin(), run.codes.end(), 0) == run.codes.end();
}

class Loader {
 public:
  Loader(const io::CheckedFile& file, uint32_t slots, Index& index)
      : file_(file), slots_(slots), index_(index) {}

  Status load() {
    const auto [lsn, windows, live, zero] = file_.fields();
    uint64_t found = 0;
    for (uint64_t window = 0; window < windows; ++window) {
      TRY_ASSIGN(const uint64_t rows, take_window());
      found += rows;
    }
    if (at_ != file_.payload_bytes() || found != live || zero != 0) {
      return damaged("it does not end where it should");
    }
    return {};
  }

 private:
  base::Error damaged(const char* what) const {
    return base::corruption(file_.path(), k_header_bytes + at_, what);
  }

  template <typename T>
  Status take(std::vector<T>& values, uint64_t count) {
    const uint64_t bytes = base::round_up(count * sizeof(T), k_align);
    if (bytes > file_.payload_bytes() - at_) {
      return damaged("it ends too early");
    }
    values.resize(count);
    TRY(file_.read(at_, std::as_writable_bytes(std::span(values))));
    at_ += bytes;
    return {};
  }

  Result<std::shared_ptr<const Run>> take_run(uint32_t first_row, uint32_t rows_max) {
    std::vector<RunHeader> header;
    TRY(take(header, 1));
    auto run = std::make_shared<Run>();
    run->first_row = header[0].first_row;
    run->rows = header[0].rows;
    run->is_coded = header[0].is_coded == 1;
    if (run->first_row != first_row || run->rows == 0 || run->rows > rows_max ||
        header[0].is_coded > 1) {
      return damaged("a run is impossible");
    }
    TRY(take(run->dims, header[0].pieces));
    TRY(take(run->pieces, header[0].pieces));
    TRY(take(run->listed_rows, header[0].listed));
    TRY(run->is_coded ? take(run->codes, header[0].listed) : take(run->weights, header[0].listed));
    TRY(take(run->dense, header[0].dense));
    if (!is_sound(*run)) {
      return damaged("a run is damaged");
    }
    return std::shared_ptr<const Run>(std::move(run));
  }

  // The number of its live rows.
  Result<uint64_t> take_window() {
    std::vector<uint32_t> header;
    TRY(take(header, 2));
    const uint32_t rows = header[0];
    const uint32_t runs_count = header[1];
    std::vector<uint32_t> slots;
    if (rows == 0 || rows > k_window_rows || runs_count == 0 || runs_count > rows) {
      return damaged("a window is impossible");
    }
    TRY(take(slots, rows));
    std::vector<std::shared_ptr<const Run>> runs;
    uint32_t next_row = 0;
    for (uint32_t i = 0; i < runs_count; ++i) {
      TRY_ASSIGN(auto run, take_run(next_row, rows - next_row));
      next_row += run->rows;
      if (run->is_coded && runs_count > 1) {
        return damaged("a window is impossible");
      }
      runs.push_back(std::move(run));
    }
    const auto deleted = std::count(slots.begin(), slots.end(), k_no_slot_of_row);
    const bool known = std::all_of(slots.begin(), slots.end(), [&](uint32_t slot) {
      return slot < slots_ || slot == k_no_slot_of_row;
    });
    if (next_row != rows || !known || !index_.load(std::move(runs), slots)) {
      return damaged("a window is damaged");
    }
    return rows - static_cast<uint64_t>(deleted);
  }

  const io::CheckedFile& file_;
  const uint32_t slots_;
  Index& index_;
  uint64_t at_ = 0;
};

}  // namespace

Result<LoadedIndex> load_index(io::Storage& storage, const std::string& path, uint64_t owner,
                               uint32_t slots) {
  TRY_ASSIGN(const auto file, io::CheckedFile::open(storage, path, {k_magic, owner}));
  LoadedIndex loaded{std::make_unique<Index>(), file.fields()[0]};
  TRY(Loader(file, slots, *loaded.index).load());
  return loaded;
}

}  // namespace asyncstore::sparse
