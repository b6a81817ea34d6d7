#include "engine/manifest.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "engine/framed_file.h"
#include "quantize/factory.h"

namespace asyncstore::engine {

using base::ByteReader;
using base::Bytes;
using base::ByteWriter;
using base::Result;
using segment::Field;

namespace {

constexpr Magic k_collection_magic = {'A', 'S', 'C', 'O', 'L', 'L', 'N', '1'};
constexpr Magic k_manifest_magic = {'A', 'S', 'M', 'A', 'N', 'I', 'F', '1'};

void put(ByteWriter& body, const Field& field) {
  body.put_text(field.name);
  body.put(field.dim);
  body.put(field.distance);
  body.put(field.datatype);
  body.put(field.quantization.kind);
  body.put(field.quantization.quantile);
  body.put(field.quantization.bits);
  body.put(field.quantization.compression);
  body.put(field.quantization.encoding);
  body.put(field.quantization.query_encoding);
  body.put(field.graph.m);
  body.put(field.graph.ef_construct);
  body.put(field.graph.threads);
  body.put(field.graph.full_scan_threshold_bytes);
}

std::optional<Field> take_field(ByteReader& reader) {
  Field field;
  field.name = reader.take_text();
  field.dim = reader.take<uint32_t>();
  field.distance = reader.take<segment::Distance>();
  field.datatype = reader.take<segment::Datatype>();
  field.quantization.kind = reader.take<quantize::Kind>();
  field.quantization.quantile = reader.take<float>();
  field.quantization.bits = reader.take<uint8_t>();
  field.quantization.compression = reader.take<uint8_t>();
  field.quantization.encoding = reader.take<quantize::BinaryEncoding>();
  field.quantization.query_encoding = reader.take<quantize::QueryEncoding>();
  field.graph.m = reader.take<uint32_t>();
  field.graph.ef_construct = reader.take<uint32_t>();
  field.graph.threads = reader.take<uint32_t>();
  field.graph.full_scan_threshold_bytes = reader.take<uint64_t>();
  const bool possible =
      field.distance <= segment::Distance::manhattan &&
      field.datatype <= segment::Datatype::uint8 && segment::is_possible(field.graph) &&
      quantize::check(field.quantization, field.dim, segment::metric_of(field.distance)).ok();
  return reader.ok() && possible ? std::optional(std::move(field)) : std::nullopt;
}

// Nothing when they do not parse.
std::optional<std::vector<Field>> take_fields(ByteReader& reader) {
  const auto count = reader.take<uint32_t>();
  if (!reader.ok() || count > base::k_fields_max) {
    return std::nullopt;
  }
  std::vector<Field> fields;
  for (uint32_t i = 0; i < count; ++i) {
    auto field = take_field(reader);
    if (!field) {
      return std::nullopt;
    }
    fields.push_back(std::move(*field));
  }
  return fields;
}

}  // namespace

std::vector<std::byte> encode(const CollectionFile& collection) {
  ByteWriter body;
  body.put(collection.identity);
  body.put_text(collection.name);
  body.put(static_cast<uint32_t>(collection.fields.size()));
  for (const Field& field : collection.fields) {
    put(body, field);
  }
  body.put(static_cast<uint32_t>(collection.sparse.size()));
  for (const std::string& name : collection.sparse) {
    body.put_text(name);
  }
  body.put(static_cast<uint32_t>(collection.config.size()));
  body.put_bytes(collection.config);
  body.put(static_cast<uint32_t>(collection.multivectors.size()));
  for (const Field& field : collection.multivectors) {
    put(body, field);
  }
  if (collection.optimizers.any() || collection.log_file_bytes > 0) {
    put(body, collection.optimizers);
  }
  if (collection.log_file_bytes > 0) {
    body.put(collection.log_file_bytes);
  }
  return framed(k_collection_magic, body.bytes());
}

Result<CollectionFile> parse_collection(const std::string& path, Bytes content) {
  TRY_ASSIGN(const Bytes body, body_of(path, k_collection_magic, content));
  ByteReader reader(body);
  CollectionFile collection;
  collection.identity = reader.take<uint64_t>();
  collection.name = reader.take_text();
  auto fields = take_fields(reader);
  if (!fields) {
    return does_not_parse(path, reader);
  }
  collection.fields = std::move(*fields);
  const auto sparse = reader.take<uint32_t>();
  if (!reader.ok() || sparse > base::k_fields_max) {
    return does_not_parse(path, reader);
  }
  for (uint32_t i = 0; i < sparse; ++i) {
    collection.sparse.push_back(reader.take_text());
  }
  const Bytes config = reader.take_bytes(reader.take<uint32_t>());
  collection.config.assign(config.begin(), config.end());
  // Stores from before there were multivectors end here.
  if (reader.ok() && reader.remaining() > 0) {
    auto multivectors = take_fields(reader);
    if (!multivectors) {
      return does_not_parse(path, reader);
    }
    collection.multivectors = std::move(*multivectors);
  }
  if (reader.ok() && reader.remaining() > 0) {
    const auto optimizers = take_overrides(reader);
    if (!optimizers) {
      return does_not_parse(path, reader);
    }
    collection.optimizers = *optimizers;
    if (reader.remaining() > 0) {
      collection.log_file_bytes = reader.take<uint64_t>();
    }
    // What says nothing is not written.
    if (!(collection.log_file_bytes > 0 || collection.optimizers.any()) ||
        collection.log_file_bytes > base::k_log_file_bytes_max) {
      return does_not_parse(path, reader);
    }
  }
  if (!reader.ok() || reader.remaining() != 0) {
    return does_not_parse(path, reader);
  }
  return collection;
}

std::vector<std::byte> encode(const Manifest& manifest) {
  ByteWriter body;
  body.put(manifest.owner);
  body.put(manifest.lsn);
  body.put(manifest.point_count);
  body.put(manifest.next_segment);
  body.put(static_cast<uint32_t>(manifest.fields.size()));
  for (const auto& segments : manifest.fields) {
    body.put(static_cast<uint32_t>(segments.size()));
    for (const ManifestSegment& segment : segments) {
      body.put(segment.id);
      body.put(segment.rows);
      body.put(segment.rows_max);
      body.put(static_cast<uint32_t>(segment.sealed));
      body.put(segment.deleted_lsn);
    }
  }
  body.put(static_cast<uint32_t>(manifest.points.size()));
  for (const uint64_t lsn : manifest.points) {
    body.put(lsn);
  }
  body.put(static_cast<uint32_t>(manifest.flushes.size()));
  for (const uint64_t number : manifest.flushes) {
    body.put(number);
  }
  body.put(static_cast<uint32_t>(manifest.indexes.size()));
  for (const ManifestIndex& index : manifest.indexes) {
    put(body, index.definition);
    body.put(index.number);
    body.put(index.lsn);
  }
  for (const ManifestKept& index : manifest.kept) {
    body.put(index.number);
    body.put(index.lsn);
  }
  return framed(k_manifest_magic, body.bytes());
}

Result<Manifest> parse_manifest(const std::string& path, Bytes content, uint64_t owner,
                                size_t fields, size_t value_stores) {
  TRY_ASSIGN(const Bytes body, body_of(path, k_manifest_magic, content));
  ByteReader reader(body);
  Manifest manifest;
  manifest.owner = reader.take<uint64_t>();
  if (reader.ok() && manifest.owner != owner) {
    return base::corruption(path, k_frame_bytes, "the file belongs to another collection");
  }
  manifest.lsn = reader.take<uint64_t>();
  manifest.point_count = reader.take<uint64_t>();
  manifest.next_segment = reader.take<uint32_t>();
  if (reader.take<uint32_t>() != fields) {
    return does_not_parse(path, reader);
  }
  for (size_t field = 0; field < fields; ++field) {
    const auto count = reader.take<uint32_t>();
    if (!reader.ok() || count > base::k_segments_max) {
      return does_not_parse(path, reader);
    }
    auto& segments = manifest.fields.emplace_back();
    for (uint32_t i = 0; i < count; ++i) {
      ManifestSegment segment;
      segment.id = reader.take<uint32_t>();
      segment.rows = reader.take<uint32_t>();
      segment.rows_max = reader.take<uint32_t>();
      const auto sealed = reader.take<uint32_t>();
      segment.sealed = sealed != 0;
      segment.deleted_lsn = reader.take<uint64_t>();
      if (!reader.ok() || sealed > 1 || segment.rows > segment.rows_max ||
          segment.id >= manifest.next_segment) {
        return does_not_parse(path, reader);
      }
      segments.push_back(segment);
    }
  }
  const auto points = reader.take<uint32_t>();
  for (uint32_t i = 0; i < points && reader.ok(); ++i) {
    manifest.points.push_back(reader.take<uint64_t>());
  }
  if (reader.take<uint32_t>() != value_stores) {
    return does_not_parse(path, reader);
  }
  for (size_t i = 0; i < value_stores; ++i) {
    manifest.flushes.push_back(reader.take<uint64_t>());
  }
  const auto indexes = reader.take<uint32_t>();
  for (uint32_t i = 0; i < indexes && reader.ok(); ++i) {
    auto definition = take_definition(reader);
    if (!definition) {
      return does_not_parse(path, reader);
    }
    const auto number = reader.take<uint64_t>();
    manifest.indexes.push_back({std::move(*definition), number, reader.take<uint64_t>()});
  }
  // Stores from before there were such indexes end here, or before those of multivectors.
  manifest.kept.resize(value_stores - 1);
  for (ManifestKept& index : manifest.kept) {
    if (reader.ok() && reader.remaining() > 0) {
      index.number = reader.take<uint64_t>();
      index.lsn = reader.take<uint64_t>();
    }
  }
  if (!reader.ok() || reader.remaining() != 0) {
    return does_not_parse(path, reader);
  }
  return manifest;
}

}  // namespace asyncstore::engine
