// Bytes in memory and on disk. Everything on disk is little-endian, as are all supported machines.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/assert.h"

namespace asyncstore::base {

static_assert(std::endian::native == std::endian::little, "the formats on disk are little-endian");

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

template <typename T>
Bytes bytes_of(std::span<const T> values) {
  return std::as_bytes(values);
}
inline Bytes bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

constexpr uint64_t round_up(uint64_t value, uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
constexpr uint64_t round_down(uint64_t value, uint64_t multiple) {
  return value / multiple * multiple;
}

// Appends fixed-width values to a growing buffer.
class ByteWriter {
 public:
  template <typename T>
  void put(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* begin = reinterpret_cast<const std::byte*>(&value);
    buffer_.insert(buffer_.end(), begin, begin + sizeof value);
  }
  void put_bytes(Bytes bytes) { buffer_.insert(buffer_.end(), bytes.begin(), bytes.end()); }
  // A u32 length and the text.
  void put_text(std::string_view text) {
    put(static_cast<uint32_t>(text.size()));
    put_bytes(bytes_of(text));
  }
  size_t size() const { return buffer_.size(); }
  Bytes bytes() const { return buffer_; }
  std::vector<std::byte>& buffer() { return buffer_; }

 private:
  std::vector<std::byte> buffer_;
};

// Takes fixed-width values from bytes that may lie: after a read past the end every value is zero
// and `ok()` is false, so that a parser checks once, at its end.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : bytes_(bytes) {}

  template <typename T>
  T take() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    const Bytes taken = take_bytes(sizeof(T));
    if (taken.size() == sizeof(T)) {
      std::memcpy(&value, taken.data(), sizeof(T));
    }
    return value;
  }
  Bytes take_bytes(uint64_t length) {
    if (!ok_ || length > bytes_.size() - position_) {
      ok_ = false;
      return {};
    }
    const Bytes taken = bytes_.subspan(position_, length);
    position_ += length;
    return taken;
  }
  std::string take_text() {
    const Bytes taken = take_bytes(take<uint32_t>());
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  bool ok() const { return ok_; }
  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

 private:
  Bytes bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace asyncstore::base
