#include "engine/framed_file.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/crc32c.h"

namespace asyncstore::engine {

using base::ByteReader;
using base::Bytes;
using base::ByteWriter;
using base::Code;
using base::Error;
using base::Result;

namespace {
constexpr uint32_t k_format_version = 1;
}  // namespace

std::vector<std::byte> framed(const Magic& magic, Bytes body) {
  ByteWriter writer;
  writer.put_bytes(std::as_bytes(std::span(magic)));
  writer.put(k_format_version);
  writer.put(static_cast<uint32_t>(body.size()));
  writer.put_bytes(body);
  writer.put(base::crc32c(writer.bytes()));
  return std::move(writer.buffer());
}

Result<Bytes> body_of(const std::string& path, const Magic& magic, Bytes content) {
  ByteReader reader(content);
  const auto found = reader.take<Magic>();
  const auto version = reader.take<uint32_t>();
  const auto length = reader.take<uint32_t>();
  const Bytes body = reader.take_bytes(length);
  const auto crc = reader.take<uint32_t>();
  if (!reader.ok() || found != magic || reader.remaining() != 0) {
    return base::corruption(path, 0, "the file is not whole or not of its kind");
  }
  if (base::crc32c(content.first(k_frame_bytes + length)) != crc) {
    return base::corruption(path, 0, "the file does not match its checksum");
  }
  if (version != k_format_version) {
    return Error{Code::unsupported, path + " has format version " + std::to_string(version) +
                                        "; this asyncstore reads version " +
                                        std::to_string(k_format_version) +
                                        ". Open the store with a newer one."};
  }
  return body;
}

bool stands(io::Storage& storage, const std::string& path, Bytes content) {
  const auto found = io::read_file(storage, path, UINT32_MAX);
  return found.ok() && std::ranges::equal(found.value(), content);
}

Error does_not_parse(const std::string& path, const ByteReader& body) {
  return base::corruption(path, k_frame_bytes + body.position(), "a value is impossible");
}

}  // namespace asyncstore::engine
