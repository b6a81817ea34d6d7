#include "text/stemmer.h"

#include <libstemmer.h>

#include <algorithm>

#include "base/assert.h"

namespace asyncstore::text {

std::vector<std::string> Stemmer::languages() {
  std::vector<std::string> names;
  for (const char** name = sb_stemmer_list(); *name != nullptr; ++name) {
    names.emplace_back(*name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool Stemmer::has(const std::string& language) {
  const std::vector<std::string> all = languages();
  return std::binary_search(all.begin(), all.end(), language);
}

Stemmer::Stemmer(const std::string& language)
    : stemmer_(sb_stemmer_new(language.c_str(), nullptr)) {
  ASSERT(stemmer_ != nullptr);
}

std::string_view Stemmer::stem(std::string_view word) {
  const sb_symbol* stem =
      sb_stemmer_stem(stemmer_.get(), reinterpret_cast<const sb_symbol*>(word.data()),
                      static_cast<int>(word.size()));
  ASSERT(stem != nullptr);
  return {reinterpret_cast<const char*>(stem),
          static_cast<size_t>(sb_stemmer_length(stemmer_.get()))};
}

void Stemmer::Deleter::operator()(sb_stemmer* stemmer) const {
  sb_stemmer_delete(stemmer);
}

}  // namespace asyncstore::text
