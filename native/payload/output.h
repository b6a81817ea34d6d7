// The text of a result while it is written: never larger than a payload may be.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "payload/limits.h"

namespace asyncstore::payload {

// Text past the limit is not kept, so that a small request cannot ask for a huge result.
class Output {
 public:
  void reserve(size_t size_bytes) { text_.reserve(size_bytes); }
  void put(std::string_view text) {
    full_ = full_ || text.size() > k_payload_bytes_max - text_.size();
    if (!full_) {
      const base::Bytes bytes = base::bytes_of(text);
      text_.insert(text_.end(), bytes.begin(), bytes.end());
    }
  }
  // Nothing will be kept any more: loops can end.
  bool full() const { return full_; }

  base::Result<std::vector<std::byte>> take() {
    if (full_) {
      return base::invalid_argument("The payload would become larger than " +
                                    std::to_string(k_payload_bytes_max) + " bytes.");
    }
    return std::move(text_);
  }

 private:
  std::vector<std::byte> text_;
  bool full_ = false;
};

// Puts commas between the children of one object or array.
class Commas {
 public:
  explicit Commas(Output& output) : output_(output) {}
  void next() {
    if (!first_) {
      output_.put(",");
    }
    first_ = false;
  }

 private:
  Output& output_;
  bool first_ = true;
};

}  // namespace asyncstore::payload
