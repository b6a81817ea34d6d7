#include "payload/projection.h"

#include <algorithm>

namespace asyncstore::payload {

Projection::Projection(const Outline& payload, std::span<const Path> paths, Keep keep)
    : payload_(payload), keep_(keep) {
  for (const Path& path : paths) {
    const bool by_index = path.steps().back().kind == Step::Kind::index;
    if (keep != Keep::others_in_place || !by_index) {
      roots_.emplace_back(path.steps());
    }
  }
}

base::Result<std::vector<std::byte>> Projection::run() {
  children(0, roots_);
  return output_.take();
}

// Writes the object or array `number`. Recursion: one call a step of the longest path.
void Projection::children(uint32_t number, const std::vector<Rest>& rests) {
  const bool object = payload_.is_object(number);
  const uint32_t end = payload_.after(number);
  const bool by_index = std::any_of(
      rests.begin(), rests.end(), [](Rest rest) { return rest.front().kind == Step::Kind::index; });
  Named named;
  Commas commas(output_);
  output_.put(object ? "{" : "[");
  uint32_t index = 0;
  for (uint32_t i = Outline::first_child(number); i < end; i = payload_.after(i)) {
    // Elements are all alike unless a path tells them apart.
    if (object) {
      named = named_member(i, rests);
    } else if (index == 0 || by_index) {
      named = named_element(index, rests);
    }
    ++index;
    if (is_kept(i, named)) {
      commas.next();
      if (object) {
        output_.put(payload_.key_text(i));
        output_.put(":");
      }
      child(i, named);
    }
  }
  output_.put(object ? "}" : "]");
}

void Projection::child(uint32_t number, const Named& named) {
  if (!named.whole && goes_on(number, named)) {
    children(number, named.rests);
  } else {
    output_.put(payload_.text(number));
  }
}

bool Projection::is_kept(uint32_t number, const Named& named) const {
  if (keep_ == Keep::named) {
    return named.whole || goes_on(number, named);
  }
  return !named.whole;
}

bool Projection::goes_on(uint32_t number, const Named& named) const {
  return !named.rests.empty() && (payload_.is_object(number) || payload_.is_array(number));
}

Projection::Named Projection::named_member(uint32_t member, const std::vector<Rest>& rests) const {
  Named named;
  for (const Rest rest : rests) {
    if (rest.front().kind == Step::Kind::key && payload_.has_key(member, rest.front().key)) {
      follow(rest, named);
    }
  }
  return named;
}

Projection::Named Projection::named_element(uint32_t index, const std::vector<Rest>& rests) const {
  Named named;
  for (const Rest rest : rests) {
    const Step& step = rest.front();
    if (step.kind == Step::Kind::every || (step.kind == Step::Kind::index && step.index == index)) {
      follow(rest, named);
    }
  }
  return named;
}

void Projection::follow(Rest rest, Named& named) {
  if (rest.size() == 1) {
    named.whole = true;
  } else {
    named.rests.push_back(rest.subspan(1));
  }
}

}  // namespace asyncstore::payload
