#include "io/checked_file.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/crc32c.h"

namespace asyncstore::io {

using base::Bytes;
using base::Code;
using base::Error;
using base::MutableBytes;
using base::Result;
using base::Status;

namespace {

struct Header {
  Magic magic;
  uint32_t format_version;
  uint32_t block_bytes;
  uint64_t payload_bytes;
  uint64_t owner;
  Fields fields;
  uint32_t table_crc;
  uint32_t header_crc;
};
static_assert(sizeof(Header) == 72);
constexpr uint64_t k_payload_offset = sizeof(Header);
constexpr size_t k_header_checked_bytes = sizeof(Header) - sizeof(uint32_t);

Bytes header_bytes(const Header& header) {
  return std::as_bytes(std::span(&header, 1));
}

}  // namespace

Result<CheckedFileWriter> CheckedFileWriter::create(Storage& storage, const std::string& path,
                                                    Mark mark, Fields fields) {
  CheckedFileWriter writer;
  if (storage.exists(path)) {
    // Left behind by a crash before anything referred to it.
    TRY(storage.remove(path));
  }
  TRY_ASSIGN(writer.file_, storage.open(path, Open::create));
  writer.mark_ = mark;
  writer.fields_ = fields;
  writer.block_.reserve(CheckedFile::k_block_bytes);
  return writer;
}

Status CheckedFileWriter::append(Bytes bytes) {
  while (!bytes.empty()) {
    const size_t room = CheckedFile::k_block_bytes - block_.size();
    const Bytes part = bytes.first(std::min(room, bytes.size()));
    block_.insert(block_.end(), part.begin(), part.end());
    bytes = bytes.subspan(part.size());
    if (block_.size() == CheckedFile::k_block_bytes) {
      TRY(write_block());
    }
  }
  return {};
}

Status CheckedFileWriter::write_block() {
  checksums_.push_back(base::crc32c(block_));
  TRY(file_->write_at(k_payload_offset + payload_bytes_, block_));
  payload_bytes_ += block_.size();
  block_.clear();
  return {};
}

Status CheckedFileWriter::finish() {
  if (!block_.empty()) {
    TRY(write_block());
  }
  const Bytes table = std::as_bytes(std::span(checksums_));
  TRY(file_->write_at(k_payload_offset + payload_bytes_, table));
  Header header{mark_.magic, k_format_version, CheckedFile::k_block_bytes, payload_bytes_,
                mark_.owner, fields_,          base::crc32c(table),        0};
  header.header_crc = base::crc32c(header_bytes(header).first(k_header_checked_bytes));
  TRY(file_->write_at(0, header_bytes(header)));
  return file_->sync_gently();
}

Result<CheckedFile> CheckedFile::open(Storage& storage, const std::string& path, Mark mark) {
  TRY_ASSIGN(CheckedFile checked, open(storage, path));
  if (checked.mark_.magic != mark.magic) {
    return base::corruption(path, 0, "the file does not begin with the mark of its kind");
  }
  if (checked.mark_.owner != mark.owner) {
    return base::corruption(path, offsetof(Header, owner),
                            "the file belongs to another collection");
  }
  return checked;
}

Result<CheckedFile> CheckedFile::open(Storage& storage, const std::string& path) {
  CheckedFile checked;
  TRY_ASSIGN(checked.file_, storage.open(path, Open::read));
  TRY_ASSIGN(const uint64_t size, checked.file_->size());
  if (size < sizeof(Header)) {
    return base::corruption(path, size, "the file ends inside its header");
  }
  Header header;
  TRY(checked.file_->read_at(0, std::as_writable_bytes(std::span(&header, 1))));
  if (base::crc32c(header_bytes(header).first(k_header_checked_bytes)) != header.header_crc) {
    return base::corruption(path, 0, "the header does not match its checksum");
  }
  if (header.format_version != k_format_version || header.block_bytes != k_block_bytes) {
    return Error{Code::unsupported,
                 path + " has format version " + std::to_string(header.format_version) +
                     "; this asyncstore reads version " + std::to_string(k_format_version) +
                     ". Open it with a newer one."};
  }
  const uint64_t blocks =
      header.payload_bytes / k_block_bytes + (header.payload_bytes % k_block_bytes != 0);
  if (header.payload_bytes > size || k_payload_offset + header.payload_bytes + 4 * blocks != size) {
    return base::corruption(path, size, "the file does not have the size that its header tells");
  }
  checked.checksums_.resize(blocks);
  const MutableBytes table = std::as_writable_bytes(std::span(checked.checksums_));
  TRY(checked.file_->read_at(k_payload_offset + header.payload_bytes, table));
  if (base::crc32c(table) != header.table_crc) {
    return base::corruption(path, k_payload_offset + header.payload_bytes,
                            "the table of checksums does not match its checksum");
  }
  checked.mark_ = {header.magic, header.owner};
  checked.payload_bytes_ = header.payload_bytes;
  checked.fields_ = header.fields;
  return checked;
}

Status CheckedFile::read(uint64_t offset, MutableBytes target) const {
  if (offset > payload_bytes_ || target.size() > payload_bytes_ - offset) {
    return base::corruption(path(), k_payload_offset + payload_bytes_, "the file ends too early");
  }
  std::vector<std::byte> edge;  // a block of which only a part is wanted
  while (!target.empty()) {
    const uint64_t block = offset / k_block_bytes;
    const uint64_t block_begin = block * k_block_bytes;
    const uint64_t block_size = std::min(k_block_bytes, payload_bytes_ - block_begin);
    const uint64_t skip = offset - block_begin;
    const size_t wanted = std::min<uint64_t>(block_size - skip, target.size());
    const bool whole = wanted == block_size;
    if (!whole) {
      edge.resize(block_size);
    }
    const MutableBytes content = whole ? target.first(wanted) : MutableBytes(edge);
    TRY(file_->read_at(k_payload_offset + block_begin, content));
    if (base::crc32c(content) != checksums_[block]) {
      return base::corruption(path(), k_payload_offset + block_begin,
                              "a block does not match its checksum");
    }
    if (!whole) {
      std::memcpy(target.data(), edge.data() + skip, wanted);
    }
    offset += wanted;
    target = target.subspan(wanted);
  }
  return {};
}

Status check_file(Storage& storage, const std::string& path) {
  TRY_ASSIGN(const CheckedFile file, CheckedFile::open(storage, path));
  std::vector<std::byte> block;
  for (uint64_t offset = 0; offset < file.payload_bytes(); offset += block.size()) {
    block.resize(std::min(CheckedFile::k_block_bytes, file.payload_bytes() - offset));
    TRY(file.read(offset, block));
  }
  return {};
}

}  // namespace asyncstore::io
