#include "multivector/code_file.h"

#include <span>
#include <utility>
#include <vector>

#include "io/checked_file.h"
#include "multivector/multivector.h"
#include "quantize/factory.h"

namespace asyncstore::multivector {

using base::Result;
using base::Status;

namespace {

constexpr io::Magic k_magic = {'A', 'S', 'M', 'U', 'L', 'T', 'I', '1'};
constexpr uint64_t k_header_bytes = 72;  // of a checked file, before its payload

// --- writing ---

// A number of each point that is live.
template <typename Number>
Status put_numbers(io::CheckedFileWriter& writer, const CodeSnapshot& snapshot,
                   const Number& number) {
  std::vector<uint32_t> part;
  for (const auto& window : snapshot.windows) {
    part.clear();
    for (uint32_t point = 0; point < window->points; ++point) {
      if (window->is_live(point)) {
        part.push_back(number(*window, point));
      }
    }
    TRY(writer.append(base::bytes_of(std::span<const uint32_t>(part))));
  }
  return {};
}

Status put_codes(io::CheckedFileWriter& writer, const CodeWindow& window, uint64_t code_bytes) {
  for (uint32_t point = 0; point < window.points; ++point) {
    if (window.is_live(point)) {
      const uint8_t* codes = window.codes.get() + window.first_row(point) * code_bytes;
      TRY(writer.append(std::as_bytes(std::span(codes, window.rows(point) * code_bytes))));
    }
  }
  return {};
}

}  // namespace

Status write_codes(const CodeSnapshot& snapshot, io::Storage& storage, const CodeFile& file,
                   uint64_t lsn) {
  const quantize::Quantizer& quantizer = *snapshot.made_by.quantizer;
  const uint64_t code_bytes = quantizer.code_bytes();
  const std::vector<std::byte> parameters = quantizer.parameters();
  TRY_ASSIGN(auto writer,
             io::CheckedFileWriter::create(
                 storage, file.path, {k_magic, file.owner},
                 {lsn, snapshot.live, code_bytes << 32 | parameters.size(),
                  uint64_t{file.multivector} << 8 | static_cast<uint64_t>(quantizer.kind())}));
  TRY(put_numbers(writer, snapshot,
                  [](const CodeWindow& window, uint32_t point) { return window.slot(point); }));
  TRY(put_numbers(writer, snapshot,
                  [](const CodeWindow& window, uint32_t point) { return window.rows(point); }));
  for (const auto& window : snapshot.windows) {
    TRY(put_codes(writer, *window, code_bytes));
  }
  TRY(writer.append(std::as_bytes(std::span(&snapshot.made_by.trained_rows, 1))));
  TRY(writer.append(parameters));
  return writer.finish();
}

// --- loading ---

namespace {

// A file that is open, without its codes.
struct OpenCodes {
  io::CheckedFile file;
  std::vector<uint32_t> slots = {};
  std::vector<uint32_t> rows = {};
  CodeQuantizer made_by = {};

  uint64_t lsn() const { return file.fields()[0]; }
  uint64_t points() const { return file.fields()[1]; }
  uint64_t code_bytes() const { return file.fields()[2] >> 32; }
  uint64_t parameter_bytes() const { return file.fields()[2] & UINT32_MAX; }
  uint64_t first_code() const { return points() * 2 * sizeof(uint32_t); }
  uint64_t parameters_begin() const { return file.payload_bytes() - parameter_bytes(); }
  uint64_t codes_end() const { return parameters_begin() - sizeof(uint64_t); }
  base::Error damaged(uint64_t offset, const char* what) const {
    return base::corruption(file.path(), offset, what);
  }

  Status read_quantizer(const segment::Field& field, uint32_t multivector);
  Status read_points(const segment::Field& field, uint32_t slots_end);
};

Status OpenCodes::read_quantizer(const segment::Field& field, uint32_t multivector) {
  std::vector<std::byte> parameters(parameter_bytes());
  TRY(file.read(parameters_begin(), parameters));
  auto loaded =
      quantize::load(field.quantization, field.dim, segment::metric_of(field.distance), parameters);
  if (!loaded.ok()) {
    return loaded.error().code == base::Code::corruption
               ? damaged(k_header_bytes + parameters_begin(), loaded.error().message.c_str())
               : std::move(loaded.error());
  }
  const quantize::Quantizer& quantizer = *loaded.value();
  made_by.quantizer = loaded.value();
  TRY(file.read(codes_end(), std::as_writable_bytes(std::span(&made_by.trained_rows, 1))));
  const uint64_t kind = uint64_t{multivector} << 8 | static_cast<uint64_t>(quantizer.kind());
  return file.fields()[3] == kind && code_bytes() == quantizer.code_bytes()
             ? Status()
             : damaged(k_header_bytes, "the header belongs to other codes");
}

Status OpenCodes::read_points(const segment::Field& field, uint32_t slots_end) {
  slots.resize(points());
  rows.resize(points());
  const auto slot_bytes = std::as_writable_bytes(std::span(slots));
  TRY(file.read(0, slot_bytes));
  TRY(file.read(slot_bytes.size(), std::as_writable_bytes(std::span(rows))));
  std::vector<bool> found(slots_end);
  uint64_t all_rows = 0;
  for (size_t at = 0; at < slots.size(); ++at) {
    if (slots[at] >= slots_end || found[slots[at]] || rows[at] == 0 ||
        rows[at] > k_elements_max / field.dim) {
      return damaged(k_header_bytes + at * sizeof(uint32_t), "a point is impossible");
    }
    found[slots[at]] = true;
    all_rows += rows[at];
  }
  return first_code() + all_rows * code_bytes() == codes_end()
             ? Status()
             : damaged(k_header_bytes, "it does not end where it should");
}

Result<OpenCodes> open_codes(io::Storage& storage, const CodeFile& file,
                             const segment::Field& field, uint32_t slots) {
  TRY_ASSIGN(auto checked, io::CheckedFile::open(storage, file.path, {k_magic, file.owner}));
  OpenCodes open{std::move(checked)};
  if (open.points() > slots ||
      open.file.payload_bytes() < open.first_code() + sizeof(uint64_t) + open.parameter_bytes()) {
    return open.damaged(k_header_bytes, "it ends too early");
  }
  TRY(open.read_quantizer(field, file.multivector));
  TRY(open.read_points(field, slots));
  return open;
}

}  // namespace

Result<LoadedCodes> load_codes(io::Storage& storage, const CodeFile& file,
                               const segment::Field& field, uint32_t slots) {
  TRY_ASSIGN(const OpenCodes open, open_codes(storage, file, field, slots));
  LoadedCodes loaded{std::make_unique<CodeIndex>(field, CodeIndexOptions(), open.made_by),
                     open.lsn()};
  uint64_t at = open.first_code();
  TRY(loaded.index->load(open.slots, open.rows, [&](base::MutableBytes codes) {
    const uint64_t offset = std::exchange(at, at + codes.size());
    return open.file.read(offset, codes);
  }));
  return loaded;
}

Status check_codes(io::Storage& storage, const CodeFile& file, const segment::Field& field,
                   uint32_t slots) {
  TRY(open_codes(storage, file, field, slots));
  return io::check_file(storage, file.path);
}

}  // namespace asyncstore::multivector
