#include "payload/edit.h"

#include "payload/token.h"

namespace asyncstore::payload {

Edit::Edit(const Outline& payload, std::span<const Step> steps, Change kind, const Outline& change)
    : payload_(payload), steps_(steps), kind_(kind), change_(change) {
  if (kind == Change::merge) {
    changes_ = Members(change, 0);
  }
}

base::Result<std::vector<std::byte>> Edit::run() {
  value(0, 0);
  return output_.take();
}

// Recursion: at most one call a step, and a path has at most k_payload_depth_max.
void Edit::value(uint32_t number, size_t step) {
  if (step == steps_.size()) {
    end(number);
  } else if (steps_[step].kind == Step::Kind::key) {
    payload_.is_object(number) ? object(number, step) : created(step);
  } else {
    payload_.is_array(number) ? array(number, step) : created(step);
  }
}

void Edit::object(uint32_t number, size_t step) {
  const Members members(payload_, number);
  Commas commas(output_);
  output_.put("{");
  for (const Members::Member& each : members.all()) {
    commas.next();
    output_.put(payload_.key_text(each.number));
    output_.put(":");
    if (each.key == steps_[step].key) {
      value(each.number, step + 1);
    } else {
      output_.put(payload_.text(each.number));
    }
  }
  if (members.find(steps_[step].key) == nullptr) {
    commas.next();
    output_.put(encode_string(steps_[step].key));
    output_.put(":");
    created(step + 1);
  }
  output_.put("}");
}

void Edit::array(uint32_t number, size_t step) {
  const bool every = steps_[step].kind == Step::Kind::every;
  const uint32_t end = payload_.after(number);
  Commas commas(output_);
  output_.put("[");
  uint32_t index = 0;
  for (uint32_t i = Outline::first_child(number); i < end && !output_.full();
       i = payload_.after(i)) {
    commas.next();
    if (every || index == steps_[step].index) {
      value(i, step + 1);
    } else {
      output_.put(payload_.text(i));
    }
    ++index;
  }
  output_.put("]");
}

void Edit::end(uint32_t number) {
  if (kind_ == Change::merge && payload_.is_object(number)) {
    merged(Members(payload_, number));
  } else {
    created(steps_.size());
  }
}

void Edit::created(size_t step) {
  if (step == steps_.size()) {
    kind_ == Change::merge ? merged(Members()) : output_.put(change_.text(0));
  } else if (steps_[step].kind == Step::Kind::key) {
    output_.put("{");
    output_.put(encode_string(steps_[step].key));
    output_.put(":");
    created(step + 1);
    output_.put("}");
  } else {
    output_.put("[]");
  }
}

void Edit::merged(const Members& members) {
  Commas commas(output_);
  output_.put("{");
  for (const Members::Member& each : members.all()) {
    const Members::Member* changed = changes_.find(each.key);
    commas.next();
    member(payload_.key_text(each.number),
           changed == nullptr ? payload_.text(each.number) : change_.text(changed->number));
  }
  for (const Members::Member& added : changes_.all()) {
    if (members.find(added.key) == nullptr) {
      commas.next();
      member(change_.key_text(added.number), change_.text(added.number));
    }
  }
  output_.put("}");
}

void Edit::member(std::string_view key_text, std::string_view text) {
  output_.put(key_text);
  output_.put(":");
  output_.put(text);
}

}  // namespace asyncstore::payload
