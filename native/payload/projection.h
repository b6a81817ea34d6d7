// Writes a payload anew with only what some paths name, or without it. Contracts are in
// payload/payload.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "payload/outline.h"
#include "payload/output.h"
#include "payload/path.h"

namespace asyncstore::payload {

enum class Keep : uint8_t {
  named,            // what the paths name, and nothing else
  others,           // everything but what the paths name
  others_in_place,  // the same, but [i] as the end of a path names nothing
};

// One use: construct, run. Refers to its arguments, which must outlive it. `payload` is outlined as
// deep as the longest path has steps.
class Projection {
 public:
  Projection(const Outline& payload, std::span<const Path> paths, Keep keep);

  base::Result<std::vector<std::byte>> run();

 private:
  // What is left of a path below some value: never empty.
  using Rest = std::span<const Step>;
  // What the paths say of a child.
  struct Named {
    bool whole = false;       // a path ends here
    std::vector<Rest> rests;  // of the paths that go on inside it
  };

  void children(uint32_t number, const std::vector<Rest>& rests);
  void child(uint32_t number, const Named& named);
  bool is_kept(uint32_t number, const Named& named) const;
  bool goes_on(uint32_t number, const Named& named) const;
  Named named_member(uint32_t member, const std::vector<Rest>& rests) const;
  Named named_element(uint32_t index, const std::vector<Rest>& rests) const;
  static void follow(Rest rest, Named& named);

  const Outline& payload_;
  const Keep keep_;
  std::vector<Rest> roots_;
  Output output_;
};

}  // namespace asyncstore::payload
