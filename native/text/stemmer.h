// Words without their endings: Snowball's stemmers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct sb_stemmer;

namespace asyncstore::text {

// Not for two threads at once.
class Stemmer {
 public:
  // In English and lower case, as "german"; ascending.
  static std::vector<std::string> languages();
  static bool has(const std::string& language);

  // `language` is one of them.
  explicit Stemmer(const std::string& language);

  // Of a word in lower case; valid until the next call.
  std::string_view stem(std::string_view word);

 private:
  struct Deleter {
    void operator()(sb_stemmer* stemmer) const;
  };
  std::unique_ptr<sb_stemmer, Deleter> stemmer_;
};

}  // namespace asyncstore::text
