// Texts to tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/parameters.h"

namespace asyncstore::text {

// A word of the text goes, in this order, through: folding to ASCII, lower case, stop words, the
// stemmer, the limits of length. Copies share what they hold; any thread may use any.
class Analyzer {
 public:
  // Error (invalid_argument): there is no such stemmer.
  static base::Result<Analyzer> make(Parameters parameters);

  const Parameters& parameters() const { return shared_->parameters; }
  // No two that were made have the same, in this process.
  uint64_t number() const { return shared_->number; }

  // Of what is indexed, in order. The tokens of one word come with one number, counted from 0: with
  // prefixes there are several.
  using VisitToken = std::function<void(uint32_t word, std::string token)>;
  void analyze(std::string_view text, const VisitToken& visit) const;
  // Of what is looked for, in order: one for each word.
  std::vector<std::string> tokens_of_query(std::string_view text) const;

  friend bool operator==(const Analyzer& a, const Analyzer& b) {
    return a.shared_ == b.shared_ || a.parameters() == b.parameters();
  }

 private:
  struct Shared {
    Parameters parameters;
    std::vector<std::string> stopwords;  // as tokens that are compared with them; ascending
    uint64_t number;
  };

  explicit Analyzer(std::shared_ptr<const Shared> shared) : shared_(std::move(shared)) {}
  // Shows each word that is left, after all steps but those of prefixes.
  void for_each_word(std::string_view text,
                     const std::function<void(std::string word)>& visit) const;

  std::shared_ptr<const Shared> shared_;
};

// What the tokens of a text depend on besides parameters: an index of another version is made anew.
std::string version();

}  // namespace asyncstore::text
