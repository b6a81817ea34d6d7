#include "gridstore/dictionary_trainer.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "gridstore/blocks.h"
#include "gridstore/compressor.h"
#include "gridstore/value_codec.h"

namespace asyncstore::gridstore {

using base::Bytes;

namespace {

constexpr uint64_t k_piece_bytes = 128;
// Bytes of values, in dictionaries: 1 MiB, 128 KiB and 1 GiB for one of 16 KiB.
constexpr uint64_t k_sampled = 64;
constexpr uint64_t k_proved = 8;
constexpr uint64_t k_rest_max = 65536;

}  // namespace

DictionaryTrainer::DictionaryTrainer(uint32_t dictionary_bytes)
    : dictionary_bytes_(dictionary_bytes),
      left_(k_sampled * dictionary_bytes),
      rest_bytes_(2 * k_sampled * dictionary_bytes) {}

std::vector<std::byte> DictionaryTrainer::see(Bytes value, uint64_t stored_blocks) {
  ASSERT(value.size() >= k_piece_bytes);
  if (state_ == State::sampling) {
    sample(value);
  } else if (state_ == State::proving) {
    prove(value, stored_blocks);
  }
  left_ -= std::min<uint64_t>(left_, value.size());
  if (left_ > 0) {
    return {};
  }
  if (state_ == State::resting) {
    begin(State::sampling, k_sampled * dictionary_bytes_);
  } else if (state_ == State::sampling) {
    encoder_ = std::make_unique<DictionaryEncoder>(pieces_);
    blocks_without_ = blocks_with_ = 0;
    begin(State::proving, k_proved * dictionary_bytes_);
  } else {
    encoder_.reset();
    target_ = {};
    auto found = std::exchange(pieces_, {});
    begin(State::resting, rest_bytes_);
    rest_bytes_ = std::min(2 * rest_bytes_, k_rest_max * dictionary_bytes_);
    if (blocks_with_ <= blocks_without_ - blocks_without_ / 8) {
      return found;
    }
  }
  return {};
}

void DictionaryTrainer::begin(State state, uint64_t bytes) {
  state_ = state;
  left_ = bytes;
}

// Pieces from all parts of values alike.
void DictionaryTrainer::sample(Bytes value) {
  for (; piece_in_ < value.size(); piece_in_ += k_sampled * k_piece_bytes) {
    const uint64_t offset = piece_in_ * (value.size() - k_piece_bytes) / value.size();
    const Bytes piece = value.subspan(offset, k_piece_bytes);
    if (pieces_.size() + k_piece_bytes <= dictionary_bytes_) {
      pieces_.insert(pieces_.end(), piece.begin(), piece.end());
    }
  }
  piece_in_ -= value.size();
}

void DictionaryTrainer::prove(Bytes value, uint64_t stored_blocks) {
  target_.resize(room_for(value.size(), ValueCodec::k_header_bytes));
  const uint32_t written = encoder_->encode(value, target_);
  blocks_without_ += stored_blocks;
  blocks_with_ += blocks_of(written > 0 ? ValueCodec::k_header_bytes + written : value.size());
}

}  // namespace asyncstore::gridstore
