// LZ4 blocks by our own encoder: LZ4's own decoder reads them.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "gridstore/compressor.h"
#include "gridstore/dictionary_encoder.h"
#include "gridstore_fixture.h"

using namespace asyncstore;
using namespace asyncstore::gridstore_test;
using gridstore::DictionaryEncoder;

namespace {

Value noise(std::mt19937_64& random, size_t bytes, uint64_t letters = 256) {
  Value value(bytes);
  for (auto& byte : value) {
    byte = static_cast<std::byte>(random() % letters);
  }
  return value;
}

void append(Value& value, base::Bytes bytes) {
  value.insert(value.end(), bytes.begin(), bytes.end());
}

// Pieces of the dictionary, of the value itself, and of neither.
Value patchwork(std::mt19937_64& random, const Value& dictionary, size_t bytes) {
  Value value;
  while (value.size() < bytes) {
    const uint64_t kind = random() % 8;
    const size_t length = 1 + random() % (kind == 0 ? 600 : 24);
    const Value& source = kind < 5 || value.empty() ? dictionary : value;
    if (kind == 7) {
      append(value, noise(random, length));
      continue;
    }
    const size_t begin = random() % source.size();
    append(value, Value(base::Bytes(source).begin() + static_cast<ptrdiff_t>(begin),
                        base::Bytes(source).begin() +
                            static_cast<ptrdiff_t>(std::min(begin + length, source.size()))));
  }
  value.resize(bytes);
  return value;
}

// The size of the block, which is what the value was; 0 when there was no room.
uint32_t check(const DictionaryEncoder& encoder, const Value& dictionary, const Value& value,
               size_t room) {
  Value block(room);  // of its own, so that bytes behind it are seen
  const uint32_t size = encoder.encode(value, block);
  REQUIRE(size <= room);
  if (size > 0) {
    Value back(value.size());
    REQUIRE(gridstore::decompress(base::Bytes(block).first(size), dictionary, back));
    const bool same = back == value;
    REQUIRE(same);
  }
  return size;
}

// The most that a block takes: the bytes themselves, and how many there are.
size_t bound(const Value& value) {
  return value.size() + value.size() / 255 + 16;
}

}  // namespace

TEST_CASE("gridstore encoder: LZ4 reads what it writes, whatever the value and the dictionary") {
  std::mt19937_64 random(number_from_environment("ASYNCSTORE_SEED", 1));
  for (int turn = 0; turn < 60; ++turn) {
    const size_t bytes = turn % 3 == 0 ? 16 << 10 : 128 + random() % 3000;
    Value dictionary = turn % 4 == 0 ? noise(random, bytes, turn % 8 == 0 ? 1 : 256) : Value();
    while (dictionary.size() < bytes) {
      append(dictionary, some_text(random));
    }
    dictionary.resize(bytes);
    const DictionaryEncoder encoder(dictionary);
    for (int i = 0; i < 200; ++i) {
      const size_t size = i < 40 ? static_cast<size_t>(i) : random() % 4097;
      const Value value = i % 4 == 0   ? noise(random, size, 1 + random() % 256)
                          : i % 4 == 1 ? Value(size, static_cast<std::byte>(random()))
                                       : patchwork(random, dictionary, size);
      const uint32_t whole = check(encoder, dictionary, value, bound(value));
      REQUIRE(whole > 0);
      REQUIRE(check(encoder, dictionary, value, whole) == whole);
      REQUIRE(check(encoder, dictionary, value, whole - 1) == 0);
      check(encoder, dictionary, value, random() % whole);
    }
  }
}

TEST_CASE("gridstore encoder: long runs of either kind, counted in many bytes") {
  std::mt19937_64 random(2);
  const Value dictionary = noise(random, 8000);
  const DictionaryEncoder encoder(dictionary);
  for (const size_t length : {14, 15, 18, 19, 20, 269, 270, 274, 275, 529, 530, 4000}) {
    for (const size_t begin : {0, 1, 1000}) {
      Value value(dictionary.begin() + static_cast<ptrdiff_t>(begin),
                  dictionary.begin() + static_cast<ptrdiff_t>(begin + length));
      append(value, noise(random, length));
      const uint32_t size = check(encoder, dictionary, value, bound(value));
      CHECK(size <= length + length / 255 + 30);
    }
  }
}

TEST_CASE("gridstore encoder: takes what is in the dictionary, and what the value says twice") {
  std::mt19937_64 random(3);
  Value dictionary;
  while (dictionary.size() < 4096) {
    append(dictionary, some_text(random));
  }
  const DictionaryEncoder encoder(dictionary);
  uint64_t text_bytes = 0;
  uint64_t stored_bytes = 0;
  uint64_t library_bytes = 0;
  for (int i = 0; i < 500; ++i) {
    const Value text = some_text(random);
    Value block(bound(text));
    text_bytes += text.size();
    stored_bytes += check(encoder, dictionary, text, bound(text));
    library_bytes += gridstore::compress(text, block);
  }
  CHECK(stored_bytes < text_bytes * 3 / 4);
  CHECK(library_bytes > text_bytes * 9 / 10);  // which has no dictionary
  const Value once = noise(random, 300);
  Value twice = once;
  append(twice, once);
  CHECK(check(encoder, dictionary, twice, bound(twice)) < 330);
}
