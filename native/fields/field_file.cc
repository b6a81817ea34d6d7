#include "fields/field_file.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <shared_mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "io/checked_file.h"
#include "payload/limits.h"

namespace asyncstore::fields {

using base::Result;
using base::Status;

namespace {

constexpr io::Magic k_magic = {'A', 'S', 'F', 'I', 'E', 'L', 'D', '1'};
constexpr uint64_t k_with_lookup = 256;
constexpr uint64_t k_with_range = 512;
constexpr uint32_t k_terms_end = UINT32_MAX;
constexpr uint8_t k_keys_shift = 6;
constexpr uint32_t k_several = 2;
constexpr size_t k_uuid_bytes = 16;
// A character in lower case may be longer by half than it was.
constexpr size_t k_term_bytes_max = 2 * size_t{payload::k_payload_bytes_max};

uint64_t word_of(const Schema& schema) {
  return static_cast<uint64_t>(schema.kind) | (schema.lookup ? k_with_lookup : 0) |
         (schema.range ? k_with_range : 0);
}

}  // namespace

// --- writing ---

class FieldFileWriter {
 public:
  FieldFileWriter(const FieldIndex& index, io::CheckedFileWriter file)
      : index_(index), file_(std::move(file)) {}

  Status write() {
    buffer_.put_text(index_.schema().key);
    if (index_.schema().analyzer) {
      base::ByteWriter parameters;
      text::put(parameters, index_.schema().analyzer->parameters());
      buffer_.put_text(text::version());
      buffer_.put(static_cast<uint32_t>(parameters.size()));
      buffer_.put_bytes(parameters.bytes());
    }
    if (has_terms(index_.schema().kind)) {
      TRY(write_terms());
    }
    TRY(write_slots());
    TRY(flush());  // of an index without slots
    return file_.finish();
  }

 private:
  // Of one hold of the index.
  static constexpr uint32_t k_terms_held = 256;
  static constexpr uint32_t k_slots_held = 1024;

  // In the order of the texts, which the changes meanwhile do not disturb: no term goes, and where
  // a new one comes does not matter.
  Status write_terms() {
    std::string last;
    for (bool more = true; more;) {
      more = put_terms(last);
      TRY(flush());
    }
    buffer_.put(k_terms_end);
    return {};
  }

  // The next terms behind `last`; false when there are no more.
  bool put_terms(std::string& last) {
    const std::shared_lock lock(index_.mutex_);
    const Terms& terms = index_.content_.terms();
    uint32_t held = 0;
    bool more = false;
    std::string_view reached;
    numbers_.resize(terms.numbers());
    terms.ascending(last, [&](uint32_t term) {
      const std::string_view text = terms.text(term);
      if (written_ > 0 && text == last) {
        return true;
      }
      more = held++ == k_terms_held;
      if (more) {
        return false;
      }
      numbers_[term] = written_++;
      buffer_.put_text(text);
      reached = text;
      return true;
    });
    if (held > 0) {
      last = reached;
    }
    return more;
  }

  Status write_slots() {
    for (uint32_t slot = 0; slot < index_.snapshot_slots_; slot += k_slots_held) {
      put_slots(slot, std::min(index_.snapshot_slots_ - slot, k_slots_held));
      TRY(flush());
    }
    return {};
  }

  void put_slots(uint32_t first, uint32_t count) {
    const std::shared_lock lock(index_.mutex_);
    auto before = index_.before_.lower_bound(first);
    for (uint32_t slot = first; slot < first + count; ++slot) {
      if (before != index_.before_.end() && before->first == slot) {
        put_slot(before->second.flags, before->second.keys);
        ++before;
      } else {
        put_slot(index_.content_.flags(slot), index_.content_.column().keys(slot));
      }
    }
  }

  void put_slot(Flags flags, std::span<const uint64_t> keys) {
    const auto number = static_cast<uint8_t>(std::min<size_t>(keys.size(), k_several));
    buffer_.put(static_cast<uint8_t>(flags.bits() | number << k_keys_shift));
    if (number == k_several) {
      buffer_.put(static_cast<uint32_t>(keys.size()));
    }
    if (!has_terms(index_.schema().kind)) {
      buffer_.put_bytes(base::bytes_of(keys));
      return;
    }
    sorted_.clear();
    for (const uint64_t key : keys) {
      sorted_.push_back(numbers_[key]);
    }
    std::sort(sorted_.begin(), sorted_.end());
    buffer_.put_bytes(base::bytes_of(std::span<const uint32_t>(sorted_)));
  }

