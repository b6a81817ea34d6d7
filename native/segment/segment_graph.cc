// The graph over the codes of a sealed segment, and its file.
#include <algorithm>
#include <thread>
#include <utility>

#include "segment/segment.h"
#include "segment/segment_format.h"

namespace asyncstore::segment {

using base::Result;
using base::Status;
using index::Graph;

bool Segment::wants_graph(uint32_t rows) const {
  return quantizer_ != nullptr && field_.graph.m > 0 && rows > 1 &&
         uint64_t{rows} * layout_.row_bytes() >= field_.graph.full_scan_threshold_bytes;
}

Graph::Options Segment::graph_options() const {
  return {.m = field_.graph.m,
          .ef_construct = field_.graph.ef_construct,
          .seed = options_.id,
          .threads = std::min(field_.graph.threads, std::thread::hardware_concurrency())};
}

void Segment::use_graph(std::unique_ptr<const Graph> graph) {
  ASSERT(this->graph() == nullptr);
  graph_owner_ = std::move(graph);
  graph_.store(graph_owner_.get(), std::memory_order_release);
}

Status Segment::write_graph(const std::string& path) const {
  const Graph& written = *graph();
  TRY_ASSIGN(auto file,
             io::CheckedFileWriter::create(*storage_, path, {k_graph_magic, options_.owner},
                                           {options_.id, written.row_count(), written.m(), 0}));
  TRY(file.append(written.bytes()));
  return file.finish();
}

// The file of the graph, if it is that of this segment with so many rows.
Result<io::CheckedFile> Segment::open_graph(uint32_t rows) const {
  TRY_ASSIGN(io::CheckedFile file,
             io::CheckedFile::open(*storage_, path("graph"), {k_graph_magic, options_.owner}));
  const auto [segment, file_rows, m, zero] = file.fields();
  if (segment != options_.id || file_rows != rows) {
    return base::corruption(file.path(), 24, "the header belongs to another segment");
  }
  return file;
}

Status Segment::load_graph(uint32_t rows) {
  if (quantizer_ == nullptr || !storage_->exists(path("graph"))) {
    return {};
  }
  TRY_ASSIGN(const io::CheckedFile file, open_graph(rows));
  const uint64_t bytes = file.payload_bytes();
  base::Region region(bytes, bytes >= k_huge_region_bytes);
  if (!region.grow(bytes)) {
    return no_memory(path("graph"));
  }
  TRY(file.read(0, base::MutableBytes(region.as<std::byte>(), bytes)));
  TRY_ASSIGN(auto loaded, Graph::load(std::move(region), bytes, file.path()));
  if (loaded->row_count() != rows) {
    return base::corruption(file.path(), 72, "the graph has another number of rows");
  }
  use_graph(std::move(loaded));
  return {};
}

Status Segment::check_graph() const {
  TRY(open_graph(rows_));
  return io::check_file(*storage_, path("graph"));
}

}  // namespace asyncstore::segment
