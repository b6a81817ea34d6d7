// The frame of small files that are replaced as a whole (COLLECTION, MANIFEST, ALIASES):
// magic (8), format version u32, length u32 of what follows, that, CRC-32C of all before.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/storage.h"

namespace asyncstore::engine {

using Magic = std::array<char, 8>;

inline constexpr size_t k_frame_bytes = 16;  // before the body

std::vector<std::byte> framed(const Magic& magic, base::Bytes body);
// What is in the frame, within `content`; corruption where that is not whole or not of its kind,
// unsupported where it is of a newer version.
base::Result<base::Bytes> body_of(const std::string& path, const Magic& magic, base::Bytes content);
// Whether replacing the file by another failed before it was renamed, so that `content` stands.
// After that, a crash may show either of the two.
bool stands(io::Storage& storage, const std::string& path, base::Bytes content);
// For a body that holds what cannot be, found at the reader's position.
base::Error does_not_parse(const std::string& path, const base::ByteReader& body);

}  // namespace asyncstore::engine