  Status flush() {
    TRY(file_.append(buffer_.bytes()));
    buffer_.buffer().clear();
    return {};
  }

  const FieldIndex& index_;
  io::CheckedFileWriter file_;
  base::ByteWriter buffer_;
  std::vector<uint32_t> numbers_;  // in the file, by term
  std::vector<uint32_t> sorted_;
  uint32_t written_ = 0;  // terms
};

Status FieldIndex::write(io::Storage& storage, const std::string& path, uint64_t owner,
                         uint64_t lsn) const {
  {
    const std::shared_lock lock(mutex_);
    ASSERT(in_snapshot_);
  }
  TRY_ASSIGN(auto file,
             io::CheckedFileWriter::create(storage, path, {k_magic, owner},
                                           {lsn, snapshot_slots_, word_of(schema()), 0}));
  return FieldFileWriter(*this, std::move(file)).write();
}

// --- loading ---

namespace {

// A file from front to back. After a failure every value is zero.
class Source {
 public:
  explicit Source(const io::CheckedFile& file) : file_(file) {}

  template <typename T>
  T take() {
    T value{};
    if (available(sizeof value)) {
      std::memcpy(&value, buffer_.data() + at_, sizeof value);
      at_ += sizeof value;
    }
    return value;
  }
  std::string_view take_text(size_t size) {  // valid until the next call
    if (!available(size)) {
      return {};
    }
    at_ += size;
    return {reinterpret_cast<const char*>(buffer_.data() + at_ - size), size};
  }

  uint64_t remaining() const { return file_.payload_bytes() - loaded_ + buffer_.size() - at_; }
  Status status() { return std::move(status_); }
  bool ok() const { return ok_; }

 private:
  bool available(size_t size) { return buffer_.size() - at_ >= size || (ok_ && load(size)); }
  // What is left in the buffer, and blocks of the file until `size` bytes are there.
  bool load(size_t size) {
    if (size > remaining()) {
      ok_ = false;
      return false;
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(at_));
    at_ = 0;
    while (buffer_.size() < size) {
      const size_t kept = buffer_.size();
      const uint64_t part =
          std::min(io::CheckedFile::k_block_bytes, file_.payload_bytes() - loaded_);
      buffer_.resize(kept + part);
      status_ = file_.read(loaded_, std::span(buffer_).subspan(kept));
      if (!status_.ok()) {
        ok_ = false;
        buffer_.resize(kept);
        return false;
      }
      loaded_ += part;
    }
    return true;
  }

  const io::CheckedFile& file_;
  std::vector<std::byte> buffer_;
  size_t at_ = 0;
  uint64_t loaded_ = 0;
  Status status_;
  bool ok_ = true;
};

}  // namespace

class FieldFileReader {
 public:
  explicit FieldFileReader(const io::CheckedFile& file) : file_(file), source_(file) {}

  Result<LoadedField> load() {
    const auto [lsn, slots, word, zero] = file_.fields();
    if (slots > file_.payload_bytes() || slots > UINT32_MAX || zero != 0 ||
        (word & UINT8_MAX) >= k_kinds || word >= 2 * k_with_range) {
      return damaged("the header's numbers are impossible");
    }
    auto schema = take_schema(word);
    if (!schema.ok()) {
      return std::move(schema.error());
    }
    FieldBuilder builder(std::move(schema.value()));
    content_ = &builder.content();
    if (has_terms(content_->schema().kind) && !take_terms()) {
      return damaged("a term is damaged");
    }
    for (uint32_t slot = 0; slot < slots; ++slot) {
      if (!take_slot(slot)) {
        return damaged("a slot is damaged");
      }
    }
    if (!source_.ok() || source_.remaining() > 0) {
      return damaged("it does not end where it should");
    }
    return LoadedField{builder.build(), lsn};
  }

