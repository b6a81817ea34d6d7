// Operating errors as values.
//
// Every function that can meet a bad disk, a bad file or a bad argument returns Result<T> or
// Status; programmer errors are ASSERTs (base/assert.h). Nothing below native/python/ throws.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace asyncstore::base {

// One code per class of the Python error tree; native/python/errors.cc holds the only table.
enum class Code : uint8_t {
  invalid_argument,
  dimension_mismatch,
  collection_not_found,
  point_not_found,
  already_exists,
  closed,      // the store is closing or closed
  failed,      // an earlier fsync failed; reopen to write again
  locked,      // another process or another open holds the store
  corruption,  // a checksum does not match; file and offset are set
  io,          // the operating system said no; file, offset and os_errno are set
  unsupported,
};

struct Error {
  Code code;
  std::string message;        // whole sentence for people: the value and the limit
  std::string file = {};      // path, for corruption and io
  uint64_t offset_bytes = 0;  // in `file`
  int os_errno = 0;           // for io
};

Error invalid_argument(std::string message);
Error corruption(std::string file, uint64_t offset_bytes, const std::string& what);
// "<what> <file> at byte <offset>: <strerror>"
Error io_error(const std::string& what, std::string file, uint64_t offset_bytes, int os_errno);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  T& value() {
    ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  Error& error() {
    ASSERT(!ok());
    return *std::get_if<1>(&state_);
  }
  const Error& error() const {
    ASSERT(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

// A Result without a value; one pointer wide, null when all is well.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error)
      : error_(std::make_unique<Error>(std::move(error))) {}  // NOLINT: implicit by design

  bool ok() const { return error_ == nullptr; }
  Error& error() {
    ASSERT(error_ != nullptr);
    return *error_;
  }
  const Error& error() const {
    ASSERT(error_ != nullptr);
    return *error_;
  }

 private:
  std::unique_ptr<Error> error_;
};

}  // namespace asyncstore::base

// Leaves the enclosing function with the error of `expression`, if it has one.
#define TRY(expression)                      \
  do {                                       \
    auto try_status_ = (expression);         \
    if (!try_status_.ok()) {                 \
      return std::move(try_status_.error()); \
    }                                        \
  } while (false)

#define TRY_CONCAT_INNER(a, b) a##b
#define TRY_CONCAT(a, b) TRY_CONCAT_INNER(a, b)
// Declares `declaration` from the value of `expression`, or leaves with its error.
#define TRY_ASSIGN(declaration, expression)                      \
  auto TRY_CONCAT(try_result_, __LINE__) = (expression);         \
  if (!TRY_CONCAT(try_result_, __LINE__).ok()) {                 \
    return std::move(TRY_CONCAT(try_result_, __LINE__).error()); \
  }                                                              \
  declaration = std::move(TRY_CONCAT(try_result_, __LINE__).value())
