// What the rows of a segment are linked by.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.h"
#include "engine/view.h"
#include "quantize/quantizer.h"
#include "segment/segment.h"

namespace asyncstore::engine {

class Collection;

// The segment's own, or where its codes tell rows apart too coarsely (or slowly) for good links,
// one of half a byte an element.
std::shared_ptr<const quantize::Quantizer> linking_quantizer(const segment::Segment& segment);

// Of the threads that may encode and link its rows.
uint32_t thread_count(const segment::Segment& segment);

// Makes the graph of a sealed segment that has lost it, by the same kind of codes as the one that
// is lost. Shows its progress in the collection; ends early, with Code::closed, when `stopping`
// says so.
base::Status make_graph(Collection& collection, const SegmentView& view,
                        const std::function<bool()>& stopping);

}  // namespace asyncstore::engine
