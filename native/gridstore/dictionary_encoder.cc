#include "gridstore/dictionary_encoder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "base/assert.h"

namespace asyncstore::gridstore {

using base::Bytes;
using base::MutableBytes;

namespace {

// Of LZ4's format: matches are of at least 4 bytes, the last 5 bytes of a value belong to none, and
// half a byte says how many there are, up to 15 and then more bytes.
constexpr size_t k_match_min = 4;
constexpr size_t k_literals_last = 5;
constexpr size_t k_half_max = 15;
// Bytes that are compared or copied at once. So no match begins in the last 16 + 5 of a value.
constexpr size_t k_step_bytes = 16;
// Places of a hash that are looked at for the best of them.
constexpr uint32_t k_places_compared = 16;
// By a part of the hash, where the value has it.
constexpr uint32_t k_own_bits = 9;
// The processor's.
constexpr size_t k_cache_line_bytes = 64;

uint64_t load(const std::byte* at) {
  uint64_t bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

// How many bytes from `a` and from `b` on are the same, up to the end of either.
size_t common(const std::byte* a, const std::byte* a_end, const std::byte* b,
              const std::byte* b_end) {
  const std::byte* const begin = a;
  while (a < a_end && b < b_end && *a == *b) {
    ++a;
    ++b;
  }
  return static_cast<size_t>(a - begin);
}

// All of it at once: the encoder would ask for one line after the other, each when it has done with
// the last.
void fetch(Bytes value) {
  for (size_t offset = 0; offset < value.size(); offset += k_cache_line_bytes) {
    __builtin_prefetch(&value[offset]);
  }
}

// The block as it grows.
class Block {
 public:
  explicit Block(MutableBytes target) : at_(target.data()), end_(at_ + target.size()) {}
  const std::byte* at() const { return at_; }

  // `count` bytes as they are, of which k_step_bytes can be read, and `length` from `distance`
  // before. False when there is no room.
  bool add(const std::byte* literals, size_t count, size_t distance, size_t length) {
    const size_t more = length - k_match_min;
    if (count >= k_half_max || more >= k_half_max || room() < 3 + k_step_bytes) [[unlikely]] {
      return add_any(literals, count, distance, more);
    }
    *at_++ = static_cast<std::byte>(count << 4 | more);
    std::memcpy(at_, literals, k_step_bytes);
    at_ += count;
    put_distance(distance);
    return true;
  }

  bool add_last(const std::byte* literals, size_t count) {
    if (room() < 1 + rest_bytes(count) + count) {
      return false;
    }
    put_literals(literals, count, 0);
    return true;
  }

 private:
  size_t room() const { return static_cast<size_t>(end_ - at_); }
  static size_t rest_bytes(size_t number) {
    return number < k_half_max ? 0 : 1 + (number - k_half_max) / 255;
  }

  bool add_any(const std::byte* literals, size_t count, size_t distance, size_t more) {
    if (room() < 3 + rest_bytes(count) + count + rest_bytes(more)) {
      return false;
    }
    put_literals(literals, count, more);
    put_distance(distance);
    put_rest(more);
    return true;
  }

  void put_literals(const std::byte* literals, size_t count, size_t more) {
    *at_++ = static_cast<std::byte>(std::min(count, k_half_max) << 4 | std::min(more, k_half_max));
    put_rest(count);
    at_ = std::copy_n(literals, count, at_);
  }

  // What of the number is not in its half byte.
  void put_rest(size_t number) {
    if (number < k_half_max) {
      return;
    }
    for (number -= k_half_max; number >= 255; number -= 255) {
      *at_++ = std::byte{255};
    }
    *at_++ = static_cast<std::byte>(number);
  }

  void put_distance(size_t distance) {
    const auto word = static_cast<uint16_t>(distance);
    std::memcpy(at_, &word, sizeof word);
    at_ += sizeof word;
  }

  std::byte* at_;
  std::byte* end_;
};

}  // namespace

uint32_t DictionaryEncoder::hash_of(uint64_t bytes) {
  return static_cast<uint32_t>((bytes << 24) * 889'523'592'379 >> (64 - k_hash_bits));
}

DictionaryEncoder::DictionaryEncoder(Bytes dictionary) : dictionary_(dictionary) {
  ASSERT(dictionary.size() >= k_dictionary_bytes_min && dictionary.size() <= UINT16_MAX);
  // k_step_bytes can be read from each place on. 0 ends the lists.
  std::vector<uint16_t> earlier(dictionary.size() - k_step_bytes);  // with the same hash
  for (uint32_t place = 1; place < earlier.size(); ++place) {
    uint16_t& newest = places_[hash_of(load(&dictionary[place]))];
    earlier[place] = newest;
    newest = static_cast<uint16_t>(place);
  }
  for (uint16_t& place : places_) {
    place = most_common(place, earlier.data());
  }
}

uint16_t DictionaryEncoder::most_common(uint16_t newest, const uint16_t* earlier) const {
  std::array<uint16_t, k_places_compared> places{};
  uint32_t count = 0;
  for (uint16_t place = newest; place != 0 && count < places.size(); place = earlier[place]) {
    places[count++] = place;
  }
  uint16_t best = newest;
  size_t best_sum = 0;
  for (uint32_t i = 0; count > 2 && i < count; ++i) {
    size_t sum = 0;
    for (uint32_t j = 0; j < count; ++j) {
      const std::byte* const a = dictionary_.data() + places[i];
      const std::byte* const b = dictionary_.data() + places[j];
      sum += i == j ? 0 : common(a, a + k_step_bytes, b, b + k_step_bytes);
    }
    if (sum > best_sum) {
      best_sum = sum;
      best = places[i];
    }
  }
  return best;
}

uint32_t DictionaryEncoder::encode(Bytes value, MutableBytes target) const {
  ASSERT(value.size() + dictionary_.size() <= UINT16_MAX);
  fetch(value);
  const std::byte* const begin = value.data();
  const std::byte* const end = begin + value.size();
  const std::byte* const dictionary = dictionary_.data();
  const std::byte* const dictionary_end = dictionary + dictionary_.size();
  std::array<uint16_t, size_t{1} << k_own_bits> own{};
  Block block(target);
  const std::byte* literals = begin;
  const std::byte* at = begin;
  while (static_cast<size_t>(end - at) >= k_step_bytes + k_literals_last) {
    const uint64_t bytes = load(at);
    const uint32_t hash = hash_of(bytes);
    const std::byte* match = dictionary + places_[hash];
    const uint64_t differ = load(match) ^ bytes;
    size_t distance = static_cast<size_t>(at - begin) + static_cast<size_t>(dictionary_end - match);
    size_t length;
    if (static_cast<uint32_t>(differ) != 0) [[unlikely]] {
      uint16_t& noted = own[hash >> (k_hash_bits - k_own_bits)];
      match = begin + noted;
      noted = static_cast<uint16_t>(at - begin);
      if (match == at || static_cast<uint32_t>(load(match) ^ bytes) != 0) {
        ++at;
        continue;
      }
      distance = static_cast<size_t>(at - match);
      length = common(at, end - k_literals_last, match, end);
    } else if (differ != 0) [[likely]] {
      length = static_cast<size_t>(std::countr_zero(differ)) / 8;
    } else if (const uint64_t further = load(match + 8) ^ load(at + 8); further != 0) {
      length = 8 + static_cast<size_t>(std::countr_zero(further)) / 8;
    } else {
      length = common(at, end - k_literals_last, match, dictionary_end);
    }
    if (!block.add(literals, static_cast<size_t>(at - literals), distance, length)) {
      return 0;
    }
    at += length;
    literals = at;
  }
  if (!block.add_last(literals, static_cast<size_t>(end - literals))) {
    return 0;
  }
  return static_cast<uint32_t>(block.at() - target.data());
}

}  // namespace asyncstore::gridstore
