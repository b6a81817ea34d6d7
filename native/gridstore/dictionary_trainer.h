// Finds a dictionary among the values that are put.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "gridstore/dictionary_encoder.h"

namespace asyncstore::gridstore {

// Goes in turns. It takes a piece of 128 bytes for every 8 KiB of values, until those make a
// dictionary (1 MiB of values for 16 KiB). The values that come next are compressed with it as
// well, to see what it is worth: a dictionary is given out when it saves an eighth of the blocks
// that the values take without it. Then, or if not, it rests: for 2 MiB of values, then 4 and so
// on up to 1 GiB. So a dictionary that no longer fits is replaced in time, and values that none
// fits cost next to nothing. Belongs to one thread.
class DictionaryTrainer {
 public:
  // The sizes above are for 16 KiB, and follow `dictionary_bytes` where tests have less.
  explicit DictionaryTrainer(uint32_t dictionary_bytes);

  // Shows it a value of more than a piece, at most k_dictionary_value_bytes_max, that took
  // `stored_blocks`. Gives a dictionary, mostly an empty one: none.
  std::vector<std::byte> see(base::Bytes value, uint64_t stored_blocks);

 private:
  enum class State : uint8_t { sampling, proving, resting };

  void sample(base::Bytes value);
  void prove(base::Bytes value, uint64_t stored_blocks);
  void begin(State state, uint64_t bytes);

  uint32_t dictionary_bytes_;
  State state_ = State::sampling;
  uint64_t left_;          // bytes of values until the state ends
  uint64_t rest_bytes_;    // of the next rest
  uint64_t piece_in_ = 0;  // bytes of values until the next piece
  std::vector<std::byte> pieces_;
  std::unique_ptr<DictionaryEncoder> encoder_;  // while proving
  std::vector<std::byte> target_;
  uint64_t blocks_without_ = 0;
  uint64_t blocks_with_ = 0;
};

}  // namespace asyncstore::gridstore
