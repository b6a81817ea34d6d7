// The codes of a segment: in memory, and in their file once it is sealed.
#include <algorithm>
#include <thread>
#include <utility>

#include "quantize/factory.h"
#include "segment/segment.h"
#include "segment/segment_format.h"

namespace asyncstore::segment {

using base::Bytes;
using base::Code;
using base::MutableBytes;
using base::Result;
using base::Status;

namespace {

constexpr uint64_t k_parallel_load_bytes = 32 << 20;

}  // namespace

void Segment::reserve_codes() {
  if (quantizer_) {
    const uint64_t bytes = uint64_t{quantizer_->code_bytes()} * options_.rows_max;
    codes_ = base::Region(bytes, bytes >= k_huge_region_bytes);
  }
}

Status Segment::grow_codes(uint64_t rows) {
  const bool grown = !quantizer_ || codes_.grow(rows * quantizer_->code_bytes());
  return grown ? Status() : no_memory(path("vectors"));
}

const uint8_t* Segment::codes(uint32_t row) const {
  return codes_.as<const uint8_t>() + uint64_t{row} * quantizer_->code_bytes();
}

uint64_t Segment::codes_bytes(uint32_t rows) const {
  return quantizer_ ? uint64_t{rows} * quantizer_->code_bytes() : 0;
}

void Segment::encode_code(uint32_t row, const std::byte* stored) {
  if (quantizer_) {
    quantizer_->encode(codec_.search_vector(stored),
                       codes_.as<uint8_t>() + uint64_t{row} * quantizer_->code_bytes());
  }
}

Status Segment::write_codes(const std::string& path, uint32_t rows) const {
  const std::vector<std::byte> parameters = quantizer_->parameters();
  const uint64_t shape = uint64_t{quantizer_->code_bytes()} << 32 | parameters.size();
  const auto kind = static_cast<uint64_t>(quantizer_->kind());
  TRY_ASSIGN(auto file,
             io::CheckedFileWriter::create(*storage_, path, {k_codes_magic, options_.owner},
                                           {options_.id, rows, shape, kind}));
  TRY(file.append(Bytes(codes_.as<std::byte>(), codes_bytes(rows))));
  TRY(file.append(parameters));
  return file.finish();
}

// The file of codes, if it is that of this segment with so many rows.
Result<io::CheckedFile> Segment::open_codes(uint32_t rows) const {
  TRY_ASSIGN(io::CheckedFile file,
             io::CheckedFile::open(*storage_, path("codes"), {k_codes_magic, options_.owner}));
  const auto [segment, file_rows, shape, kind] = file.fields();
  const uint64_t code_bytes = shape >> 32;
  const uint64_t parameter_bytes = shape & UINT32_MAX;
  if (segment != options_.id || file_rows != rows || kind > UINT8_MAX ||
      file.payload_bytes() != rows * code_bytes + parameter_bytes) {
    return base::corruption(file.path(), 24, "the header belongs to another segment");
  }
  return file;
}

// The quantizer that made the codes of the file.
Status Segment::load_quantizer(const io::CheckedFile& file, uint32_t rows) {
  const auto [segment, file_rows, shape, kind] = file.fields();
  const uint64_t code_bytes = shape >> 32;
  std::vector<std::byte> parameters(shape & UINT32_MAX);
  TRY(file.read(rows * code_bytes, parameters));
  auto loaded =
      quantize::load(field_.quantization, field_.dim, metric_of(field_.distance), parameters);
  if (!loaded.ok()) {
    return loaded.error().code == Code::corruption
               ? base::corruption(file.path(), rows * code_bytes, loaded.error().message)
               : std::move(loaded.error());
  }
  const quantize::Quantizer& quantizer = *loaded.value();
  if (kind != static_cast<uint64_t>(quantizer.kind()) || code_bytes != quantizer.code_bytes()) {
    return base::corruption(file.path(), 48, "the header belongs to another kind of code");
  }
  // What training has found may make codes of another size than those of the rows that came in.
  const bool same_size = code_bytes == quantizer_->code_bytes();
  quantizer_ = std::move(loaded.value());
  if (!same_size) {
    reserve_codes();
  }
  return grow_codes(rows);
}

Status Segment::load_codes(uint32_t rows) {
  if (!quantizer_) {
    sealed_.store(true, std::memory_order_release);
    return {};
  }
  TRY_ASSIGN(const io::CheckedFile file, open_codes(rows));
  TRY(load_quantizer(file, rows));
  const uint64_t code_bytes = codes_bytes(rows);
  // Large files by two threads: copying out of the page cache is bound by the core, not by memory.
  const uint64_t half = base::round_down(code_bytes / 2, io::CheckedFile::k_block_bytes);
  const uint64_t split = code_bytes < k_parallel_load_bytes ? 0 : half;
  Status first;
  std::thread other;
  auto* codes = codes_.as<std::byte>();
  if (split > 0) {
    other = std::thread([&] { first = file.read(0, MutableBytes(codes, split)); });
  }
  Status second = file.read(split, MutableBytes(codes + split, code_bytes - split));
  if (other.joinable()) {
    other.join();
  }
  TRY(std::move(first));
  TRY(std::move(second));
  sealed_.store(true, std::memory_order_release);
  return {};
}

Result<std::vector<uint32_t>> Segment::rebuild_codes(uint32_t rows) {
  std::vector<uint32_t> failed;
  const uint64_t part_rows = std::max<uint64_t>(1, k_read_part_bytes / layout_.stride());
  std::vector<std::byte> part(part_rows * layout_.stride());
  const std::vector<std::byte> nothing(layout_.row_bytes());
  TRY_ASSIGN(const uint64_t size, vectors_->size());  // may be less than it should be
  for (uint64_t begin = 0; begin < rows; begin += part_rows) {
    const uint64_t count = std::min<uint64_t>(part_rows, rows - begin);
    // The last row's stride may reach past the end of the file.
    const uint64_t offset = layout_.offset(begin);
    const uint64_t wanted = (count - 1) * layout_.stride() + layout_.row_bytes();
    const uint64_t there = std::min(wanted, size > offset ? size - offset : 0);
    std::fill(part.begin() + static_cast<ptrdiff_t>(there), part.end(), std::byte{0});
    TRY(vectors_->read_at(offset, MutableBytes(part).first(there)));
    for (uint64_t i = 0; i < count; ++i) {
      const auto row = static_cast<uint32_t>(begin + i);
      const std::byte* stored = part.data() + i * layout_.stride();
      const bool holds = base::crc32c(Bytes(stored, layout_.row_bytes())) == crc(row);
      if (!holds) {
        failed.push_back(row);
      }
      encode_code(row, holds ? stored : nothing.data());
    }
  }
  return failed;
}

}  // namespace asyncstore::segment
