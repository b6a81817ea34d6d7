// A Gridstore with a model beside it: what must be there now, and what after a crash.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gridstore/gridstore.h"

namespace asyncstore::gridstore_test {

using gridstore::Gridstore;
using Value = std::vector<std::byte>;
using Model = std::map<uint32_t, Value>;

// Everything small, so that few values cross regions and page files.
inline gridstore::Options small_options() {
  gridstore::Options options;
  options.owner = 0x123456789ABCDEF0;
  options.page_file_bytes = 24 << 10;
  options.region_blocks = 64;
  options.dictionary_bytes = 256;
  return options;
}

// As payloads are: little in each that repeats, but much in all of them. Other words for another
// `dialect`.
inline Value some_text(std::mt19937_64& random, uint64_t dialect = 0) {
  static const char* const k_phrases[][4] = {
      {"\"registry\": \"pypi\", ", "\"released\": \"2024-0", "\"name\": \"asyncio-client-",
       "\"text\": \"A library for the "},
      {"<city>Reykjavik</city>", "<street number=", "<country code='IS'>", "<inhabitants since="}};
  std::string text;
  for (const char* phrase : k_phrases[dialect]) {
    text += phrase + std::to_string(random() % 1'000'000'000'000'000'000);
  }
  const auto bytes = base::bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

// Of every kind: text, empty, small, compressible, not compressible, longer than a page file.
inline Value some_value(std::mt19937_64& random) {
  const uint64_t kind = random() % 32;
  if (kind >= 12) {
    return some_text(random);
  }
  const uint64_t size = kind == 0   ? 0
                        : kind == 1 ? random() % (60 << 10)
                        : kind < 6  ? random() % (8 << 10)
                                    : random() % 600;
  const uint64_t letters = random() % 3 == 0 ? 3 : 256;
  Value value(size);
  for (auto& byte : value) {
    byte = static_cast<std::byte>(random() % letters);
  }
  return value;
}

// What is in the store, value by value, is what is in the model.
inline void check_equal(const Gridstore& store, const Model& model) {
  uint64_t bytes = 0;
  const uint32_t slots = model.empty() ? 0 : model.rbegin()->first + 1;
  REQUIRE(store.slot_count() >= slots);
  for (uint32_t slot = 0; slot < store.slot_count() + 3; ++slot) {
    const auto found = model.find(slot);
    const auto read = store.read(slot);
    if (!read.ok()) {
      FAIL("slot " << slot << ": " << read.error().message);
    }
    REQUIRE(read.value().has_value() == (found != model.end()));
    if (read.value()) {
      // One comparison for doctest to print.
      const bool same = *read.value() == found->second;
      REQUIRE_MESSAGE(same, "slot " << slot);
      bytes += found->second.size();
    }
  }
  const auto counted = store.statistics();
  REQUIRE(counted.values == model.size());
  REQUIRE(counted.live_bytes <= bytes);
  REQUIRE(store.damaged().empty());
}

// A store, what it must hold, and the commits of its flushes.
class Fixture {
 public:
  Fixture(std::shared_ptr<io::Storage> storage, std::string folder,
          gridstore::Options options = small_options())
      : storage_(std::move(storage)), folder_(std::move(folder)), options_(options) {}

  // Opens what the last committed flush left.
  base::Status open() {
    store_.reset();
    TRY_ASSIGN(store_, Gridstore::open(storage_, folder_, options_, committed_));
    now_ = durable_;
    holder_ = std::make_shared<int>();
    return {};
  }

  base::Status put(uint32_t slot, const Value& value) {
    TRY(store_->put(slot, value));
    now_[slot] = value;
    return {};
  }
  void remove(uint32_t slot) {
    store_->remove(slot);
    now_.erase(slot);
  }
  base::Status write_out() { return store_->write_out(); }
  // The readers of before are told apart from those to come.
  std::shared_ptr<const void> release() {
    auto old = std::exchange(holder_, std::make_shared<int>());
    store_->release(old);
    return old;
  }

  // All steps; `committed()` is what a caller's manifest would name.
  base::Status flush() {
    TRY(store_->write_out());
    auto plan = store_->plan_flush();
    if (!plan) {
      return {};
    }
    base::Status prepared = store_->prepare(*plan, ++next_number_);
    if (!prepared.ok()) {
      store_->abandon(std::move(plan));
      return prepared;
    }
    committed_ = next_number_;
    durable_ = now_;
    base::Status finished = store_->finish(*plan);
    store_->committed(std::move(plan));
    return finished;
  }

  Gridstore& store() { return *store_; }
  void close() { store_.reset(); }
  const Model& now() const { return now_; }
  void set_now(Model now) { now_ = std::move(now); }
  const Model& durable() const { return durable_; }
  uint64_t committed() const { return committed_; }
  const gridstore::Options& options() const { return options_; }

  // For flushes that are not done in one go.
  uint64_t next_number() { return ++next_number_; }
  void set_committed(uint64_t number, Model state) {
    committed_ = number;
    durable_ = std::move(state);
  }

 private:
  std::shared_ptr<io::Storage> storage_;
  std::string folder_;
  gridstore::Options options_;
  std::unique_ptr<Gridstore> store_;
  std::shared_ptr<const void> holder_;
  Model now_;
  Model durable_;
  uint64_t committed_ = 0;
  uint64_t next_number_ = 0;
};

inline uint64_t number_from_environment(const char* name, uint64_t standard) {
  const char* text = std::getenv(name);
  return text == nullptr ? standard : std::strtoull(text, nullptr, 10);
}

}  // namespace asyncstore::gridstore_test
