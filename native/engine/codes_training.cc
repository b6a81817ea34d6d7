#include "engine/codes_training.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/errors.h"
#include "engine/row_encoder.h"
#include "engine/stages.h"
#include "multivector/code_index.h"
#include "multivector/multivector.h"
#include "quantize/factory.h"

namespace asyncstore::engine {

using base::Result;
using base::Status;
using multivector::CodeIndex;
using multivector::CodeQuantizer;

namespace {

// As many as a training looks at: of fewer, the codes are few as well.
constexpr uint64_t k_rows_min = 65536;
// When there are so many times as many rows, what was found in the first of them is looked for
// again.
constexpr uint64_t k_growth = 10;
// The rows of a point are like each other, and reading another one costs more than taking them.
constexpr uint64_t k_sample_point_rows = 8;
// So many vectors are read once more on the writer: a few milliseconds. And however many there are
// once this was not enough so many times, which takes writes that are quicker than two cores.
constexpr size_t k_last_changes = 64;
constexpr int k_rounds_max = 16;
// Vectors are read and encoded so many bytes at a time.
constexpr uint64_t k_part_bytes = 8 << 20;

class CodesTraining {
 public:
  CodesTraining(Collection& collection, uint32_t multivector, const std::function<bool()>& stopping)
      : number_(multivector),
        field_(collection.multivectors()[multivector]),
        values_(collection.values().kept(collection.schema().sparse + multivector)),
        folder_(collection.values().folder(1 + collection.schema().sparse + multivector)),
        stages_(collection, stopping),
        before_(collection.view()->multivectors[multivector]) {}

  Status train();
  Status encode_all();
  Status encode(std::span<const uint32_t> slots);
  std::unique_ptr<CodeIndex> take() { return std::move(codes_); }

 private:
  using Value = std::optional<std::vector<std::byte>>;

  // Nothing also where the vector is damaged: it is reported when it is read.
  Result<Value> read(uint32_t slot) const;
  Status take_sample(std::vector<float>& sample) const;
  Result<size_t> encode_part(std::span<const uint32_t> slots);

