#include "text/parameters.h"

namespace asyncstore::text {

namespace {
constexpr uint8_t k_lowercase = 1;
constexpr uint8_t k_ascii_folding = 2;
}  // namespace

void put(base::ByteWriter& writer, const Parameters& parameters) {
  writer.put(parameters.tokenizer);
  writer.put(static_cast<uint8_t>((parameters.lowercase ? k_lowercase : 0) |
                                  (parameters.ascii_folding ? k_ascii_folding : 0)));
  writer.put(parameters.min_token_len);
  writer.put(parameters.max_token_len);
  writer.put_text(parameters.stemmer);
  writer.put(static_cast<uint32_t>(parameters.stopwords.size()));
  for (const std::string& word : parameters.stopwords) {
    writer.put_text(word);
  }
}

std::optional<Parameters> take_parameters(base::ByteReader& reader) {
  Parameters parameters;
  const auto tokenizer = reader.take<uint8_t>();
  const auto flags = reader.take<uint8_t>();
  parameters.tokenizer = static_cast<Tokenizer>(tokenizer);
  parameters.lowercase = (flags & k_lowercase) != 0;
  parameters.ascii_folding = (flags & k_ascii_folding) != 0;
  parameters.min_token_len = reader.take<uint32_t>();
  parameters.max_token_len = reader.take<uint32_t>();
  parameters.stemmer = reader.take_text();
  const auto words = reader.take<uint32_t>();
  for (uint32_t i = 0; i < words && reader.ok(); ++i) {
    parameters.stopwords.push_back(reader.take_text());
  }
  const bool possible = tokenizer < k_tokenizers && flags <= (k_lowercase | k_ascii_folding);
  return reader.ok() && possible ? std::optional(std::move(parameters)) : std::nullopt;
}

}  // namespace asyncstore::text