 private:
  // The error of the read that failed, if one did.
  base::Error damaged(const char* what) {
    Status status = source_.status();
    return status.ok() ? base::corruption(file_.path(),
                                          72 + file_.payload_bytes() - source_.remaining(), what)
                       : std::move(status.error());
  }

  Result<Schema> take_schema(uint64_t word) {
    const std::string key(source_.take_text(source_.take<uint32_t>()));
    auto path = payload::Path::parse(key);
    if (!source_.ok() || !path.ok()) {
      return damaged("the path is damaged");
    }
    Schema schema{std::move(path.value()), key, static_cast<Kind>(word & UINT8_MAX),
                  (word & k_with_lookup) != 0, (word & k_with_range) != 0};
    if (schema.kind == Kind::text) {
      TRY_ASSIGN(schema.analyzer, take_analyzer());
    }
    return schema;
  }

  Result<text::Analyzer> take_analyzer() {
    const std::string version(source_.take_text(source_.take<uint32_t>()));
    const std::string parameters(source_.take_text(source_.take<uint32_t>()));
    if (source_.ok() && version != text::version()) {
      return damaged("the index was made by other rules for texts than there are now");
    }
    base::ByteReader reader(base::bytes_of(parameters));
    auto taken = text::take_parameters(reader);
    if (source_.ok() && taken && reader.remaining() == 0) {
      auto analyzer = text::Analyzer::make(std::move(*taken));
      if (analyzer.ok()) {
        return analyzer;
      }
    }
    return damaged("the parameters of texts are damaged");
  }

  bool take_terms() {
    std::string last;
    for (auto size = source_.take<uint32_t>(); size != k_terms_end;
         size = source_.take<uint32_t>()) {
      const std::string_view text = source_.take_text(size);
      const bool ascends = terms_ == 0 || last < text;
      const bool fits =
          content_->schema().kind == Kind::uuid ? size == k_uuid_bytes : size <= k_term_bytes_max;
      if (!source_.ok() || !ascends || !fits) {
        return false;
      }
      last = text;
      content_->terms().add(text);
      ++terms_;
    }
    return source_.ok();
  }

  bool take_slot(uint32_t slot) {
    const auto head = source_.take<uint8_t>();
    const Flags flags(head & ((1 << k_keys_shift) - 1));
    uint32_t number = head >> k_keys_shift;
    if (!flags.has(Flag::present)) {
      return source_.ok() && head == 0;
    }
    if (number >= k_several) {
      const bool exact = number == k_several;
      number = source_.take<uint32_t>();
      if (!exact || number < k_several || number > source_.remaining() / key_bytes()) {
        return false;
      }
    }
    keys_.clear();
    for (uint32_t i = 0; i < number; ++i) {
      keys_.push_back(key_bytes() == sizeof(uint32_t) ? source_.take<uint32_t>()
                                                      : source_.take<uint64_t>());
    }
    if (!source_.ok() || !keys_are_sound()) {
      return false;
    }
    content_->load(slot, flags, keys_);
    return true;
  }

  size_t key_bytes() const {
    return has_terms(content_->schema().kind) ? sizeof(uint32_t) : sizeof(uint64_t);
  }

  bool keys_are_sound() const {
    const bool ascend = std::adjacent_find(keys_.begin(), keys_.end(),
                                           std::greater_equal<uint64_t>()) == keys_.end();
    if (keys_.empty() || !ascend) {
      return ascend;
    }
    switch (content_->schema().kind) {
      case Kind::keyword:
      case Kind::uuid:
      case Kind::text:
        return keys_.back() < terms_;
      case Kind::boolean:
        return keys_.back() <= 1;
      default:
        return true;
    }
  }

  const io::CheckedFile& file_;
  Source source_;
  Content* content_ = nullptr;
  uint64_t terms_ = 0;
  std::vector<uint64_t> keys_;
};

Result<LoadedField> load_field(io::Storage& storage, const std::string& path, uint64_t owner) {
  TRY_ASSIGN(const io::CheckedFile file, io::CheckedFile::open(storage, path, {k_magic, owner}));
  return FieldFileReader(file).load();
}

}  // namespace asyncstore::fields
