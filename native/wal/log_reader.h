// Finds the frames of one log file and tells a torn end from damage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wal/log_format.h"

namespace asyncstore::wal {

class LogReader {
 public:
  // `content`: the whole file; it need not be well-formed. `file_number`: by the file's name.
  LogReader(base::Bytes content, uint32_t file_number);

  // By the header, or by the first frame where the header does not hold; unset when neither does.
  std::optional<uint64_t> first_lsn() const;
  // An error where the file is no log, of a newer format or of another collection, or cannot have
  // come under its name by itself. A header that does not hold may be what a crash left.
  base::Status check_header(const std::string& path, uint64_t owner) const;

  struct Frame {
    FrameHeader header;
    base::Bytes payload;
  };
  // The frame at the present position if it holds and has this lsn; moves behind it. Nobody needs
  // frames up to `applied_lsn`: where damage took only such ones, the first frame behind it.
  std::optional<Frame> next(uint64_t lsn, uint64_t applied_lsn);

  // Whether any frame after `applied_lsn`, from the present position on, proves that frame `lsn`
  // had been synced. Frames up to `applied_lsn` are not needed, so what is lost among them is no
  // loss.
  bool proves_durable(uint64_t lsn, uint64_t applied_lsn) const;

  // Where next() looks.
  uint64_t position() const { return position_; }

 private:
  std::optional<FileHeader> header() const;
  std::optional<Frame> frame_at(uint64_t position) const;

  base::Bytes content_;
  uint32_t file_number_;
  uint64_t position_ = sizeof(FileHeader);
};

uint32_t frame_crc(base::Bytes header_and_payload);
uint32_t header_crc(const FileHeader& header);

}  // namespace asyncstore::wal
