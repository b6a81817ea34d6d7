#include "fields/answers.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "fields/geo_answer.h"
#include "fields/keys.h"
#include "fields/slots_within.h"

namespace asyncstore::fields {

using filter::MatchText;
using filter::SlotSet;
using filter::ValueSet;

namespace {

// Tests of a text's inside look at every term; beyond so many that is left to others.
constexpr uint32_t k_terms_read_max = 4096;
// Slots whose keys are looked at in the time of finding the slots of one key.
constexpr uint64_t k_search_slots = 16;

// Kinds that hold all that a value set can name of their type.
bool has_lookup(const Schema& schema) {
  return is_of_strings(schema.kind) || schema.kind == Kind::boolean ||
         (schema.kind == Kind::integer && schema.lookup);
}

// --- the values of a set, as the index sees them ---

// Ascending.
std::vector<uint64_t> held_keys(const Content& content, const ValueSet& set) {
  std::vector<uint64_t> keys;
  switch (content.schema().kind) {
    case Kind::integer:
      for (const int64_t value : set.integers()) {
        keys.push_back(key_of(value));
      }
      break;
    case Kind::boolean:
      for (const bool value : {false, true}) {
        if (set.contains(value)) {
          keys.push_back(value ? 1 : 0);
        }
      }
      break;
    default:
      for (const std::string_view text : set.strings()) {
        const bool uuid = content.schema().kind == Kind::uuid;
        if (const auto term =
                uuid ? content.terms().find(uuid_term(text)) : content.terms().find(text)) {
          keys.push_back(*term);
        }
      }
      std::sort(keys.begin(), keys.end());
  }
  return keys;
}

// Whether a value that the index does not hold, with this flag, may be in the set.
bool may_hold(const Content& content, const ValueSet& set, Flag foreign) {
  const Kind kind = content.schema().kind;
  switch (foreign) {
    case Flag::foreign_text:
      return kind == Kind::uuid
                 ? std::any_of(set.strings().begin(), set.strings().end(),
                               [](const auto& text) { return uuid_term(text).empty(); })
                 : kind != Kind::keyword && !set.strings().empty();
    case Flag::foreign_number:
      return kind != Kind::integer && !set.integers().empty();
    default:
      return kind != Kind::boolean && (set.contains(true) || set.contains(false));
  }
}

constexpr Flag k_foreign[] = {Flag::foreign_text, Flag::foreign_number, Flag::foreign_other};

bool has_inside(const MatchText& match, std::string_view text) {
  const auto holds = [&](const std::string& part) {
    return text.find(part) != std::string_view::npos;
  };
  return match.kind == MatchText::Kind::any
             ? std::any_of(match.words.begin(), match.words.end(), holds)
             : holds(match.text);
}

// Ascending; nothing where finding them would take long.
std::optional<std::vector<uint64_t>> terms_with(const Terms& terms, const MatchText& match) {
  std::vector<uint64_t> found;
  if (match.kind == MatchText::Kind::prefix) {
    terms.ascending(match.text, [&](uint32_t term) {
      const bool fits = terms.text(term).starts_with(match.text);
      if (fits) {
        found.push_back(term);
      }
      return fits;
    });
  } else if (terms.count() > k_terms_read_max) {
    return std::nullopt;
  } else {
    terms.ascending({}, [&](uint32_t term) {
      if (has_inside(match, terms.text(term))) {
        found.push_back(term);
      }
      return true;
    });
  }
  std::sort(found.begin(), found.end());
  return found;
}

// --- the tokens of a query, as the index sees them: ascending ---

std::vector<uint64_t> keys_of_some(const Content& content, const std::vector<std::string>& tokens) {
  std::vector<uint64_t> keys;
  for (const std::string& token : tokens) {
    if (const auto term = content.terms().find(token)) {
      keys.push_back(*term);
    }
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

// None where a token is in no text, or there is no token.
std::vector<uint64_t> keys_of_all(const Content& content, const std::vector<std::string>& tokens) {
  const bool known = std::all_of(tokens.begin(), tokens.end(), [&](const std::string& token) {
    return content.terms().find(token).has_value();
  });
  return known ? keys_of_some(content, tokens) : std::vector<uint64_t>();
}

// --- answers ---

class Answering {
 public:
  Answering(const Content& content, uint32_t slots) : content_(content), slots_(slots) {}

  std::optional<Answer> operator()(const filter::MatchAny& test) const {
    if (!has_lookup(content_.schema())) {
      return std::nullopt;
    }
    Answer answer = exact(with_one_of(held_keys(content_, test.values)));
    for (const Flag foreign : k_foreign) {
      if (may_hold(content_, test.values, foreign)) {
        content_.marked(foreign).add_to(answer.possible);
      }
    }
    return answer;
  }

  std::optional<Answer> operator()(const filter::MatchExcept& test) const {
    if (!has_lookup(content_.schema())) {
      return std::nullopt;
    }
    const std::vector<uint64_t> keys = held_keys(content_, test.values);
    const SlotSet excluded = with_one_of(keys);
    SlotSet others = content_.column().valued().slots(slots_);
    others -= excluded;
    add_several(content_, excluded, others,
                [&](uint64_t key) { return !std::binary_search(keys.begin(), keys.end(), key); });
    Answer answer = exact(std::move(others));
    for (const Flag foreign : k_foreign) {
      content_.marked(foreign).add_to(answer.possible);
      if (!may_hold(content_, test.values, foreign)) {
        content_.marked(foreign).add_to(answer.sure);
      }
    }
    return answer;
  }

  std::optional<Answer> operator()(const MatchText& test) const {
    const auto terms =
        content_.schema().kind == Kind::keyword ? terms_with(content_.terms(), test) : std::nullopt;
    return terms ? std::optional(exact(with_one_of(*terms))) : std::nullopt;
  }

  // Where the tokens of a phrase are in a text is not known.
  std::optional<Answer> operator()(const filter::MatchTokens& test) const {
    using Kind = text::Query::Kind;
    if (content_.schema().analyzer != test.analyzer) {
      return std::nullopt;
    }
    const bool any = test.kind == Kind::any;
    const auto keys =
        any ? keys_of_some(content_, test.tokens) : keys_of_all(content_, test.tokens);
    Answer answer = exact(any ? with_one_of(keys) : with_all_of(keys));
    if (test.kind == Kind::phrase && test.tokens.size() > 1) {
      answer.sure = SlotSet(slots_);
    }
    return answer;
  }

  std::optional<Answer> operator()(const filter::NumberRange& test) const {
    if (content_.schema().kind == Kind::integer && content_.schema().range) {
      Answer answer = exact(within(integer_keys(test.bounds)));
      content_.marked(Flag::foreign_number).add_to(answer.possible);
      return answer;
    }
    if (content_.schema().kind == Kind::real) {
      const RealKeys keys = real_keys(test.bounds);
      Answer answer = exact(within(keys.sure));
      if (keys.possible != keys.sure) {
        answer.possible = within(keys.possible);
      }
      return answer;
    }
    return std::nullopt;
  }

  std::optional<Answer> operator()(const filter::DatetimeRange& test) const {
    return content_.schema().kind == Kind::datetime
               ? std::optional(exact(within(integer_keys(test.bounds))))
               : std::nullopt;
  }

  std::optional<Answer> operator()(const filter::GeoBox& test) const { return geo(test); }
  std::optional<Answer> operator()(const filter::GeoRadius& test) const { return geo(test); }
  std::optional<Answer> operator()(const filter::GeoPolygon& test) const { return geo(test); }

  std::optional<Answer> operator()(const filter::ValuesCount&) const { return std::nullopt; }
  std::optional<Answer> operator()(const filter::IsEmpty& test) const {
    return flagged(Flag::is_empty, test.wanted);
  }
  std::optional<Answer> operator()(const filter::IsNull& test) const {
    return flagged(Flag::has_null, test.wanted);
  }

 private:
  static Answer exact(SlotSet set) {
    SlotSet copy = set;
    return {std::move(copy), std::move(set)};
  }

  std::optional<Answer> geo(const auto& shape) const {
    if (content_.schema().kind != Kind::geo) {
      return std::nullopt;
    }
    auto [sure, possible] = places_within(content_, shape, slots_);
    return Answer{std::move(sure), std::move(possible)};
  }

  std::optional<Answer> flagged(Flag flag, bool wanted) const {
    if (wanted) {
      return exact(content_.marked(flag).slots(slots_));
    }
    SlotSet others = content_.marked(Flag::present).slots(slots_);
    content_.marked(flag).remove_from(others);
    return exact(std::move(others));
  }

  // Slots with one of the keys, which ascend.
  SlotSet with_one_of(const std::vector<uint64_t>& keys) const {
    if (keys.size() > content_.column().valued().count() / k_search_slots) {
      SlotSet set(slots_);
      content_.column().valued().slots(slots_).for_each([&](uint32_t slot) {
        const auto held = content_.column().keys(slot);
        if (std::any_of(held.begin(), held.end(), [&](uint64_t key) {
              return std::binary_search(keys.begin(), keys.end(), key);
            })) {
          set.add(slot);
        }
      });
      return set;
    }
    std::vector<KeyRange> ranges;
    ranges.reserve(keys.size());
    uint64_t inside = 0;
    for (const uint64_t key : keys) {
      ranges.push_back(KeyRange::one(key));
      inside += content_.postings().count(ranges.back());
    }
    return slots_within(content_, ranges, inside, slots_);
  }

  // Slots with every one of the keys, which ascend; none without keys. Where one key has few slots,
  // these are looked at, else the slots of all keys.
  SlotSet with_all_of(const std::vector<uint64_t>& keys) const {
    SlotSet set(slots_);
    if (keys.empty()) {
      return set;
    }
    uint64_t rarest = keys.front();
    uint64_t others = 0;
    for (const uint64_t key : keys) {
      others += count_of(key);
      rarest = count_of(key) < count_of(rarest) ? key : rarest;
    }
    content_.postings().add_to(KeyRange::one(rarest), set);
    if (count_of(rarest) * k_search_slots < others) {
      SlotSet candidates = set;
      candidates.for_each([&](uint32_t slot) {
        const auto held = content_.column().keys(slot);
        if (!std::includes(held.begin(), held.end(), keys.begin(), keys.end())) {
          set.remove(slot);
        }
      });
      return set;
    }
    for (const uint64_t key : keys) {
      SlotSet with_key(slots_);
      content_.postings().add_to(KeyRange::one(key), with_key);
      set &= with_key;
    }
    return set;
  }

  uint64_t count_of(uint64_t key) const { return content_.postings().count(KeyRange::one(key)); }

  SlotSet within(KeyRange range) const {
    if (range.empty()) {
      return SlotSet(slots_);
    }
    return slots_within(content_, std::span(&range, 1), content_.postings().count(range), slots_);
  }

  const Content& content_;
  const uint32_t slots_;
};

// --- estimates ---

class Estimating {
 public:
  explicit Estimating(const Content& content) : content_(content) {}

  std::optional<uint64_t> operator()(const filter::MatchAny& test) const {
    if (!has_lookup(content_.schema())) {
      return std::nullopt;
    }
    uint64_t count = 0;
    for (const uint64_t key : held_keys(content_, test.values)) {
      count += content_.postings().count(KeyRange::one(key));
    }
    for (const Flag foreign : k_foreign) {
      count += may_hold(content_, test.values, foreign) ? content_.marked(foreign).count() : 0;
    }
    return std::min(count, present());
  }
  std::optional<uint64_t> operator()(const filter::MatchExcept&) const {
    return has_lookup(content_.schema()) ? std::optional(present()) : std::nullopt;
  }
  std::optional<uint64_t> operator()(const MatchText&) const { return valued(Kind::keyword); }
  std::optional<uint64_t> operator()(const filter::MatchTokens& test) const {
    if (content_.schema().analyzer != test.analyzer) {
      return std::nullopt;
    }
    const bool any = test.kind == text::Query::Kind::any;
    const auto keys =
        any ? keys_of_some(content_, test.tokens) : keys_of_all(content_, test.tokens);
    uint64_t most = 0;
    uint64_t least = keys.empty() ? 0 : present();
    for (const uint64_t key : keys) {
      const uint64_t count = content_.postings().count(KeyRange::one(key));
      most += count;
      least = std::min(least, count);
    }
    return any ? std::min(most, present()) : least;
  }
  std::optional<uint64_t> operator()(const filter::NumberRange& test) const {
    if (content_.schema().kind == Kind::integer && content_.schema().range) {
      return std::min(present(), content_.postings().count(integer_keys(test.bounds)) +
                                     content_.marked(Flag::foreign_number).count());
    }
    return content_.schema().kind == Kind::real
               ? std::optional(std::min(present(),
                                        content_.postings().count(real_keys(test.bounds).possible)))
               : std::nullopt;
  }
  std::optional<uint64_t> operator()(const filter::DatetimeRange& test) const {
    return content_.schema().kind == Kind::datetime
               ? std::optional(
                     std::min(present(), content_.postings().count(integer_keys(test.bounds))))
               : std::nullopt;
  }
  std::optional<uint64_t> operator()(const filter::GeoBox&) const { return valued(Kind::geo); }
  std::optional<uint64_t> operator()(const filter::GeoRadius&) const { return valued(Kind::geo); }
  std::optional<uint64_t> operator()(const filter::GeoPolygon&) const { return valued(Kind::geo); }
  std::optional<uint64_t> operator()(const filter::ValuesCount&) const { return std::nullopt; }
  std::optional<uint64_t> operator()(const filter::IsEmpty& test) const {
    return flagged(Flag::is_empty, test.wanted);
  }
  std::optional<uint64_t> operator()(const filter::IsNull& test) const {
    return flagged(Flag::has_null, test.wanted);
  }

 private:
  uint64_t present() const { return content_.marked(Flag::present).count(); }
  std::optional<uint64_t> valued(Kind kind) const {
    return content_.schema().kind == kind ? std::optional(content_.column().valued().count())
                                          : std::nullopt;
  }
  uint64_t flagged(Flag flag, bool wanted) const {
    const uint64_t marked = content_.marked(flag).count();
    return wanted ? marked : present() - marked;
  }

  const Content& content_;
};

}  // namespace

std::optional<Answer> answer(const Content& content, const filter::Test& test, uint32_t slots) {
  return std::visit(Answering(content, slots), test);
}

std::optional<uint64_t> estimate(const Content& content, const filter::Test& test) {
  return std::visit(Estimating(content), test);
}

}  // namespace asyncstore::fields
