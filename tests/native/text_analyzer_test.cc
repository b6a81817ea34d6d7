#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "text/analyzer.h"
#include "text/characters.h"
#include "text/stemmer.h"

using namespace asyncstore;
using text::Analyzer;
using text::Parameters;
using text::Tokenizer;

namespace {

using Tokens = std::vector<std::string>;

Analyzer analyzer_of(Parameters parameters) {
  auto made = Analyzer::make(std::move(parameters));
  REQUIRE(made.ok());
  return made.value();
}

Tokens tokens_of(Parameters parameters, std::string_view text) {
  Tokens tokens;
  analyzer_of(std::move(parameters)).analyze(text, [&](uint32_t, std::string token) {
    tokens.push_back(std::move(token));
  });
  return tokens;
}

}  // namespace

TEST_CASE("analyzer: words are runs of letters, numbers and marks") {
  CHECK(tokens_of({}, "The quick-brown FOX, 12 (3.5)!") ==
        Tokens{"the", "quick", "brown", "fox", "12", "3", "5"});
  CHECK(tokens_of({}, "_a_ don't a\u00ADb") == Tokens{"a", "don", "t", "a", "b"});
  CHECK(tokens_of({}, "Grüße aus 東京 ½ Ⅻ") == Tokens{"grüße", "aus", "東京", "½", "ⅻ"});
  CHECK(tokens_of({}, "हिन्दी में") == Tokens{"हिन्दी", "में"});
  CHECK(tokens_of({}, "e\u0301te\u0301 \u0301x") == Tokens{"e\u0301te\u0301", "x"});
  CHECK(tokens_of({}, "1\uFE0F\u20E3 ❤\uFE0F").front() == "1");
  CHECK(tokens_of({}, "").empty());
  CHECK(tokens_of({}, " \n…—").empty());
}

TEST_CASE("analyzer: bytes that are no UTF-8 part words") {
  CHECK(tokens_of({}, "a\xFFz b\xC3") == Tokens{"a", "z", "b"});
}

TEST_CASE("analyzer: whatever the bytes are, tokens have their lengths") {
  const uint64_t seed = 7;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const std::vector<std::string> languages = text::Stemmer::languages();
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random() % 40, ' ');
    for (char& byte : bytes) {
      // Half of them such as texts have, with characters of several bytes.
      constexpr std::string_view k_usual = "aA1 \xC3\xA4\xCC\x81\xE6\x9D\xB1\xF0\x9F";
      byte = random() % 2 == 0 ? k_usual[random() % k_usual.size()] : static_cast<char>(random());
    }
    Parameters parameters{.tokenizer = static_cast<Tokenizer>(random() % text::k_tokenizers),
                          .min_token_len = static_cast<uint32_t>(random() % 3),
                          .max_token_len = static_cast<uint32_t>(2 + random() % 4),
                          .lowercase = random() % 2 == 0,
                          .ascii_folding = random() % 2 == 0};
    if (random() % 2 == 0) {
      parameters.stemmer = languages[random() % languages.size()];
    }
    for (const std::string& token : tokens_of(parameters, bytes)) {
      CHECK(!token.empty());
      CHECK(text::count_characters(token) >= parameters.min_token_len);
      CHECK(text::count_characters(token) <= parameters.max_token_len);
    }
  }
}

TEST_CASE("analyzer: white space alone parts the tokens of that tokenizer") {
  CHECK(tokens_of({.tokenizer = Tokenizer::whitespace},
                  " C++\u00A0is\u3000don't \x0B\x1C a\u0085b") ==
        Tokens{"c++", "is", "don't", "\x1C", "a", "b"});
}

TEST_CASE("analyzer: scripts without spaces, a character a token") {
  CHECK(tokens_of({.tokenizer = Tokenizer::multilingual}, "東京tower 2は か\u3099 서울 x") ==
        Tokens{"東", "京", "tower", "2", "は", "か\u3099", "서울", "x"});
  CHECK(tokens_of({.tokenizer = Tokenizer::multilingual}, "a東b") == Tokens{"a", "東", "b"});
}

