#include "base/crc32c.h"

#include <doctest/doctest.h>

#include <random>
#include <string_view>
#include <vector>

using namespace asyncstore::base;

TEST_CASE("crc32c: known answers") {
  CHECK(crc32c({}) == 0);
  CHECK(crc32c(bytes_of(std::string_view("123456789"))) == 0xE3069283);
  // RFC 3720, B.4: 32 bytes of zeros, 32 bytes of ones.
  CHECK(crc32c(std::vector<std::byte>(32)) == 0x8A9136AA);
  CHECK(crc32c(std::vector<std::byte>(32, std::byte{0xFF})) == 0x62A8AB43);
}

TEST_CASE("crc32c: the instruction equals the table at every length, and parts equal the whole") {
  std::mt19937 random(7);
  std::vector<std::byte> data(20'000);
  for (auto& byte : data) {
    byte = static_cast<std::byte>(random());
  }
  for (size_t size = 0; size < data.size(); size += (size < 300 ? 1 : 997)) {
    const Bytes bytes(data.data(), size);
    CAPTURE(size);
    CHECK(crc32c(bytes) == crc32c_portable(bytes));
    const size_t cut = size == 0 ? 0 : random() % size;
    CHECK(crc32c(bytes.subspan(cut), crc32c(bytes.first(cut))) == crc32c(bytes));
  }
}
