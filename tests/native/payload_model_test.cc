// Random payloads and paths against a model: the same operations on a tree, as plainly as can be.
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <utility>

#include "payload_text.h"

using namespace asyncstore::payload;

namespace {

using Random = std::mt19937_64;

struct Tree {
  char kind = 's';  // '{', '[' or a scalar
  std::string scalar = "null";
  std::vector<std::pair<std::string, Tree>> children = {};  // elements have empty keys

  Tree* find(const std::string& key) {
    const auto found = std::find_if(children.begin(), children.end(),
                                    [&](const auto& child) { return child.first == key; });
    return found == children.end() ? nullptr : &found->second;
  }
  std::string text() const {
    if (kind == 's') {
      return scalar;
    }
    std::string out(1, kind);
    for (const auto& [key, child] : children) {
      out += out.size() == 1 ? "" : ",";
      out += kind == '{' ? "\"" + key + "\":" + child.text() : child.text();
    }
    return out + (kind == '{' ? '}' : ']');
  }
};

bool applies(const Step& step, size_t index) {
  return step.kind == Step::Kind::every || step.index == index;
}

void merge_tree(Tree& target, const Tree& changes) {
  if (target.kind != '{') {
    target = {.kind = '{'};
  }
  for (const auto& [key, value] : changes.children) {
    if (Tree* existing = target.find(key)) {
      *existing = value;
    } else {
      target.children.emplace_back(key, value);
    }
  }
}

void edit_tree(Tree& target, std::span<const Step> steps, const Tree& change, bool merge) {
  if (steps.empty()) {
    merge ? merge_tree(target, change) : static_cast<void>(target = change);
    return;
  }
  const bool by_key = steps[0].kind == Step::Kind::key;
  const char kind = by_key ? '{' : '[';
  if (target.kind != kind) {
    target = {.kind = kind};
  }
  if (by_key) {
    if (target.find(steps[0].key) == nullptr) {
      target.children.emplace_back(steps[0].key, Tree{});
    }
    edit_tree(*target.find(steps[0].key), steps.subspan(1), change, merge);
    return;
  }
  for (size_t i = 0; i < target.children.size(); ++i) {
    if (applies(steps[0], i)) {
      edit_tree(target.children[i].second, steps.subspan(1), change, merge);
    }
  }
}

void remove_tree(Tree& target, std::span<const Step> steps) {
  const bool by_key = steps[0].kind == Step::Kind::key;
  if (target.kind != (by_key ? '{' : '[')) {
    return;
  }
  if (steps.size() == 1) {
    if (by_key) {
      std::erase_if(target.children,
                    [&](const auto& child) { return child.first == steps[0].key; });
    } else if (steps[0].kind == Step::Kind::every) {
      target.children.clear();
    }
    return;
  }
  for (size_t i = 0; i < target.children.size(); ++i) {
    if (by_key ? target.children[i].first == steps[0].key : applies(steps[0], i)) {
      remove_tree(target.children[i].second, steps.subspan(1));
    }
  }
}

// The steps from the root to a value, with every element numbered.
using Place = std::vector<Step>;

// Whether `steps` name the value at `place` or one it is part of.
bool names(std::span<const Step> steps, const Place& place) {
  return steps.size() <= place.size() &&
         std::equal(steps.begin(), steps.end(), place.begin(), [](const Step& a, const Step& b) {
           return a == b || (a.kind == Step::Kind::every && b.kind == Step::Kind::index);
         });
}

// What is left of the value at `place`; unset if nothing is.
std::optional<Tree> projected_tree(const Tree& source, Place& place, const std::vector<Path>& paths,
                                   bool keep_named) {
  const bool named = std::any_of(paths.begin(), paths.end(),
                                 [&](const Path& path) { return names(path.steps(), place); });
  const bool above = std::any_of(paths.begin(), paths.end(), [&](const Path& path) {
    return path.steps().size() > place.size() &&
           names(std::span(path.steps()).first(place.size()), place);
  });
  if (keep_named ? named : (!named && !above)) {
    return source;
  }
  if (named || !above || (keep_named && source.kind == 's')) {
    return std::nullopt;
  }
  Tree left = source;
  left.children.clear();
  for (size_t i = 0; i < source.children.size(); ++i) {
    const auto& [key, child] = source.children[i];
    place.push_back(source.kind == '{'
                        ? Step{.kind = Step::Kind::key, .key = key}
                        : Step{.kind = Step::Kind::index, .index = static_cast<uint32_t>(i)});
    if (auto kept = projected_tree(child, place, paths, keep_named)) {
      left.children.emplace_back(key, *std::move(kept));
    }
    place.pop_back();
  }
  return left;
}

Tree random_tree(Random& random, int depth, char kind) {
  constexpr const char* k_scalars[] = {
      "1", "1.0", "12345678901234567890123", "\"\\u00e9\"", "null", "true", "\" , \"", "-0e0"};
  Tree tree{.kind = kind, .scalar = k_scalars[random() % std::size(k_scalars)]};
  for (uint64_t i = random() % 4; kind != 's' && i > 0; --i) {
    const char child = depth == 0 ? 's' : "{[s"[random() % 3];
    std::string key = kind == '{' ? std::string(1, static_cast<char>('a' + random() % 3)) : "";
    if (kind == '[' || tree.find(key) == nullptr) {
      tree.children.emplace_back(std::move(key), random_tree(random, depth - 1, child));
    }
  }
  return tree;
}

std::string random_path(Random& random) {
  std::string path(1, static_cast<char>('a' + random() % 3));
  for (uint64_t i = random() % 4; i > 0; --i) {
    constexpr const char* k_steps[] = {".a", ".b", ".c", "[]", "[0]", "[1]"};
    path += k_steps[random() % std::size(k_steps)];
  }
  return path;
}

}  // namespace

TEST_CASE("payload model: edits, removals and projections do as on a tree") {
  constexpr uint64_t k_seed = 14;
  CAPTURE(k_seed);
  Random random(k_seed);
  for (int i = 0; i < 20'000; ++i) {
    CAPTURE(i);
    const Tree payload = random_tree(random, 4, '{');
    const Tree change = random_tree(random, 2, '{');
    const Tree value = random_tree(random, 2, "{[s"[random() % 3]);
    const std::vector<std::string> texts = {random_path(random), random_path(random)};
    const std::vector<Path> paths = paths_of(texts);
    CAPTURE(payload.text());
    CAPTURE(change.text());
    CAPTURE(texts[0]);
    CAPTURE(texts[1]);

    Tree expected = payload;
    merge_tree(expected, change);
    CHECK(merged(payload.text(), change.text()) == expected.text());
    expected = payload;
    edit_tree(expected, paths[0].steps(), change, true);
    CHECK(merged_at(payload.text(), texts[0], change.text()) == expected.text());
    CHECK(merged_at(expected.text(), texts[0], change.text()) == expected.text());
    expected = payload;
    edit_tree(expected, paths[0].steps(), value, false);
    CHECK(replaced_at(payload.text(), texts[0], value.text()) == expected.text());
    expected = payload;
    remove_tree(expected, paths[0].steps());
    remove_tree(expected, paths[1].steps());
    CHECK(removed(payload.text(), texts) == expected.text());
    CHECK(removed(expected.text(), texts) == expected.text());

    Place root;
    CHECK(included(payload.text(), texts) == projected_tree(payload, root, paths, true)->text());
    CHECK(excluded(payload.text(), texts) == projected_tree(payload, root, paths, false)->text());
  }
}
