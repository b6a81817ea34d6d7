// Writes a payload anew with the value at a path changed. Contracts are in payload/payload.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "payload/members.h"
#include "payload/outline.h"
#include "payload/output.h"
#include "payload/path.h"

namespace asyncstore::payload {

// What happens at the end of the path.
enum class Change : uint8_t {
  merge,    // the members of the change are set in the object there
  replace,  // the change takes its place
};

// One use: construct, run. Refers to its arguments, which must outlive it. `payload` is outlined
// down to one level more than there are steps, `change` down to one level for a merge.
class Edit {
 public:
  Edit(const Outline& payload, std::span<const Step> steps, Change kind, const Outline& change);

  base::Result<std::vector<std::byte>> run();

 private:
  // Each writes the new text of the payload's value `number`, `step` steps along the path.
  void value(uint32_t number, size_t step);
  void object(uint32_t number, size_t step);
  void array(uint32_t number, size_t step);
  void end(uint32_t number);
  // Writes what stands where there was nothing that the path could go through.
  void created(size_t step);
  void merged(const Members& members);
  void member(std::string_view key_text, std::string_view text);

  const Outline& payload_;
  const std::span<const Step> steps_;
  const Change kind_;
  const Outline& change_;
  Members changes_;  // for a merge
  Output output_;
};

}  // namespace asyncstore::payload
