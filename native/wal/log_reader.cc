#include "wal/log_reader.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/crc32c.h"

namespace asyncstore::wal {

using base::Bytes;
using base::Code;
using base::Error;
using base::Status;

uint32_t frame_crc(Bytes header_and_payload) {
  return base::crc32c(header_and_payload.subspan(sizeof(FrameHeader::crc)));
}

uint32_t header_crc(const FileHeader& header) {
  return base::crc32c(std::as_bytes(std::span(&header, 1)).first(offsetof(FileHeader, crc)));
}

LogReader::LogReader(Bytes content, uint32_t file_number)
    : content_(content), file_number_(file_number) {}

std::optional<FileHeader> LogReader::header() const {
  if (content_.size() < sizeof(FileHeader)) {
    return std::nullopt;
  }
  FileHeader header;
  std::memcpy(&header, content_.data(), sizeof header);
  const bool holds = header.magic == k_magic && header.crc == header_crc(header);
  return holds ? std::optional(header) : std::nullopt;
}

std::optional<uint64_t> LogReader::first_lsn() const {
  const auto found = header();
  if (found) {
    return found->file_number == file_number_ ? std::optional(found->first_lsn) : std::nullopt;
  }
  // Frames stand for themselves, should the header be lost.
  const auto frame = frame_at(sizeof(FileHeader));
  return frame ? std::optional(frame->header.lsn) : std::nullopt;
}

Status LogReader::check_header(const std::string& path, uint64_t owner) const {
  const auto found = header();
  // A crash leaves the mark as it was written, or unwritten from some byte on.
  const Bytes mark = content_.first(std::min(content_.size(), k_magic.size()));
  const Bytes expected = std::as_bytes(std::span(k_magic));
  const auto differs = std::mismatch(mark.begin(), mark.end(), expected.begin()).first;
  if (std::any_of(differs, mark.end(), [](std::byte byte) { return byte != std::byte{0}; })) {
    return base::corruption(path, 0, "the file does not begin with the mark of a log");
  }
  if (found && found->format_version != k_format_version) {
    return Error{Code::unsupported,
                 path + " has format version " + std::to_string(found->format_version) +
                     "; this asyncstore reads version " + std::to_string(k_format_version) +
                     ". Open the store with a newer one."};
  }
  if (found && found->owner != owner) {
    return base::corruption(path, offsetof(FileHeader, owner),
                            "the file belongs to another collection");
  }
  // A file that is used again has a lower number in its header until the new one is written.
  if (found && found->file_number > file_number_) {
    return base::corruption(path, offsetof(FileHeader, file_number),
                            "the file belongs under another name");
  }
  return {};
}

std::optional<LogReader::Frame> LogReader::frame_at(uint64_t position) const {
  if (position > content_.size() || content_.size() - position < sizeof(FrameHeader)) {
    return std::nullopt;
  }
  FrameHeader header;
  std::memcpy(&header, content_.data() + position, sizeof header);
  // The cheap tests first: proves_durable() asks at every eighth byte.
  const uint64_t room = content_.size() - position - sizeof header;
  if (header.file_number != file_number_ || header.lsn == 0 || header.payload_bytes > room) {
    return std::nullopt;
  }
  const Bytes whole = content_.subspan(position, sizeof header + header.payload_bytes);
  if (frame_crc(whole) != header.crc) {
    return std::nullopt;
  }
  return Frame{header, whole.subspan(sizeof header)};
}

std::optional<LogReader::Frame> LogReader::next(uint64_t lsn, uint64_t applied_lsn) {
  for (uint64_t position = position_; position + sizeof(FrameHeader) <= content_.size();
       position += k_frame_alignment) {
    const auto frame = frame_at(position);
    if (frame && frame->header.lsn >= lsn && frame->header.lsn <= std::max(lsn, applied_lsn + 1)) {
      position_ =
          position + base::round_up(sizeof(FrameHeader) + frame->payload.size(), k_frame_alignment);
      return frame;
    }
    if (lsn > applied_lsn) {
      break;  // it is needed itself
    }
  }
  return std::nullopt;
}

bool LogReader::proves_durable(uint64_t lsn, uint64_t applied_lsn) const {
  for (uint64_t position = position_; position + sizeof(FrameHeader) <= content_.size();
       position += k_frame_alignment) {
    const auto frame = frame_at(position);
    if (frame && frame->header.lsn > applied_lsn && frame->header.durable_lsn >= lsn) {
      return true;
    }
  }
  return false;
}

}  // namespace asyncstore::wal
