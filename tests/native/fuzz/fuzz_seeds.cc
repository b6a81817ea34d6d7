// Writes the seeds of all fuzz targets: fuzz_seeds FOLDER makes FOLDER/<target>/<number>.
#include <cstdio>
#include <initializer_list>
#include <map>
#include <string_view>

#include "engine/aliases.h"
#include "engine/manifest.h"
#include "engine/operation.h"
#include "fuzz_folder.h"

using namespace asyncstore;
using fuzz::Content;

namespace {

std::string g_folder;
std::map<std::string, int> g_count;

void add(const std::string& target, std::initializer_list<uint32_t> numbers, base::Bytes bytes) {
  Content seed;
  for (const uint32_t number : numbers) {
    seed.push_back(static_cast<std::byte>(number));
  }
  seed.insert(seed.end(), bytes.begin(), bytes.end());
  std::filesystem::create_directories(g_folder + "/" + target);
  fuzz::set_content(g_folder + "/" + target + "/" + std::to_string(g_count[target]++), seed);
}

// Each file of a folder changed in each way, in a place that headers and entries have.
void add_folder(const std::string& target, uint32_t files, bool with_lsn) {
  const Content bytes(8, std::byte{3});
  for (uint32_t file = 0; file < files; ++file) {
    for (const uint32_t what : {0x00, 0x02, 0x03, 0x04, 0x80, 0x82, 0x83}) {
      for (const uint32_t place : {16, 60, 112}) {
        with_lsn ? add(target, {0, file, what, place, 0, 0}, bytes)
                 : add(target, {file, what, place, 0, 0}, bytes);
      }
    }
  }
}

void add_manifests() {
  engine::CollectionFile collection;
  collection.name = "c";
  collection.identity = 77;
  collection.fields.push_back({"a",
                               3,
                               segment::Distance::dot,
                               segment::Datatype::float32,
                               {.kind = quantize::Kind::scalar_int8}});
  collection.sparse = {"words"};
  collection.multivectors = collection.fields;
  add("manifest", {0}, engine::encode(collection));
  collection.optimizers = {0.5, 1000, 4, 1 << 20, 0, 5};
  add("manifest", {0}, engine::encode(collection));
  collection.optimizers = {};
  collection.log_file_bytes = 1 << 20;
  add("manifest", {0}, engine::encode(collection));
  engine::Manifest manifest;
  manifest.owner = 77;
  manifest.lsn = 9;
  manifest.point_count = 20;
  manifest.next_segment = 4;
  manifest.fields = {{{1, 10, 100, true, 5}, {3, 10, 100, false, 0}}};
  manifest.points = {5, 9};
  manifest.flushes = {2, 0};
  add("manifest", {1 << 1 | 1 << 3}, engine::encode(manifest));  // as of older stores
  manifest.kept = {{3, 9}};
  const auto encoded = engine::encode(manifest);
  add("manifest", {1 << 1 | 1 << 3}, encoded);
  // The body alone; the target puts a header before it.
  add("manifest", {0x80 | 1 << 1 | 1 << 3 | 1},
      base::Bytes(encoded).subspan(16, encoded.size() - 20));
  const auto aliases = engine::encode(engine::AliasMap{{"a", "c"}, {"letters", "docs"}});
  add("manifest", {0}, aliases);
  add("manifest", {0x80 | 0x40}, base::Bytes(aliases).subspan(16, aliases.size() - 20));
}

void add_operations() {
  const std::vector<segment::Field> fields = {
      {"a", 3, segment::Distance::dot, segment::Datatype::float32, {}},
      {"b", 5, segment::Distance::dot, segment::Datatype::uint8, {}}};
  const std::vector<segment::Field> multivectors = {
      {"c", 2, segment::Distance::dot, segment::Datatype::float32, {}}};
  const engine::Schema schema(fields, 2, multivectors);
  std::vector<segment::RowCodec> codecs;
  for (const auto* some : {&fields, &multivectors}) {
    for (const auto& field : *some) {
      codecs.emplace_back(field);
    }
  }
  const float values[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const uint64_t offsets[3] = {0, 2, 3};
  const uint32_t indices[3] = {3, 9, 1};
  const auto text = base::bytes_of(std::string_view("{\"a\":1}"));
  for (const auto kind : {engine::Kind::upsert, engine::Kind::remove, engine::Kind::set_vectors,
                          engine::Kind::delete_vectors, engine::Kind::set_payload}) {
    engine::OperationInput input;
    input.kind = kind;
    input.ids = {points::PointId::integer(1), points::PointId::integer(2)};
    const bool deletes = kind == engine::Kind::delete_vectors;
    if (deletes || kind == engine::Kind::upsert || kind == engine::Kind::set_vectors) {
      input.fields = {{0, deletes ? nullptr : values, nullptr},
                      {1, deletes ? nullptr : values, nullptr}};
      input.sparse = {{1, deletes ? nullptr : offsets, deletes ? nullptr : indices,
                       deletes ? nullptr : values, nullptr}};
      input.multivectors = {{0, deletes ? nullptr : offsets, deletes ? nullptr : values, nullptr}};
    }
    if (kind == engine::Kind::upsert || kind == engine::Kind::set_payload) {
      input.payloads = {text, {}};
    }
    Content encoded(engine::operation_bytes(schema, input));
    fuzz::must(engine::encode_operation(schema, codecs, input, encoded).ok());
    add("operation", {static_cast<uint32_t>(kind)}, encoded);
  }
}

void add_payloads() {
  using namespace std::string_view_literals;
  for (const auto text : {
           "{\"a\":1,\"b\":[1,{\"c\":null}]}\0{\"a\":2.0}\0b[].c"sv,
           "{\"\\u0061\":\"\\ud83d\\ude00\"}\0{\"a\":{}}\0\"a\".b"sv,
           "{}\0{\"n\":-12345678901234567890e9}\0x[3].y"sv,
           "\0[]\0list"sv,
           "{\"a\":[[],[[1]]],\"a\":true}\0{\"a\":false}\0a[0][0]"sv,
       }) {
    add("payload", {}, base::bytes_of(text));
  }
}

void add_values() {
  const std::string text = "{\"name\": \"async\", \"registry\": \"pypi\", \"downloads\": ";
  std::string dictionary;
  for (int i = 0; dictionary.size() < 300; ++i) {
    dictionary += text + std::to_string(i * 7919) + "}";
  }
  const auto size = static_cast<uint32_t>(dictionary.size());
  add("encoder", {size & 255, size >> 8, 255}, base::bytes_of(dictionary + text + text + "12}"));
  add("encoder", {size & 255, size >> 8, 200}, base::bytes_of(dictionary + dictionary));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "fuzz_seeds FOLDER\n");
    return 2;
  }
  g_folder = arguments[1];
  add_folder("store", 32, false);
  add_folder("log", 8, true);
  add_folder("gridstore", 10, false);
  add_manifests();
  add_operations();
  add_payloads();
  add_values();
  return 0;
}
