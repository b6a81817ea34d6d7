// Values compressed with a dictionary: LZ4 gives them back, and no byte lies behind the block.
#include <algorithm>
#include <vector>

#include "fuzz_folder.h"
#include "gridstore/compressor.h"
#include "gridstore/dictionary_encoder.h"

using namespace asyncstore;
using gridstore::DictionaryEncoder;

// An input is two bytes for the size of the dictionary, one for the room, dictionary and value.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint32_t wanted = input.number(2);
  const uint32_t share = input.number(1);
  auto rest = input.rest();
  const size_t cut = std::min<size_t>(wanted, rest.size());
  // Each of its own, so that reads beyond them are seen.
  std::vector<std::byte> dictionary(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(cut));
  dictionary.resize(
      std::clamp<size_t>(dictionary.size(), DictionaryEncoder::k_dictionary_bytes_min, 16 << 10));
  std::vector<std::byte> value(rest.begin() + static_cast<ptrdiff_t>(cut), rest.end());
  value.resize(std::min<size_t>(value.size(), 4 << 10));
  const DictionaryEncoder encoder(dictionary);
  std::vector<std::byte> block(value.size() + value.size() / 255 + 16);
  const uint32_t whole = encoder.encode(value, block);
  fuzz::must(whole > 0);
  std::vector<std::byte> back(value.size());
  fuzz::must(gridstore::decompress(base::Bytes(block).first(whole), dictionary, back));
  fuzz::must(back == value);
  std::vector<std::byte> room(whole * share / 255);
  const uint32_t again = encoder.encode(value, room);
  fuzz::must(again == (room.size() < whole ? 0 : whole));
  return 0;
}
