// Operations of the log: what parses is sound, wherever it is read.
#include <memory>

#include "engine/operation.h"
#include "fuzz_folder.h"
#include "multivector/multivector.h"
#include "sparse/sparse_vector.h"

using namespace asyncstore;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<segment::Field> fields = {
      {"a", 3, segment::Distance::dot, segment::Datatype::float32, {}},
      {"b", 5, segment::Distance::dot, segment::Datatype::uint8, {}}};
  static const std::vector<segment::Field> multivectors = {
      {"c", 2, segment::Distance::dot, segment::Datatype::float32, {}}};
  const engine::Schema schema(fields, 2, multivectors);
  fuzz::Input input(data, size);
  const uint32_t kind = input.number(1) % 7;
  const auto content = input.rest();  // of its own, so that reads beyond it are seen
  const auto parsed = engine::parse_operation(schema, kind, content);
  if (!parsed.ok()) {
    return 0;
  }
  const engine::Operation& operation = parsed.value();
  const auto points = static_cast<uint32_t>(operation.ids.size());
  uint64_t read = 0;
  for (const auto& rows : operation.fields) {
    uint32_t present = 0;
    for (uint32_t i = 0; i < points; ++i) {
      present += rows.has(i) ? 1 : 0;
    }
    fuzz::must(rows.field < 2);
    fuzz::must(rows.stored.empty() || present == rows.rows);
    read += base::crc32c(rows.stored);
  }
  const auto check = [&](const engine::Values& values) {
    uint32_t present = 0;
    for (uint32_t i = 0; i < points; ++i) {
      present += values.present.has(i) ? 1 : 0;
    }
    fuzz::must(present == values.count || values.value.empty());
    fuzz::must(values.value.size() == values.count);
    for (const auto value : values.value) {
      read += base::crc32c(value);
    }
  };
  for (const auto& kept : operation.kept) {
    fuzz::must(kept.number < schema.kept());
    check(kept.values);
    for (const auto value : kept.values.value) {
      fuzz::must(kept.number < schema.sparse
                     ? sparse::is_sound(value)
                     : multivector::is_sound(schema.multivectors[0], value));
    }
  }
  if (operation.payload) {
    check(*operation.payload);
  }
  return static_cast<int>(read & 0);
}
