// Operations on payloads: the UTF-8 texts of JSON objects.
//
// Values are moved as fragments of text and never converted: integers of any length, 1.0 and 1,
// escapes, the order of keys come out byte for byte as they went in. Whitespace between tokens is
// dropped. All functions are pure: the same bytes give the same bytes, on any machine and with any
// version of the parser; any thread may call them.
//
// A stored payload of size 0 counts as {}. Every text given is checked in full, whoever checked it
// before; one that is not valid JSON, or that is beyond the limits (payload/limits.h), is
// Code::invalid_argument with a message that says what and at which byte. So is a result beyond the
// limits. After an error nothing is left behind.
//
// A key that stands twice in one object counts once where the object is merged into: at its first
// place, with its last value. Elsewhere both stay. Keys are compared by what they mean: "\u0061" is
// "a". The existing spelling stays.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "payload/path.h"

namespace asyncstore::payload {

// Whether `text` is one JSON object within the limits. Lone surrogates (\ud800) are refused: they
// stand for no character, so that no key and no filter could ever match them.
base::Status check(base::Bytes text);

// `payload` with the top-level members of the object `changes` set: a key that is there keeps its
// place and gets the new value, others are appended in the order given. null is a value as any
// other. Repeating it changes nothing.
base::Result<std::vector<std::byte>> merge(base::Bytes payload, base::Bytes changes);

// The same inside the object at `path`. What is missing on the way is created, and what is of
// another kind than the path says is replaced: by an object where a key follows, by an empty array
// where [] or [i] follows (nothing is created inside it). [] goes into every element, [i] into one;
// outside of the array nothing happens. At the end of the path anything but an object is replaced
// by the changes. Repeating it changes nothing.
// Error also where steps of the path and depth of the changes add up to more than the depth
// allowed, whatever is in the payload.
base::Result<std::vector<std::byte>> merge_at(base::Bytes payload, const Path& path,
                                              base::Bytes changes);

// The same, but what stands at the end of the path is replaced by `value`, any JSON value.
base::Result<std::vector<std::byte>> replace_at(base::Bytes payload, const Path& path,
                                                base::Bytes value);

// `payload` without what the paths name; what is absent is ignored. `a[].b` removes b from every
// element; `a[]` empties the array; `a[0]` as the end of a path is ignored, because elements move
// up and repeating it would remove others. At most k_payload_paths_max paths.
base::Result<std::vector<std::byte>> remove(base::Bytes payload, std::span<const Path> paths);

// For reading: only what the paths name. `a[].b` keeps only b in each element, `a[0]` only that
// element. Objects and arrays on the way are kept, empty if need be; scalars on the way are not
// named and go. At most k_payload_paths_max paths.
base::Result<std::vector<std::byte>> include(base::Bytes payload, std::span<const Path> paths);

// For reading: all but what the paths name. As remove(), but `a[0]` drops the element; all paths
// mean the payload as it is stored.
base::Result<std::vector<std::byte>> exclude(base::Bytes payload, std::span<const Path> paths);

}  // namespace asyncstore::payload
