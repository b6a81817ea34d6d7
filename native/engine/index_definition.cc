#include "engine/index_definition.h"

#include <utility>

namespace asyncstore::engine {

namespace {
constexpr uint8_t k_lookup = 1;
constexpr uint8_t k_range = 2;
}  // namespace

void put(base::ByteWriter& writer, const IndexDefinition& definition) {
  const fields::Schema& schema = definition.schema;
  writer.put_text(schema.key);
  writer.put(schema.kind);
  writer.put(static_cast<uint8_t>((schema.lookup ? k_lookup : 0) | (schema.range ? k_range : 0)));
  writer.put(static_cast<uint32_t>(definition.params.size()));
  writer.put_bytes(definition.params);
  if (schema.analyzer) {
    text::put(writer, schema.analyzer->parameters());
  }
}

std::optional<IndexDefinition> take_definition(base::ByteReader& reader) {
  const std::string key = reader.take_text();
  const auto kind = reader.take<uint8_t>();
  const auto flags = reader.take<uint8_t>();
  const base::Bytes params = reader.take_bytes(reader.take<uint32_t>());
  auto path = payload::Path::parse(key);
  if (!reader.ok() || !path.ok() || kind >= fields::k_kinds || flags > (k_lookup | k_range)) {
    return std::nullopt;
  }
  IndexDefinition definition{{std::move(path.value()), key, static_cast<fields::Kind>(kind),
                              (flags & k_lookup) != 0, (flags & k_range) != 0},
                             {params.begin(), params.end()}};
  if (definition.schema.kind == fields::Kind::text) {
    auto parameters = text::take_parameters(reader);
    auto analyzer =
        parameters ? std::optional(text::Analyzer::make(std::move(*parameters))) : std::nullopt;
    if (!analyzer || !analyzer->ok()) {
      return std::nullopt;
    }
    definition.schema.analyzer = std::move(analyzer->value());
  }
  return definition;
}

}  // namespace asyncstore::engine
