#include "engine/text_binding.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace asyncstore::engine {

using filter::Condition;
using filter::Filter;
using filter::MatchText;
using payload::Step;

namespace {

class Binding {
 public:
  explicit Binding(const FieldIndexes::List& indexes) : indexes_(indexes) {}

  void bind(Filter& filter) {
    bind(filter.must);
    bind(filter.should);
    bind(filter.must_not);
    if (filter.min_should) {
      bind(filter.min_should->conditions);
    }
  }
  // Of the indexes whose rules were taken, in the order of the conditions.
  const std::vector<uint64_t>& numbers() const { return numbers_; }

 private:
  void bind(std::vector<Condition>& conditions) {
    for (Condition& condition : conditions) {
      if (auto* field = std::get_if<filter::FieldCondition>(&condition.is)) {
        bind(*field);
      } else if (auto* nested = std::get_if<filter::Nested>(&condition.is)) {
        bind(*nested);
      } else if (auto* inner = std::get_if<Filter>(&condition.is)) {
        bind(*inner);
      } else if (auto* shared = std::get_if<filter::Shared>(&condition.is)) {
        bind(*shared);
      }
    }
  }

  // Others have it as it is.
  void bind(filter::Shared& shared) {
    if (shared.has_texts) {
      auto own = std::make_shared<Filter>(*shared.filter);
      bind(*own);
      shared.filter = std::move(own);
    }
  }

  void bind(filter::FieldCondition& condition) {
    const std::vector<Step> path = joined(condition.path);
    const auto found = std::find_if(indexes_.begin(), indexes_.end(), [&](const auto& index) {
      const fields::Schema& schema = index->definition().schema;
      return schema.analyzer && schema.path.steps() == path;
    });
    if (found == indexes_.end()) {
      return;
    }
    const text::Analyzer& analyzer = *(*found)->definition().schema.analyzer;
    for (filter::Test& test : condition.tests) {
      const auto* match = std::get_if<MatchText>(&test);
      if (match != nullptr && match->kind != MatchText::Kind::prefix) {
        test = filter::MatchTokens::of(analyzer, kind_of(match->kind), std::string(match->text));
        numbers_.push_back(analyzer.number());
      }
    }
  }

  // An array's elements are what the inner filter looks at, whether the path says so or not.
  void bind(filter::Nested& nested) {
    std::vector<Step> path = joined(nested.path);
    if (path.back().kind == Step::Kind::key) {
      path.push_back({Step::Kind::every});
    }
    path.swap(root_);
    bind(nested.filter);
    path.swap(root_);
  }

  std::vector<Step> joined(const payload::Path& path) const {
    std::vector<Step> steps = root_;
    steps.insert(steps.end(), path.steps().begin(), path.steps().end());
    return steps;
  }

  static text::Query::Kind kind_of(MatchText::Kind kind) {
    switch (kind) {
      case MatchText::Kind::any:
        return text::Query::Kind::any;
      case MatchText::Kind::phrase:
        return text::Query::Kind::phrase;
      default:
        return text::Query::Kind::all;
    }
  }

  const FieldIndexes::List& indexes_;
  std::vector<Step> root_;  // of the nested condition
  std::vector<uint64_t> numbers_;
};

}  // namespace

void bind_texts(Filter& filter, const FieldIndexes& indexes) {
  const auto list = indexes.list();
  const bool any = std::any_of(list->begin(), list->end(), [](const auto& index) {
    return index->definition().schema.analyzer.has_value();
  });
  if (!any) {
    return;
  }
  Binding binding(*list);
  binding.bind(filter);
  for (const uint64_t number : binding.numbers()) {
    if (!filter.key.empty()) {
      filter.key += " text index " + std::to_string(number);
    }
  }
}

}  // namespace asyncstore::engine