TEST_CASE("analyzer: prefixes of what is indexed, the longest of what is looked for") {
  const Parameters prefixes{.tokenizer = Tokenizer::prefix, .min_token_len = 2, .max_token_len = 4};
  CHECK(tokens_of(prefixes, "Grüße a it") == Tokens{"gr", "grü", "grüß", "it"});
  CHECK(analyzer_of(prefixes).tokens_of_query("Grüße a it") == Tokens{"grüß", "it"});
  const Parameters all{.tokenizer = Tokenizer::prefix};
  CHECK(tokens_of(all, "abc") == Tokens{"a", "ab", "abc"});
  // One word does not take the square of its size.
  const std::string word(100'000, 'x');
  const Tokens tokens = tokens_of(all, word);
  CHECK(tokens.size() == text::k_prefix_len_max);
  CHECK(tokens.back().size() == text::k_prefix_len_max);
  CHECK(analyzer_of(all).tokens_of_query(word) == Tokens{tokens.back()});
}

TEST_CASE("analyzer: tokens of one word have one number") {
  std::vector<uint32_t> words;
  analyzer_of({.tokenizer = Tokenizer::prefix, .stopwords = {"the"}})
      .analyze("of the ab", [&](uint32_t word, const std::string&) { words.push_back(word); });
  CHECK(words == std::vector<uint32_t>{0, 0, 1, 1});
}

TEST_CASE("analyzer: limits of length count characters, after all else") {
  CHECK(tokens_of({.min_token_len = 2, .max_token_len = 3}, "a öö äöü äöüß abc abcd") ==
        Tokens{"öö", "äöü", "abc"});
  // "ß" becomes two characters, and the stemmer takes some away.
  CHECK(tokens_of({.min_token_len = 2, .ascii_folding = true}, "ß") == Tokens{"ss"});
  CHECK(tokens_of({.max_token_len = 3, .stemmer = "english"}, "cats catalogue") == Tokens{"cat"});
}

TEST_CASE("analyzer: stop words are compared as tokens are") {
  CHECK(tokens_of({.stopwords = {"The", "für"}}, "the THE für FÜR fur") == Tokens{"fur"});
  CHECK(tokens_of({.ascii_folding = true, .stopwords = {"für"}}, "FÜR fur x") == Tokens{"x"});
  CHECK(tokens_of({.lowercase = false, .stopwords = {"The"}}, "The the") == Tokens{"the"});
}

TEST_CASE("analyzer: the stemmer comes after stop words") {
  CHECK(tokens_of({.stemmer = "english", .stopwords = {"run"}}, "Running run runs") ==
        Tokens{"run", "run"});
  CHECK(tokens_of({.stemmer = "german"}, "Häuser") == Tokens{"haus"});
}

TEST_CASE("analyzer: a stemmer that there is not is refused with those that there are") {
  const auto made = Analyzer::make({.stemmer = "klingon"});
  REQUIRE(!made.ok());
  CHECK(made.error().code == base::Code::invalid_argument);
  CHECK(made.error().message.find("english, ") != std::string::npos);
  CHECK(made.error().message.find("'klingon'") != std::string::npos);
  // An alias of Snowball's is no name of ours.
  CHECK(!Analyzer::make({.stemmer = "en"}).ok());
}

TEST_CASE("analyzer: equal by parameters, each with a number of its own") {
  const Analyzer a = analyzer_of({.stopwords = {"x"}});
  const Analyzer b = analyzer_of({.stopwords = {"x"}});
  CHECK(a == b);
  CHECK(a.number() != b.number());
  CHECK(Analyzer(a).number() == a.number());
  CHECK(!(a == analyzer_of({.stopwords = {"y"}})));
}

TEST_CASE("characters: lower case is the full mapping") {
  CHECK(text::lowercase("AZaz[`{@") == "azaz[`{@");
  CHECK(text::lowercase("ÄÖÜẞ ДЖ Ǆ") == "äöüß дж ǆ");
  CHECK(text::lowercase("İ") == "i\u0307");
  CHECK(text::lowercase("ΟΔΟΣ ΣΑΣ Σ") == "οδος σας σ");
  CHECK(text::lowercase("Ο\u0301Σ\u0301Α ΟΣ\u0301") == "ο\u0301σ\u0301α ος\u0301");
}

TEST_CASE("characters: folding to ASCII leaves what is not Latin") {
  CHECK(text::folded_to_ascii("ação Ångström ệ") == "acao Angstrom e");
  CHECK(text::folded_to_ascii("Straße Øre Łódź Æsir þorn œuvre ẞ") ==
        "Strasse Ore Lodz AEsir thorn oeuvre SS");
  CHECK(text::folded_to_ascii("ǿ ﬁ ① x\u0301") == "o fi 1 x");
  CHECK(text::folded_to_ascii("й で 東 हि ½") == "й で 東 हि ½");
}

TEST_CASE("stemmer: its languages are names, in order") {
  const auto languages = text::Stemmer::languages();
  CHECK(std::is_sorted(languages.begin(), languages.end()));
  for (const char* language :
       {"arabic", "armenian", "danish", "dutch", "english", "finnish", "french", "german", "greek",
        "hungarian", "italian", "norwegian", "portuguese", "romanian", "russian", "spanish",
        "swedish", "tamil", "turkish"}) {
    CHECK(text::Stemmer::has(language));
  }
}

TEST_CASE("text parameters: what was put is what is taken, and nothing else") {
  const Parameters parameters{.tokenizer = Tokenizer::prefix,
                              .min_token_len = 2,
                              .max_token_len = 7,
                              .lowercase = false,
                              .ascii_folding = true,
                              .stemmer = "french",
                              .stopwords = {"le", "", "été"}};
  base::ByteWriter writer;
  text::put(writer, parameters);
  base::ByteReader reader(writer.bytes());
  const auto taken = text::take_parameters(reader);
  REQUIRE(taken.has_value());
  CHECK(*taken == parameters);
  CHECK(reader.remaining() == 0);
  for (size_t size = 0; size < writer.size(); ++size) {
    base::ByteReader cut(writer.bytes().first(size));
    CHECK(!text::take_parameters(cut).has_value());
  }
  for (const size_t at : {0, 1}) {
    std::vector<std::byte> bytes(writer.bytes().begin(), writer.bytes().end());
    bytes[at] = std::byte{4};
    base::ByteReader wrong(bytes);
    CHECK(!text::take_parameters(wrong).has_value());
  }
}
