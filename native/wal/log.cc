#include "wal/log.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/crc32c.h"
#include "base/limits.h"
#include "wal/log_reader.h"

namespace asyncstore::wal {

using base::Bytes;
using base::Code;
using base::Error;
using base::MutableBytes;
using base::Result;
using base::Status;

namespace {

constexpr uint64_t k_file_bytes_max = uint64_t{1} << 31;
constexpr size_t k_spares_max = 4;
constexpr uint64_t k_first_file_bytes = 256 << 10;

// The number in "0000000012.wal"; 0 for any other name.
uint32_t number_of(const std::string& name) {
  uint32_t number = 0;
  char rest = 0;
  const bool fits = std::sscanf(name.c_str(), "%10" SCNu32 ".wa%c", &number, &rest) == 2;
  return fits && rest == 'l' && name.size() == 14 ? number : 0;
}

// The number in "spare-12"; 0 for any other name.
uint32_t spare_number_of(const std::string& name) {
  uint32_t number = 0;
  return std::sscanf(name.c_str(), "spare-%10" SCNu32, &number) == 1 ? number : 0;
}

Bytes whole(const FileHeader& header) {
  return std::as_bytes(std::span(&header, 1));
}

}  // namespace

Log::Log(std::shared_ptr<io::Storage> storage, std::string folder, LogOptions options)
    : storage_(std::move(storage)),
      folder_(std::move(folder)),
      options_(options),
      next_bytes_(std::min(options.capacity_bytes, k_first_file_bytes)) {}

Result<std::unique_ptr<Log>> Log::open(std::shared_ptr<io::Storage> storage, std::string folder,
                                       LogOptions options, uint64_t applied_lsn,
                                       const Replay& replay) {
  std::unique_ptr<Log> log(new Log(std::move(storage), std::move(folder), options));
  TRY(log->recover(applied_lsn, replay));
  return log;
}

Status Log::recover(uint64_t applied_lsn, const Replay& replay) {
  TRY_ASSIGN(const std::vector<std::string> names, storage_->list(folder_));
  std::vector<uint32_t> numbers;
  for (const auto& name : names) {
    const uint32_t number = number_of(name);
    if (number > 0) {
      numbers.push_back(number);
    } else if (const uint32_t spare = spare_number_of(name); spare > 0) {
      spares_.push_back(folder_ + "/" + name);
      // Its old frames carry numbers up to this one, which must not come again.
      next_number_ = std::max(next_number_, spare + 1);
    }
  }
  std::sort(numbers.begin(), numbers.end());

  last_lsn_ = applied_lsn;
  uint64_t expected = 0;  // lsn of the next frame; 0 before the first file
  bool ended = false;     // a torn write was met: what follows must prove nothing
  std::string ended_path;
  uint64_t ended_offset = 0;
  std::vector<uint32_t> rejected;
  for (const uint32_t number : numbers) {
    const std::string path = path_of(number);
    TRY_ASSIGN(const std::vector<std::byte> content,
               io::read_file(*storage_, path, k_file_bytes_max));
    LogReader reader(content, number);
    TRY(reader.check_header(path, options_.owner));
    const auto first = reader.first_lsn();
    if (first && expected == 0 && *first > applied_lsn + 1) {
      if (reader.proves_durable(applied_lsn + 1, applied_lsn)) {
        return base::corruption(path, 0,
                                "the log begins at operation " + std::to_string(*first) +
                                    " but the checkpoint ends at " + std::to_string(applied_lsn) +
                                    ": a log file is missing");
      }
      // The rest of a group whose beginning, in the file before, a power cut took.
      expected = applied_lsn + 1;
    } else if (first && expected == 0) {
      expected = *first;
    }
    // What a checkpoint includes need not be in the log any more, damaged or not.
    if (first && *first > expected && *first <= applied_lsn + 1) {
      expected = *first;
    }
    if (first && *first == expected) {
      ended = false;  // the file before simply was full
    }
    if (ended || !first || *first != expected) {
      const uint64_t missing = expected > 0 ? expected : applied_lsn + 1;
      if (reader.proves_durable(missing, applied_lsn)) {
        return base::corruption(ended ? ended_path : path, ended ? ended_offset : 0,
                                "operation " + std::to_string(missing) + " of the log is damaged");
      }
      ended = true;
      rejected.push_back(number);
      next_number_ = std::max(next_number_, number + 1);
      continue;
    }
    LogFile file{number, expected, 0, content.size(), content.size(), nullptr};
    while (const auto frame = reader.next(expected, applied_lsn)) {
      expected = frame->header.lsn;
      if (expected > applied_lsn) {
        TRY(replay(expected, frame->header.kind, frame->payload));
        last_lsn_ = expected;
      }
      file.last_lsn = expected++;
    }
    if (reader.proves_durable(expected, applied_lsn)) {
      return base::corruption(path, reader.position(),
                              "operation " + std::to_string(expected) + " of the log is damaged");
    }
    ended = true;
    ended_path = path;
    ended_offset = reader.position();
    TRY_ASSIGN(file.file, storage_->open(path, io::Open::read_write));
    // What was read may so far be in the page cache only.
    TRY(options_.durability == Durability::fsync ? file.file->sync() : Status());
    files_.push_back(std::move(file));
    next_number_ = std::max(next_number_, number + 1);
  }
  // Under their names a later recovery could take them for files in use, once other operations have
  // got the numbers of the frames in them. Durable with the sync of the folder in roll(), before
  // there is any such frame.
  for (const uint32_t number : rejected) {
    TRY(set_aside(number));
  }
  // A next frame begins a new file (`end` is the size): behind a torn write old frames may lie that
  // would seem to follow it.
  durable_lsn_ = options_.durability == Durability::fsync ? last_lsn_ : 0;
  if (!ended && expected > 0 && last_lsn_ < applied_lsn) {
    last_lsn_ = applied_lsn;
  }
  return forget_until(applied_lsn);
}

uint64_t Log::size_bytes() const {
  uint64_t bytes = 0;
  for (const auto& file : files_) {
    bytes += file.size;
  }
  return bytes;
}

uint64_t Log::replay_bytes() const {
  uint64_t bytes = 0;
  for (const auto& file : files_) {
    bytes += file.last_lsn > 0 ? file.end : 0;
  }
  return bytes;
}

void Log::begin_group() {
  buffer_.clear();
  pending_.clear();
  group_files_ = files_.size();
  group_end_ = files_.empty() ? 0 : files_.back().end;
  group_first_lsn_ = last_lsn_ + 1;
}

Result<MutableBytes> Log::begin_frame(uint32_t kind, uint64_t payload_bytes) {
  if (!failure_.empty()) {
    return failed();
  }
  const uint64_t bytes = base::round_up(sizeof(FrameHeader) + payload_bytes, k_frame_alignment);
  ASSERT(bytes < k_file_bytes_max / 2);
  if (files_.empty() || files_.back().end + bytes > files_.back().size) {
    TRY(roll(bytes));
  }
  LogFile& file = files_.back();
  const FrameHeader header{
      0, static_cast<uint32_t>(payload_bytes), last_lsn_ + 1, durable_lsn_, file.number, kind};
  pending_.push_back({files_.size() - 1, file.end, buffer_.size(), bytes});
  buffer_.resize(buffer_.size() + bytes);
  std::byte* begin = buffer_.data() + pending_.back().buffer_offset;
  std::memcpy(begin, &header, sizeof header);
  return MutableBytes(begin + sizeof header, payload_bytes);
}

Log::Pending& Log::open_frame() {
  ASSERT(!pending_.empty());
  return pending_.back();
}

uint64_t Log::end_frame() {
  const Pending& frame = open_frame();
  std::byte* begin = buffer_.data() + frame.buffer_offset;
  FrameHeader header;
  std::memcpy(&header, begin, sizeof header);
  header.crc = frame_crc(Bytes(begin, sizeof header + header.payload_bytes));
  std::memcpy(begin, &header.crc, sizeof header.crc);
  files_[frame.file].end += frame.bytes;
  files_[frame.file].last_lsn = header.lsn;
  last_lsn_ = header.lsn;
  return header.lsn;
}

void Log::drop_frame() {
  buffer_.resize(open_frame().buffer_offset);
  pending_.pop_back();
}

std::vector<Log::Frame> Log::frames() const {
  std::vector<Frame> frames;
  frames.reserve(pending_.size());
  for (const auto& pending : pending_) {
    FrameHeader header;
    const std::byte* begin = buffer_.data() + pending.buffer_offset;
    std::memcpy(&header, begin, sizeof header);
    frames.push_back({header.lsn, header.kind, Bytes(begin + sizeof header, header.payload_bytes)});
  }
  return frames;
}

Status Log::commit() {
  if (!failure_.empty()) {
    return failed();
  }
  if (pending_.empty()) {
    return {};
  }
  Status written = write_group();
  if (!written.ok()) {
    TRY(take_back());
    return written;
  }
  if (options_.durability == Durability::fsync) {
    for (size_t file = pending_.front().file; file <= pending_.back().file; ++file) {
      Status synced = files_[file].file->sync();
      if (!synced.ok()) {
        // What the kernel dropped is unknown from here on, so nothing may build on it.
        failure_ = synced.error().message;
        return synced;
      }
    }
    durable_lsn_ = last_lsn_;
  }
  return {};
}

// One write for each file that the group touches.
Status Log::write_group() {
  for (size_t begin = 0; begin < pending_.size();) {
    size_t end = begin;
    uint64_t bytes = 0;
    while (end < pending_.size() && pending_[end].file == pending_[begin].file) {
      bytes += pending_[end++].bytes;
    }
    const Pending& first = pending_[begin];
    TRY(files_[first.file].file->write_at(first.file_offset,
                                          Bytes(buffer_).subspan(first.buffer_offset, bytes)));
    begin = end;
  }
  return {};
}

// After a failed write: no frame of the group may be found by a later recovery.
Status Log::take_back() {
  const std::array<std::byte, sizeof(FrameHeader)> nothing{};
  Status wiped;
  for (const auto& frame : pending_) {
    if (wiped.ok() && frame.file < group_files_) {
      wiped = files_[frame.file].file->write_at(frame.file_offset, nothing);
    }
  }
  while (files_.size() > group_files_) {
    const std::string path = path_of(files_.back().number);
    files_.pop_back();
    if (wiped.ok()) {
      wiped = storage_->remove(path);
    }
  }
  last_lsn_ = group_first_lsn_ - 1;
  if (!files_.empty()) {
    files_.back().end = group_end_;
    files_.back().last_lsn = last_lsn_ >= files_.back().first_lsn ? last_lsn_ : 0;
  }
  pending_.clear();
  // What was wiped must stay so when the power fails; otherwise its frames could be replayed.
  if (wiped.ok() && options_.durability == Durability::fsync) {
    wiped = files_.empty() ? Status() : files_.back().file->sync();
    wiped = wiped.ok() ? storage_->sync_folder(folder_) : std::move(wiped);
  }
  if (!wiped.ok()) {
    failure_ = wiped.error().message;
  }
  return wiped;
}

// Begins a new file that has room for a frame of this size.
Status Log::roll(uint64_t frame_bytes) {
  const uint64_t wanted = std::max(next_bytes_, sizeof(FileHeader) + frame_bytes);
  const std::string path = path_of(next_number_);
  LogFile next{next_number_, last_lsn_ + 1, 0, sizeof(FileHeader), 0, nullptr};
  if (!spares_.empty()) {
    TRY(storage_->rename(spares_.back(), path));
    spares_.pop_back();
  }
  TRY_ASSIGN(next.file, storage_->open(path, io::Open::create_or_open));
  ++next_number_;
  FileHeader header{k_magic, k_format_version, next.number, next.first_lsn, options_.owner, 0, 0};
  header.crc = header_crc(header);
  const auto prepare = [&]() -> Status {
    // The name before the content: if a power cut took back the name of a file that is used again
    // but not its new header, the header would seem to belong to another file.
    Status named = storage_->sync_folder(folder_);
    if (!named.ok()) {
      failure_ = named.error().message;
      return named;
    }
    TRY_ASSIGN(next.size, next.file->size());
    if (next.size < wanted) {
      TRY(next.file->allocate(0, wanted));
      next.size = wanted;
    }
    return next.file->write_at(0, whole(header));
  };
  Status prepared = prepare();
  if (!prepared.ok()) {
    next.file.reset();
    // Best effort: recovery passes over an empty file just as well.
    static_cast<void>(storage_->remove(path).ok());
    return prepared;
  }
  files_.push_back(std::move(next));
  next_bytes_ = std::min(options_.capacity_bytes, next_bytes_ * 4);
  return {};
}

void Log::end_file() {
  if (!files_.empty()) {
    files_.back().end = files_.back().size;
  }
}

Status Log::forget_until(uint64_t lsn) {
  // The last file stays while frames may still go into it.
  while (!files_.empty() && files_.front().last_lsn <= lsn &&
         (files_.size() > 1 || files_.front().end >= files_.front().size)) {
    TRY(set_aside(files_.front().number));
    files_.erase(files_.begin());
  }
  return {};
}

// Makes a file a spare, or removes it where there are enough.
Status Log::set_aside(uint32_t number) {
  if (spares_.size() >= k_spares_max) {
    return storage_->remove(path_of(number));
  }
  std::string spare = folder_ + "/spare-" + std::to_string(number);
  TRY(storage_->rename(path_of(number), spare));
  spares_.push_back(std::move(spare));
  return {};
}

Status Log::remove_spares() {
  while (!spares_.empty()) {
    TRY(storage_->remove(spares_.back()));
    spares_.pop_back();
  }
  return {};
}

std::string Log::path_of(uint32_t number) const {
  char name[16];
  std::snprintf(name, sizeof name, "%010" PRIu32 ".wal", number);
  return folder_ + "/" + name;
}

Error Log::failed() const {
  return Error{Code::failed, "writing stopped after a failed sync of the log in " + folder_ + " (" +
                                 failure_ + "); reading goes on. Open the store again to write."};
}

}  // namespace asyncstore::wal
