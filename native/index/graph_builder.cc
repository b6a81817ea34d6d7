#include "index/graph_builder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <numeric>

#include "index/connection.h"
#include "index/row_as_query.h"

namespace asyncstore::index {
namespace {

// A batch is a fiftieth of what is linked already: its rows do not see each other.
constexpr uint32_t k_batch_share = 50;
// Bounds what is kept of a batch.
constexpr uint32_t k_batch_rows_max = 1 << 14;
constexpr uint32_t k_buckets = 256;
constexpr uint32_t k_portion = 8;

// SplitMix64: the same numbers everywhere, which std::shuffle does not promise.
uint64_t next_random(uint64_t& state) {
  uint64_t z = (state += 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

base::Error no_memory() {
  return {base::Code::io, "no memory left to build the graph", {}, 0, ENOMEM};
}

base::Error ended() {
  return {base::Code::closed, "building the graph was ended"};
}

}  // namespace

base::Result<std::unique_ptr<Graph>> Graph::build(uint32_t rows, const RowSimilarity& similarity,
                                                  const Options& options,
                                                  const Progress& progress) {
  ASSERT(rows < k_rows_max && options.ef_construct > 0);
  ASSERT(options.m >= k_m_min && options.m <= k_m_max);
  return GraphBuilder(rows, similarity, options, progress).build();
}

GraphBuilder::GraphBuilder(uint32_t rows, const RowSimilarity& similarity,
                           const Graph::Options& options, const Graph::Progress& progress)
    : rows_(rows),
      similarity_(similarity),
      options_(options),
      progress_(progress),
      crew_(options.threads > 0 ? options.threads
                                : std::max(std::thread::hardware_concurrency(), 1U)),
      members_(crew_.size()) {}

base::Result<std::unique_ptr<Graph>> GraphBuilder::build() {
  TRY(allocate());
  order_rows();
  while (linked_ < rows_) {
    const uint32_t count = std::clamp(linked_ / k_batch_share, 1U, k_batch_rows_max);
    const uint32_t end = std::min(linked_ + count, rows_);
    if (!link_batch(linked_, end)) {
      return ended();
    }
    linked_ = end;
  }
  TRY(connect());
  if (!report(rows_)) {
    return ended();
  }
  return packed();
}

// As it is kept: with no places left for more links.
base::Result<std::unique_ptr<Graph>> GraphBuilder::packed() {
  uint32_t* order = order_.as<uint32_t>();
  std::iota(order, order + rows_, 0U);
  return graph_->renumbered({order, rows_});
}

bool GraphBuilder::report(uint64_t done) {
  done_ = done;
  return !progress_ || progress_(done, rows_);
}

base::Status GraphBuilder::allocate() {
  const GraphLayout layout(rows_, options_.m, std::nullopt);
  base::Region graph(layout.size_bytes, true);
  order_ = base::Region(uint64_t{rows_} * sizeof(uint32_t), true);
  const uint64_t batch = std::min(rows_ / k_batch_share + 1, k_batch_rows_max);
  const uint64_t edges_bytes = batch * options_.m * sizeof(uint64_t);
  edges_ = base::Region(2 * edges_bytes, false);
  if (!graph.grow(layout.size_bytes) || !order_.grow(uint64_t{rows_} * sizeof(uint32_t)) ||
      !edges_.grow(2 * edges_bytes)) {
    return no_memory();
  }
  try {
    for (Member& member : members_) {
      member.walk.reserve(rows_, options_.ef_construct);
    }
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
  graph_.reset(new Graph(std::move(graph), layout));
  for (uint32_t number = 0; number < layout.level_count; ++number) {
    const LevelLayout& level = layout.levels[number];
    std::memset(graph_->level(number).links(0), 0xFF,
                uint64_t{level.rows} * level.links_max * sizeof(uint32_t));
  }
  return {};
}

void GraphBuilder::order_rows() {
  uint32_t* order = order_.as<uint32_t>();
  std::iota(order, order + rows_, 0U);
  uint64_t state = options_.seed;
  for (uint32_t i = rows_; i > 1; --i) {
    std::swap(order[i - 1], order[next_random(state) % i]);
  }
  for (uint32_t number = 1; number < graph_->level_count(); ++number) {
    const Level level = graph_->level(number);
    std::copy(order, order + level.row_count(), level.rows());
    std::sort(level.rows(), level.rows() + level.row_count());
  }
}

base::Status GraphBuilder::connect() {
  if (graph_->level_count() == 1) {
    return {};  // searches begin at all rows
  }
  // The order is not needed any more, and its memory has room for each row once.
  Connection connection(*graph_, similarity_, options_.ef_construct, order_.as<uint32_t>(),
                        members_[0].walk);
  if (!connection.allocate()) {
    return no_memory();
  }
  const auto tick = [&] { return report(rows_); };
  return connection.connect(tick) ? base::Status() : base::Status(ended());
}

bool GraphBuilder::link_batch(uint32_t begin, uint32_t end) {
  uint32_t* order = order_.as<uint32_t>();
  const auto tick = [&](uint32_t begun) { return report(begin + begun); };
  const auto work = [&](uint32_t member, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; ++i) {
      link_row(members_[member], begin + i);
    }
  };
  if (!crew_.run(end - begin, k_portion, work, tick)) {
    return false;
  }
  for (uint32_t number = 0; number < graph_->level_count(); ++number) {
    const uint32_t level_end = std::min(end, graph_->level(number).row_count());
    if (level_end > begin && !link_back(number, {order + begin, order + level_end})) {
      return false;
    }
  }
  return true;
}

void GraphBuilder::link_row(Member& member, uint32_t index) {
  const uint32_t* order = order_.as<uint32_t>();
  const RowAsQuery query(similarity_, order[index]);
  const uint32_t top = graph_->level_count() - 1;
  std::array<uint32_t, k_top_rows_max> starts;
  const uint32_t start_count = std::min(linked_, graph_->level(top).row_count());
  if (start_count == 0) {
    return;
  }
  for (uint32_t i = 0; i < start_count; ++i) {
    starts[i] = graph_->level(top).place(order[i]);
  }
  std::span<const uint32_t> from(starts.data(), start_count);
  for (uint32_t number = top;; --number) {
    const Level level = graph_->level(number);
    const bool in = index < level.row_count() && level.links_max() > 0;
    member.walk.begin(level, in ? options_.ef_construct : 1);
    member.walk.compare(level, query, from);
    while (level.links_max() > 0 && member.walk.step(level, query)) {
    }
    if (in) {
      choose_links(member, level, order[index]);
    }
    if (number == 0) {
      return;
    }
    starts[0] = graph_->level(number - 1).place(level.row(member.walk.nearest().row(0)));
    from = from.first(1);
  }
}

void GraphBuilder::choose_links(Member& member, const Level& level, uint32_t row) {
  const NearestRows& nearest = member.walk.nearest();
  member.candidates.clear();
  for (uint32_t i = 0; i < nearest.size(); ++i) {
    member.candidates.push_back({nearest.similarity(i), nearest.row(i)});
  }
  member.selection.select(level, similarity_, level.place(row), member.candidates, options_.m);
}

bool GraphBuilder::link_back(uint32_t level_number, std::span<const uint32_t> batch) {
  const Level level = graph_->level(level_number);
  uint64_t* unsorted = edges_.as<uint64_t>();
  uint64_t count = 0;
  std::array<uint32_t, k_buckets + 1> ends{};
  const auto bucket_of = [&](uint32_t target) {
    return static_cast<uint32_t>(uint64_t{target} * k_buckets / level.row_count());
  };
  for (const uint32_t row : batch) {
    const uint32_t source = level.place(row);
    const uint32_t* links = level.links(source);
    for (uint32_t i = 0; i < level.links_max() && links[i] != k_no_link; ++i) {
      unsorted[count++] = uint64_t{links[i]} << 32 | source;
      ++ends[bucket_of(links[i]) + 1];
    }
  }
  uint64_t* edges = unsorted + count;
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::array<uint32_t, k_buckets + 1> next = ends;
  for (uint64_t i = 0; i < count; ++i) {
    edges[next[bucket_of(static_cast<uint32_t>(unsorted[i] >> 32))]++] = unsorted[i];
  }
  const auto work = [&](uint32_t member, uint32_t from, uint32_t to) {
    std::sort(edges + ends[from], edges + ends[to]);
    for (uint32_t i = ends[from]; i < ends[to];) {
      const auto target = static_cast<uint32_t>(edges[i] >> 32);
      uint32_t end = i + 1;
      while (end < ends[to] && edges[end] >> 32 == target) {
        ++end;
      }
      link_back_to(members_[member], level, target, {edges + i, end - i});
      i = end;
    }
  };
  const auto tick = [&](uint32_t) { return report(done_); };
  return crew_.run(k_buckets, count < 256 ? k_buckets : 1, work, tick);
}

void GraphBuilder::link_back_to(Member& member, const Level& level, uint32_t target,
                                std::span<const uint64_t> edges) {
  uint32_t* links = level.links(target);
  uint32_t count = 0;
  while (count < level.links_max() && links[count] != k_no_link) {
    ++count;
  }
  if (count + edges.size() <= level.links_max()) {
    for (const uint64_t edge : edges) {
      links[count++] = static_cast<uint32_t>(edge);
    }
    return;
  }
  std::vector<LinkCandidate>& candidates = member.candidates;
  candidates.clear();
  for (uint32_t i = 0; i < count; ++i) {
    candidates.push_back({0, links[i]});
  }
  for (const uint64_t edge : edges) {
    candidates.push_back({0, static_cast<uint32_t>(edge)});
  }
  std::array<uint32_t, k_list_rows_max> rows;
  std::array<float, k_list_rows_max> similarities;
  for (size_t begin = 0; begin < candidates.size(); begin += rows.size()) {
    const size_t part = std::min(candidates.size() - begin, rows.size());
    for (size_t i = 0; i < part; ++i) {
      rows[i] = level.row(candidates[begin + i].place);
    }
    similarity_.similarities(level.row(target), {rows.data(), part}, similarities.data());
    for (size_t i = 0; i < part; ++i) {
      candidates[begin + i].similarity = similarities[i];
    }
  }
  std::sort(candidates.begin(), candidates.end());
  member.selection.select(level, similarity_, target, candidates, level.links_max());
}

}  // namespace asyncstore::index
