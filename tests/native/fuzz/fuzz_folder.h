// A folder in memory with one file that the fuzzer has changed.
//
// An input is: which file of the sound folder, by number; what to do; where; and bytes. libFuzzer
// changes inputs, so it learns which files and places lead somewhere new.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/crc32c.h"

namespace asyncstore::fuzz {

using Content = std::vector<std::byte>;

inline void must(bool holds) {
  if (!holds) {
    std::abort();
  }
}

inline std::string folder_in_memory(const std::string& name) {
  const std::string memory = ::access("/dev/shm", W_OK | X_OK) == 0
                                 ? "/dev/shm"
                                 : std::filesystem::temp_directory_path().string();
  return memory + "/asyncstore-fuzz-" + std::to_string(::getpid()) + "-" + name;
}

inline Content content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline void set_content(const std::string& path, const Content& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(content.data()),
             static_cast<std::streamsize>(content.size()));
  file.close();
  must(file.good());
}

// The numbers at the front of an input, then its bytes.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint32_t number(size_t bytes) {
    uint32_t number = 0;
    for (size_t i = 0; i < bytes && size_ > 0; ++i) {
      number |= uint32_t{*data_++} << (8 * i);
      --size_;
    }
    return number;
  }
  Content rest() const {
    const auto bytes = std::as_bytes(std::span(data_, size_));
    return {bytes.begin(), bytes.end()};
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

inline uint32_t u32_at(const Content& content, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, content.data() + at, sizeof value);
  return value;
}
inline void set_checksum(Content& content, size_t at, size_t begin, size_t end) {
  const uint32_t checksum = base::crc32c(std::span(content).subspan(begin, end - begin));
  std::memcpy(content.data() + at, &checksum, sizeof checksum);
}

// Makes the checksums right again, so that a change is seen by more than its checksum
// (docs/internals/formats.md).
inline void mend_checksums(const std::string& name, Content& content) {
  const auto ends = [&](const char* suffix) { return name.ends_with(suffix); };
  const size_t size = content.size();
  if ((ends("MANIFEST") || ends("COLLECTION") || ends("ALIASES")) && size >= 20) {
    const uint32_t body = static_cast<uint32_t>(size - 20);
    std::memcpy(content.data() + 12, &body, sizeof body);
    set_checksum(content, size - 4, 0, size - 4);
  } else if (ends(".wal") && size >= 40) {
    set_checksum(content, 36, 0, 36);
    for (size_t at = 40; at + 32 <= size;) {
      const uint64_t bytes = u32_at(content, at + 4);
      if (bytes > size - at - 32) {
        break;
      }
      set_checksum(content, at, at + 4, at + 32 + bytes);
      at += (32 + bytes + 7) / 8 * 8;
    }
  } else if (ends(".vectors") && size >= 64) {
    set_checksum(content, 60, 0, 60);
  } else if (ends(".rows") && size >= 64) {
    set_checksum(content, 60, 0, 60);
    for (size_t at = 64; at + 40 <= size; at += 40) {
      set_checksum(content, at + 36, at, at + 36);
    }
  } else if (ends("tracker")) {
    for (size_t at = 0; at + 4096 <= size; at += 4096) {
      set_checksum(content, at + 4092, at, at + 4092);
    }
  } else if (!ends(".page") && size >= 76 && std::memcmp(content.data(), "AS", 2) == 0) {
    // A checked file of one block.
    const uint64_t payload = size - 76;
    std::memcpy(content.data() + 16, &payload, sizeof payload);
    set_checksum(content, size - 4, 72, 72 + payload);
    set_checksum(content, 64, size - 4, size);
    set_checksum(content, 68, 0, 68);
  }
}

// A sound folder in memory, and a copy of it in which one file at a time is changed.
class FuzzedFolder {
 public:
  // `make` fills the folder that it is given.
  template <typename Make>
  FuzzedFolder(const std::string& name, const Make& make)
      : sound_(folder_in_memory(name + "-sound")), copy_(folder_in_memory(name)) {
    std::filesystem::remove_all(sound_);
    std::filesystem::create_directories(sound_);
    make(sound_);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(sound_)) {
      const std::string name = entry.path().string().substr(sound_.size());
      if (entry.is_regular_file()) {
        files_.emplace_back(name, content_of(entry.path().string()));
      } else {
        folders_.push_back(name);
      }
    }
    std::sort(files_.begin(), files_.end());
    std::sort(folders_.begin(), folders_.end());  // parents first
    must(!files_.empty());
  }
  ~FuzzedFolder() {
    std::filesystem::remove_all(sound_);
    std::filesystem::remove_all(copy_);
  }
  FuzzedFolder(const FuzzedFolder&) = delete;
  FuzzedFolder& operator=(const FuzzedFolder&) = delete;

  // A fresh copy with one file changed as the input says.
  const std::string& change(Input input) {
    std::filesystem::remove_all(copy_);
    std::filesystem::create_directories(copy_);
    for (const auto& folder : folders_) {
      std::filesystem::create_directory(copy_ + folder);
    }
    for (const auto& [file, content] : files_) {
      set_content(copy_ + file, content);
    }
    const auto& [name, sound] = files_[input.number(1) % files_.size()];
    const uint32_t what = input.number(1);
    const uint32_t place = input.number(3);
    const Content bytes = input.rest();
    Content content = sound;
    const size_t at = place % (content.size() + 1);
    switch (what % 5) {
      case 0:  // written over
      case 1:
        content.resize(std::max(content.size(), at + bytes.size()));
        std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<ptrdiff_t>(at));
        break;
      case 2:  // put in between
        content.insert(content.begin() + static_cast<ptrdiff_t>(at), bytes.begin(), bytes.end());
        break;
      case 3:  // cut off, and something else behind
        content.resize(at);
        content.insert(content.end(), bytes.begin(), bytes.end());
        break;
      default:  // all of it
        content = bytes;
    }
    if (what & 0x80) {
      mend_checksums(name, content);
    }
    set_content(copy_ + name, content);
    return copy_;
  }

 private:
  const std::string sound_;
  const std::string copy_;
  std::vector<std::pair<std::string, Content>> files_;  // by path in the folder
  std::vector<std::string> folders_;
};

}  // namespace asyncstore::fuzz
