#include "text/document.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace asyncstore::text {

void Document::add(std::string_view text) {
  const size_t before = words_.size();
  analyzer_.analyze(text, [&](uint32_t word, std::string token) {
    if (before + word == words_.size()) {
      words_.push_back(tokens_.size());
    }
    tokens_.push_back(std::move(token));
  });
}

std::vector<std::string> Document::take_tokens() {
  words_.clear();
  std::vector<std::string> tokens = std::move(tokens_);
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  return tokens;
}

bool Document::has(const Query& query) const {
  ASSERT(query.analyzer == analyzer_);
  if (query.tokens.empty()) {
    return false;
  }
  if (query.kind == Query::Kind::phrase) {
    return has_phrase(query.tokens);
  }
  std::vector<std::string_view> held(tokens_.begin(), tokens_.end());
  std::sort(held.begin(), held.end());
  const auto holds = [&](const std::string& token) {
    return std::binary_search(held.begin(), held.end(), token);
  };
  return query.kind == Query::Kind::all
             ? std::all_of(query.tokens.begin(), query.tokens.end(), holds)
             : std::any_of(query.tokens.begin(), query.tokens.end(), holds);
}

bool Document::has_word(size_t word, const std::string& token) const {
  const size_t end = word + 1 < words_.size() ? words_[word + 1] : tokens_.size();
  return std::find(tokens_.begin() + static_cast<ptrdiff_t>(words_[word]),
                   tokens_.begin() + static_cast<ptrdiff_t>(end),
                   token) != tokens_.begin() + static_cast<ptrdiff_t>(end);
}

bool Document::has_phrase(const std::vector<std::string>& phrase) const {
  for (size_t first = 0; first + phrase.size() <= words_.size(); ++first) {
    size_t held = 0;
    while (held < phrase.size() && has_word(first + held, phrase[held])) {
      ++held;
    }
    if (held == phrase.size()) {
      return true;
    }
  }
  return false;
}

}  // namespace asyncstore::text