  const uint32_t number_;
  const segment::Field& field_;
  const gridstore::Gridstore& values_;
  const std::string& folder_;
  const Stages stages_;
  const std::shared_ptr<const multivector::CodeSnapshot> before_;
  CodeQuantizer made_by_;
  std::unique_ptr<CodeIndex> codes_;
  std::optional<RowEncoder> encoder_;
};

Result<CodesTraining::Value> CodesTraining::read(uint32_t slot) const {
  auto value = values_.read(slot);
  if (!value.ok() && value.error().code != base::Code::corruption) {
    return std::move(value.error());
  }
  const bool is_there =
      value.ok() && value.value() && multivector::is_sound(field_, *value.value());
  return is_there ? std::move(value.value()) : Value();
}

std::vector<uint32_t> live_slots(const multivector::CodeSnapshot& codes) {
  std::vector<uint32_t> slots;
  for (const auto& window : codes.windows) {
    for (uint32_t point = 0; point < window->points; ++point) {
      if (window->is_live(point)) {
        slots.push_back(window->slot(point));
      }
    }
  }
  return slots;
}

// Some rows of each of some points.
Status CodesTraining::take_sample(std::vector<float>& sample) const {
  const uint64_t rows_max = quantize::sample_rows_max(field_.dim);
  auto slots = live_slots(*before_);
  std::shuffle(slots.begin(), slots.end(), std::mt19937_64(number_));
  const uint64_t of_each =
      std::max(k_sample_point_rows, (rows_max + slots.size() - 1) / slots.size());
  const uint32_t row_bytes = segment::row_bytes(field_);
  segment::RowCodec codec(field_);
  uint64_t taken = 0;
  for (size_t at = 0; at < slots.size() && taken < rows_max; ++at) {
    if (!stages_.show(taken, rows_max, "reading a sample of multivectors")) {
      return store_closed();
    }
    TRY_ASSIGN(const Value value, read(slots[at]));
    const uint64_t rows = value ? multivector::rows_of(field_, value->size()) : 0;
    const uint64_t some = std::min({rows, of_each, rows_max - taken});
    for (uint64_t i = 0; i < some; ++i) {
      const float* row = codec.search_vector(value->data() + i * rows / some * row_bytes);
      sample.insert(sample.end(), row, row + field_.dim);
    }
    taken += some;
  }
  return {};
}

Status CodesTraining::train() {
  std::vector<float> sample;
  TRY(take_sample(sample));
  if (sample.empty()) {
    return base::corruption(folder_, 0, "no multivector of '" + field_.name + "' can be read");
  }
  const quantize::Training training{.rows = sample,
                                    .seed = number_,
                                    .threads = std::thread::hardware_concurrency(),
                                    .progress = stages_.stage("training codes of multivectors")};
  made_by_ = {quantize::train(field_.quantization, field_.dim, segment::metric_of(field_.distance),
                              training),
              before_->rows};
  return made_by_.quantizer ? Status() : Status(store_closed());
}

Status CodesTraining::encode_all() {
  codes_ = std::make_unique<CodeIndex>(field_, multivector::CodeIndexOptions(), made_by_);
  encoder_.emplace(field_, *made_by_.quantizer, std::max(1U, std::thread::hardware_concurrency()));
  return encode(live_slots(*before_));
}

// What each of the slots has now.
Status CodesTraining::encode(std::span<const uint32_t> slots) {
  for (size_t next = 0; next < slots.size();) {
    if (!stages_.show(next, slots.size(), "making codes of multivectors")) {
      return store_closed();
    }
    TRY_ASSIGN(const size_t part, encode_part(slots.subspan(next)));
    next += part;
  }
  return {};
}

// Of some slots from the front: how many.
Result<size_t> CodesTraining::encode_part(std::span<const uint32_t> slots) {
  std::vector<uint32_t> found;
  std::vector<uint32_t> rows;
  std::vector<std::byte> stored;
  size_t part = 0;
  while (part < slots.size() && stored.size() < k_part_bytes) {
    const uint32_t slot = slots[part++];
    codes_->remove(slot);
    TRY_ASSIGN(const Value value, read(slot));
    if (value) {
      found.push_back(slot);
      rows.push_back(static_cast<uint32_t>(multivector::rows_of(field_, value->size())));
      stored.insert(stored.end(), value->begin(), value->end());
    }
  }
  base::Bytes left = stored;
  TRY(codes_->load(found, rows, [&](base::MutableBytes codes) {
    const size_t count = codes.size() / encoder_->code_bytes();
    const size_t bytes = count * segment::row_bytes(field_);
    encoder_->encode(left.first(bytes), static_cast<uint32_t>(count),
                     reinterpret_cast<uint8_t*>(codes.data()));
    left = left.subspan(bytes);
    return Status();
  }));
  return part;
}

// Follows what changed, and ends on the writer, so that nothing changes any more before the codes
// are in use.
Status finish(CodesTraining& training, Collection& collection, Writer& writer, uint32_t number) {
  std::vector<uint32_t> changed;
  Status status;
  bool used = false;
  for (int round = 0; status.ok() && !used; ++round) {
    const std::function<void()> follow = [&] {
      changed = collection.multivector_indexes().take_changed(number);
      std::sort(changed.begin(), changed.end());
      changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
      if (changed.size() > k_last_changes && round < k_rounds_max) {
        return;
      }
      status = training.encode(changed);
      used = status.ok();
      if (used) {
        collection.use_codes(number, training.take());
      }
    };
    if (!writer.run(follow)) {
      return store_closed();
    }
    if (status.ok() && !used) {
      status = training.encode(changed);
    }
  }
  return status;
}

}  // namespace

bool training_due(const Collection& collection, uint32_t multivector) {
  if (collection.multivectors()[multivector].quantization.kind != quantize::Kind::product) {
    return false;
  }
  const auto codes = collection.view()->multivectors[multivector];
  return codes->rows >= std::max(k_rows_min, k_growth * codes->made_by.trained_rows);
}

Status train_codes(Collection& collection, Writer& writer, uint32_t multivector,
                   const std::function<bool()>& stopping) {
  MultivectorIndexes& indexes = collection.multivector_indexes();
  std::optional<CodesTraining> training;
  const std::function<void()> begin = [&] {
    if (training_due(collection, multivector)) {  // still: vectors may have been deleted
      indexes.begin_training(multivector);
      training.emplace(collection, multivector, stopping);
    }
  };
  if (!writer.run(begin)) {
    return store_closed();
  }
  if (!training) {
    return {};
  }
  Status status = training->train();
  if (status.ok()) {
    status = training->encode_all();
  }
  if (status.ok()) {
    status = finish(*training, collection, writer, multivector);
  }
  // Once the writer has ended, this thread is alone with the collection.
  const std::function<void()> end = [&] { indexes.end_training(multivector); };
  if (!writer.run(end)) {
    end();
  }
  collection.set_progress({});
  return status;
}

}  // namespace asyncstore::engine
