// What a filter asks of texts, by the indexes that there are.
#pragma once

#include "engine/field_indexes.h"
#include "filter/filter.h"

namespace asyncstore::engine {

// Puts tokens (filter::MatchTokens) in place of texts where the field has an index of text, ready
// or being made; the filter's key then says of which index. Of a nested condition the field is the
// whole path, as `a[].b`. A filter means what it meant when this was done, whatever becomes of the
// indexes.
void bind_texts(filter::Filter& filter, const FieldIndexes& indexes);

}  // namespace asyncstore::engine
