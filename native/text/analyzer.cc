#include "text/analyzer.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "text/characters.h"
#include "text/stemmer.h"

namespace asyncstore::text {

namespace {

// To be raised when the same parameters give other tokens than before.
constexpr int k_version = 1;

std::atomic<uint64_t> g_made{0};

// Where one word ends and the next begins.
template <typename Visit>
void split(Tokenizer tokenizer, std::string_view text, const Visit& visit) {
  const char* begin = nullptr;  // of the word that has begun
  const char* end = nullptr;
  bool alone = false;  // only marks may follow its first character
  const auto finish = [&] {
    if (begin != nullptr) {
      visit(std::string_view(begin, static_cast<size_t>(end - begin)));
    }
    begin = nullptr;
  };
  while (!text.empty()) {
    const char* at = text.data();
    const char32_t character = take_character(text);
    const bool is_alone = tokenizer == Tokenizer::multilingual && is_without_spaces(character);
    const bool goes_on = begin != nullptr && is_mark(character);
    const bool belongs = tokenizer == Tokenizer::whitespace ? !is_white_space(character)
                                                            : goes_on || is_alphanumeric(character);
    if (!belongs || (!goes_on && (is_alone || alone))) {
      finish();
    }
    if (belongs) {
      alone = begin == nullptr ? is_alone : alone;
      begin = begin == nullptr ? at : begin;
      end = text.data();
    }
  }
  finish();
}

std::string normalized(const Parameters& parameters, std::string_view word) {
  std::string token = parameters.ascii_folding ? folded_to_ascii(word) : std::string(word);
  return parameters.lowercase ? lowercase(token) : token;
}

// Its first characters.
std::string_view beginning(std::string_view token, uint32_t characters) {
  std::string_view rest = token;
  for (uint32_t i = 0; i < characters && !rest.empty(); ++i) {
    take_character(rest);
  }
  return token.substr(0, token.size() - rest.size());
}

uint32_t prefix_len_max(const Parameters& parameters) {
  return std::min(parameters.max_token_len, k_prefix_len_max);
}

}  // namespace

base::Result<Analyzer> Analyzer::make(Parameters parameters) {
  if (!parameters.stemmer.empty() && !Stemmer::has(parameters.stemmer)) {
    std::string languages;
    for (const std::string& language : Stemmer::languages()) {
      languages += (languages.empty() ? "" : ", ") + language;
    }
    return base::invalid_argument("stemmer.language: must be one of " + languages + ", got '" +
                                  parameters.stemmer + "'");
  }
  auto shared = std::make_shared<Shared>();
  for (const std::string& word : parameters.stopwords) {
    shared->stopwords.push_back(normalized(parameters, word));
  }
  std::sort(shared->stopwords.begin(), shared->stopwords.end());
  shared->parameters = std::move(parameters);
  shared->number = g_made++;
  return Analyzer(std::move(shared));
}

void Analyzer::analyze(std::string_view text, const VisitToken& visit) const {
  uint32_t number = 0;
  for_each_word(text, [&](std::string word) {
    if (parameters().tokenizer != Tokenizer::prefix) {
      visit(number++, std::move(word));
      return;
    }
    size_t end = beginning(word, std::max(parameters().min_token_len, 1U)).size();
    const size_t longest = beginning(word, prefix_len_max(parameters())).size();
    while (end < longest) {
      visit(number, word.substr(0, end));
      std::string_view rest = std::string_view(word).substr(end);
      take_character(rest);
      end = word.size() - rest.size();
    }
    visit(number++, word.substr(0, longest));
  });
}

std::vector<std::string> Analyzer::tokens_of_query(std::string_view text) const {
  std::vector<std::string> tokens;
  for_each_word(text, [&](std::string word) {
    if (parameters().tokenizer == Tokenizer::prefix) {
      word.resize(beginning(word, prefix_len_max(parameters())).size());
    }
    tokens.push_back(std::move(word));
  });
  return tokens;
}

void Analyzer::for_each_word(std::string_view text,
                             const std::function<void(std::string word)>& visit) const {
  const Parameters& wanted = parameters();
  std::optional<Stemmer> stemmer;  // its own for each text, as it is for one thread alone
  if (!wanted.stemmer.empty()) {
    stemmer.emplace(wanted.stemmer);
  }
  split(wanted.tokenizer, text, [&](std::string_view word) {
    std::string token = normalized(wanted, word);
    if (std::binary_search(shared_->stopwords.begin(), shared_->stopwords.end(), token)) {
      return;
    }
    if (stemmer) {
      token = std::string(stemmer->stem(token));
    }
    const size_t length = count_characters(token);
    const bool too_long = length > wanted.max_token_len && wanted.tokenizer != Tokenizer::prefix;
    if (length > 0 && length >= wanted.min_token_len && !too_long) {
      visit(std::move(token));
    }
  });
}

std::string version() {
  return std::to_string(k_version) + " Unicode " + unicode_version();
}

}  // namespace asyncstore::text
