#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "base/limits.h"
#include "python/convert.h"
#include "python/engine_handle.h"
#include "python/filter_input.h"
#include "python/submit.h"
#include "python/vector_input.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace asyncstore::python {

using engine::Collection;
using engine::PayloadSelection;

namespace {

// False, True, ("include", paths), ("exclude", paths) or ("group_keys", [path]).
PayloadSelection selection_of(nb::handle with_payload) {
  PayloadSelection selection;
  if (PyBool_Check(with_payload.ptr()) != 0) {
    const bool all = with_payload.ptr() == Py_True;
    selection.kind = all ? PayloadSelection::Kind::all : PayloadSelection::Kind::none;
    return selection;
  }
  const auto [kind, paths] = nb::cast<std::pair<std::string, nb::list>>(with_payload);
  static const std::map<std::string, PayloadSelection::Kind> kinds = {
      {"include", PayloadSelection::Kind::include},
      {"exclude", PayloadSelection::Kind::exclude},
      {"group_keys", PayloadSelection::Kind::group_keys}};
  const auto known = kinds.find(kind);
  if (known == kinds.end() || (kind == "group_keys" && paths.size() != 1)) {
    raise(base::invalid_argument("unknown payload selection '" + kind + "'"));
  }
  selection.kind = known->second;
  for (nb::handle path : paths) {
    selection.paths.push_back(path_of(path));
  }
  return selection;
}

// None lets all points through.
std::shared_ptr<const filter::Filter> some_filter(const Collection& collection, nb::handle given) {
  auto filter = filter_of(collection, given);
  return filter ? filter : std::make_shared<const filter::Filter>();
}

engine::With with_of(const Collection& collection, std::vector<uint32_t> fields,
                     nb::handle with_payload) {
  for (const uint32_t field : fields) {
    check_vector(collection, field);
  }
  return {std::move(fields), selection_of(with_payload)};
}

void check_limit(uint64_t limit) {
  if (limit == 0) {
    raise(base::invalid_argument("limit must be 1 or larger"));
  }
}

// How to search; the keyword arguments that both kinds of search have.
struct Plan {
  double oversampling;
  uint32_t hnsw_ef;
  bool rescore;
  bool early_stop;
  bool ignore_codes;
  bool exact;
};

engine::SearchRequest search_request(const Collection& collection, uint32_t field,
                                     const FloatArray& queries, const Plan& plan) {
  check_field(collection, field);
  const uint32_t dim = collection.fields()[field].dim;
  if (queries.ndim() < 1 || queries.shape(queries.ndim() - 1) != dim) {
    raise(base::invalid_argument("queries must have " + std::to_string(dim) + " columns"));
  }
  engine::SearchRequest request;
  request.field = field;
  request.queries.assign(queries.data(), queries.data() + queries.size());
  request.oversampling = plan.oversampling;
  request.hnsw_ef = plan.hnsw_ef;
  request.rescore = plan.rescore;
  request.early_stop = plan.early_stop;
  request.ignore_codes = plan.ignore_codes;
  request.exact = plan.exact;
  return request;
}

// (kind, number of positive examples); None: nearest.
engine::QueryScore score_of(nb::handle given, uint64_t examples) {
  using Kind = engine::QueryScore::Kind;
  if (given.is_none()) {
    if (examples != 1) {
      raise(base::invalid_argument("a search has one query"));
    }
    return {};
  }
  const auto [name, positives] = nb::cast<std::pair<std::string, uint32_t>>(given);
  static const std::map<std::string, Kind> kinds = {{"best_score", Kind::best_score},
                                                    {"sum_scores", Kind::sum_scores},
                                                    {"discover", Kind::discover},
                                                    {"context", Kind::context}};
  const auto kind = kinds.find(name);
  if (kind == kinds.end()) {
    raise(base::invalid_argument("unknown kind of query '" + name + "'"));
  }
  const uint64_t odd = kind->second == Kind::discover ? 1 : 0;
  const bool pairs = kind->second == Kind::discover || kind->second == Kind::context;
  if (examples == 0 || examples > base::k_examples_max || positives > examples ||
      (pairs && examples % 2 != odd)) {
    raise(base::invalid_argument("a query of kind '" + name + "' cannot have " +
                                 std::to_string(examples) + " examples"));
  }
  return {kind->second, positives, static_cast<uint32_t>(examples)};
}

// What the searches of all kinds of vectors have in common.
template <typename Request>
void complete(Request& request, const Collection& collection, uint64_t limit, uint64_t offset,
              std::optional<float> score_threshold, std::vector<uint32_t> with_fields,
              nb::handle with_payload, nb::handle filter, nb::handle excluded) {
  check_limit(limit);
  request.limit = limit;
  request.offset = offset;
  request.score_threshold = score_threshold;
  request.with = with_of(collection, std::move(with_fields), with_payload);
  request.filter = filter_of(collection, filter);
  if (!excluded.is_none()) {
    request.excluded = ids_of(excluded);
  }
}

// (path, groups, points of each) or None.
using GroupsInput = std::optional<std::tuple<nb::object, uint32_t, uint32_t>>;

std::optional<engine::GroupRequest> groups_of(const GroupsInput& given) {
  if (!given) {
    return std::nullopt;
  }
  const auto& [path, groups, size] = *given;
  if (groups == 0 || size == 0) {
    raise(base::invalid_argument("groups and points of each must be 1 or more"));
  }
  return engine::GroupRequest{path_of(path), {groups, size}};
}

uint64_t submit_search(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                       uint32_t field, const FloatArray& query, uint64_t limit, uint64_t offset,
                       double oversampling, uint32_t hnsw_ef, bool rescore, bool early_stop,
                       bool ignore_codes, bool exact, std::optional<float> score_threshold,
                       std::vector<uint32_t> with_fields, nb::object with_payload,
                       nb::object filter, nb::object score, nb::object excluded,
                       const GroupsInput& groups) {
  auto request = search_request(*collection, field, query,
                                {oversampling, hnsw_ef, rescore, early_stop, ignore_codes, exact});
  request.groups = groups_of(groups);
  request.score = score_of(score, query.ndim() == 2 ? query.shape(0) : 1);
  complete(request, *collection, limit, offset, score_threshold, std::move(with_fields),
           with_payload, filter, excluded);
  const uint64_t ticket = self.get().next_ticket();
  return self.get().search(ticket, collection, std::move(request)) ? ticket : 0;
}

void check_batch(uint64_t queries, uint64_t limit) {
  check_limit(limit);
  if (queries == 0 || limit > base::k_batch_results_max / queries) {
    raise(base::invalid_argument("a batch returns at most " +
                                 std::to_string(base::k_batch_results_max) + " results in all"));
  }
}

uint64_t submit_search_batch(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                             uint32_t field, const FloatArray& queries, uint64_t limit,
                             double oversampling, uint32_t hnsw_ef, bool rescore, bool early_stop,
                             bool ignore_codes, bool exact, nb::object filter) {
  auto request = search_request(*collection, field, queries,
                                {oversampling, hnsw_ef, rescore, early_stop, ignore_codes, exact});
  check_batch(queries.ndim() == 2 ? queries.shape(0) : 1, limit);
  request.limit = limit;
  request.filter = filter_of(*collection, filter);
  const uint64_t ticket = self.get().next_ticket();
  return self.get().search_batch(ticket, collection, std::move(request)) ? ticket : 0;
}

std::vector<sparse::Query> sparse_queries_of(nb::handle given) {
  const auto [offsets, indices, values] = sparse_arrays_of(given);
  const uint64_t* at = offsets.data();
  std::vector<sparse::Query> queries(offsets.shape(0) - 1);
  for (size_t i = 0; i < queries.size(); ++i) {
    sparse::Query& query = queries[i];
    query.indices.assign(indices.data() + at[i], indices.data() + at[i + 1]);
    query.weights.assign(values.data() + at[i], values.data() + at[i + 1]);
    const bool finite = std::all_of(query.weights.begin(), query.weights.end(),
                                    [](double weight) { return std::isfinite(weight); });
    const bool ascend = std::adjacent_find(query.indices.begin(), query.indices.end(),
                                           std::greater_equal<>()) == query.indices.end();
    if (!finite || !ascend) {
      raise(
          base::invalid_argument("a sparse query must have finite values and indices that ascend"));
    }
  }
  return queries;
}

engine::SparseSearchRequest sparse_request(const Collection& collection, uint32_t field,
                                           nb::handle queries, bool idf) {
  const engine::Schema schema = collection.schema();
  if (field < schema.dense() || field - schema.dense() >= schema.sparse) {
    raise(base::invalid_argument("there is no sparse vector number " + std::to_string(field)));
  }
  engine::SparseSearchRequest request;
  request.sparse = field - schema.dense();
  request.queries = sparse_queries_of(queries);
  request.idf = idf;
  return request;
}

uint64_t submit_search_sparse(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                              uint32_t field, nb::object query, uint64_t limit, uint64_t offset,
                              bool idf, std::optional<float> score_threshold,
                              std::vector<uint32_t> with_fields, nb::object with_payload,
                              nb::object filter, nb::object score, nb::object excluded) {
  auto request = sparse_request(*collection, field, query, idf);
  request.score = score_of(score, request.queries.size());
  complete(request, *collection, limit, offset, score_threshold, std::move(with_fields),
           with_payload, filter, excluded);
  const uint64_t ticket = self.get().next_ticket();
  return self.get().search(ticket, collection, std::move(request)) ? ticket : 0;
}

uint64_t submit_search_sparse_batch(EngineHandle& self,
                                    const std::shared_ptr<Collection>& collection, uint32_t field,
                                    nb::object queries, uint64_t limit, bool idf,
                                    nb::object filter) {
  auto request = sparse_request(*collection, field, queries, idf);
  check_batch(request.queries.size(), limit);
  request.limit = limit;
  request.filter = filter_of(*collection, filter);
  const uint64_t ticket = self.get().next_ticket();
  return self.get().search_batch(ticket, collection, std::move(request)) ? ticket : 0;
}

std::vector<std::vector<float>> examples_of(nb::handle given, const segment::Field& field) {
  const MultivectorArrays arrays = multivector_arrays_of(given, field.dim);
  const size_t count = arrays.offsets.shape(0) - 1;
  const uint64_t* at = arrays.offsets.data();
  std::vector<std::vector<float>> examples;
  examples.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    examples.emplace_back(arrays.rows.data() + at[i] * field.dim,
                          arrays.rows.data() + at[i + 1] * field.dim);
    if (examples.back().empty()) {
      raise(base::invalid_argument("an example must have one row at least"));
    }
  }
  return examples;
}

engine::MultivectorSearchRequest multivector_request(const Collection& collection, uint32_t field,
                                                     double oversampling, bool rescore,
                                                     bool early_stop, bool ignore_codes) {
  const engine::Schema schema = collection.schema();
  const uint32_t first = schema.dense() + schema.sparse;
  if (field < first || field - first >= schema.multivectors.size()) {
    raise(base::invalid_argument("there is no multivector number " + std::to_string(field)));
  }
  engine::MultivectorSearchRequest request;
  request.multivector = field - first;
  request.oversampling = oversampling;
  request.rescore = rescore;
  request.early_stop = early_stop;
  request.ignore_codes = ignore_codes;
  return request;
}

void add_query(engine::MultivectorSearchRequest& request, uint32_t dim,
               std::vector<std::vector<float>> examples) {
  uint64_t elements = 0;
  for (const auto& rows : examples) {
    elements += rows.size();
  }
  const uint64_t rows = elements / dim;
  if (elements > engine::k_query_elements_max || rows > engine::k_query_rows_max) {
    raise(base::invalid_argument(
        "the examples of a query have " + std::to_string(rows) + " rows of " + std::to_string(dim) +
        " numbers, at most " + std::to_string(engine::k_query_rows_max) + " rows and " +
        std::to_string(engine::k_query_elements_max) + " numbers are possible"));
  }
  request.queries.push_back({std::move(examples)});
}

uint64_t submit_search_multivector(EngineHandle& self,
                                   const std::shared_ptr<Collection>& collection, uint32_t field,
                                   nb::object query, uint64_t limit, uint64_t offset,
                                   double oversampling, bool rescore, bool early_stop,
                                   bool ignore_codes, std::optional<float> score_threshold,
                                   std::vector<uint32_t> with_fields, nb::object with_payload,
                                   nb::object filter, nb::object score, nb::object excluded) {
  auto request =
      multivector_request(*collection, field, oversampling, rescore, early_stop, ignore_codes);
  const segment::Field& described = collection->multivectors()[request.multivector];
  auto examples = examples_of(query, described);
  request.score = score_of(score, examples.size());
  add_query(request, described.dim, std::move(examples));
  complete(request, *collection, limit, offset, score_threshold, std::move(with_fields),
           with_payload, filter, excluded);
  const uint64_t ticket = self.get().next_ticket();
  return self.get().search(ticket, collection, std::move(request)) ? ticket : 0;
}

uint64_t submit_search_multivector_batch(EngineHandle& self,
                                         const std::shared_ptr<Collection>& collection,
                                         uint32_t field, nb::object queries, uint64_t limit,
                                         double oversampling, bool rescore, bool early_stop,
                                         bool ignore_codes, nb::object filter) {
  auto request =
      multivector_request(*collection, field, oversampling, rescore, early_stop, ignore_codes);
  const segment::Field& described = collection->multivectors()[request.multivector];
  for (auto& query : examples_of(queries, described)) {
    add_query(request, described.dim, {std::move(query)});
  }
  check_batch(request.queries.size(), limit);
  request.limit = limit;
  request.filter = filter_of(*collection, filter);
  const uint64_t ticket = self.get().next_ticket();
  return self.get().search_batch(ticket, collection, std::move(request)) ? ticket : 0;
}

uint64_t submit_check_vectors(EngineHandle& self, const FloatArray& vectors) {
  if (vectors.ndim() != 2 || vectors.shape(1) == 0) {
    raise(base::invalid_argument("vectors must have the shape (n, dim)"));
  }
  const uint64_t ticket = self.get().next_ticket();
  const auto dim = static_cast<uint32_t>(vectors.shape(1));
  if (!self.get().check_vectors(ticket, vectors.data(), vectors.shape(0), dim)) {
    return 0;
  }
  self.keep(ticket, nb::cast(vectors));
  return ticket;
}

uint64_t submit_retrieve(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                         nb::object ids, std::vector<uint32_t> with_fields,
                         nb::object with_payload) {
  auto with = with_of(*collection, std::move(with_fields), with_payload);
  const uint64_t ticket = self.get().next_ticket();
  return self.get().retrieve(ticket, collection, ids_of(ids), std::move(with)) ? ticket : 0;
}

uint64_t submit_scroll(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                       nb::object offset, uint64_t limit, std::vector<uint32_t> with_fields,
                       nb::object with_payload, nb::object filter) {
  auto with = with_of(*collection, std::move(with_fields), with_payload);
  const points::PointId from = offset.is_none() ? points::PointId::integer(0) : id_of(offset, 0);
  const uint64_t ticket = self.get().next_ticket();
  auto passing = filter_of(*collection, filter);
  return self.get().scroll(ticket, collection, from, limit, std::move(passing), std::move(with))
             ? ticket
             : 0;
}

uint64_t submit_count(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                      nb::object filter, bool exact) {
  const uint64_t ticket = self.get().next_ticket();
  return self.get().count(ticket, collection, some_filter(*collection, filter), exact) ? ticket : 0;
}

uint64_t submit_sample(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                       nb::object filter, uint64_t count, uint64_t seed) {
  const uint64_t ticket = self.get().next_ticket();
  auto some = some_filter(*collection, filter);
  return self.get().sample(ticket, collection, std::move(some), count, seed) ? ticket : 0;
}

// `start_from`: an integer or a float; of datetimes microseconds since 1970.
uint64_t submit_order(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                      nb::object filter, std::string key, bool descending, nb::object start_from,
                      bool from_is_datetime, uint64_t skip, uint64_t limit) {
  engine::OrderTask::Wanted wanted{std::move(key), {descending}, from_is_datetime, skip, limit};
  if (nb::isinstance<nb::int_>(start_from)) {
    wanted.order.from = nb::cast<int64_t>(start_from);
  } else if (!start_from.is_none()) {
    wanted.order.from = nb::cast<double>(start_from);
  }
  if (limit == 0) {
    raise(base::invalid_argument("limit must be 1 or larger"));
  }
  const uint64_t ticket = self.get().next_ticket();
  auto some = some_filter(*collection, filter);
  return self.get().order(ticket, collection, std::move(some), std::move(wanted)) ? ticket : 0;
}

uint64_t submit_facet(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                      nb::object filter, std::string key, uint64_t limit) {
  const uint64_t ticket = self.get().next_ticket();
  auto some = some_filter(*collection, filter);
  return self.get().facet(ticket, collection, std::move(some), std::move(key), limit) ? ticket : 0;
}

uint64_t submit_matching_ids(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                             nb::object filter) {
  const uint64_t ticket = self.get().next_ticket();
  return self.get().matching_ids(ticket, collection, some_filter(*collection, filter)) ? ticket : 0;
}

}  // namespace

void bind_reads(nb::handle engine_class) {
  auto engine = nb::cast<nb::class_<EngineHandle>>(engine_class);
  engine.def("submit_check_vectors", &submit_check_vectors)
      .def("submit_retrieve", &submit_retrieve, "collection"_a, "ids"_a, "with_fields"_a,
           "with_payload"_a)
      .def("submit_scroll", &submit_scroll, "collection"_a, "offset"_a.none(), "limit"_a,
           "with_fields"_a, "with_payload"_a, "filter"_a.none() = nb::none())
      .def("submit_count", &submit_count, "collection"_a, "filter"_a.none(), "exact"_a)
      .def("submit_sample", &submit_sample, "collection"_a, "filter"_a.none(), "count"_a, "seed"_a)
      .def("submit_order", &submit_order, "collection"_a, "filter"_a.none(), "key"_a,
           "descending"_a, "start_from"_a.none(), "from_is_datetime"_a, "skip"_a, "limit"_a)
      .def("submit_facet", &submit_facet, "collection"_a, "filter"_a.none(), "key"_a, "limit"_a)
      .def("submit_matching_ids", &submit_matching_ids, "collection"_a, "filter"_a.none())
      .def("submit_search", &submit_search, "collection"_a, "field"_a, "query"_a, nb::kw_only(),
           "limit"_a, "offset"_a, "oversampling"_a, "hnsw_ef"_a, "rescore"_a, "early_stop"_a,
           "ignore_codes"_a, "exact"_a, "score_threshold"_a.none(), "with_fields"_a,
           "with_payload"_a, "filter"_a.none() = nb::none(), "score"_a.none() = nb::none(),
           "excluded"_a.none() = nb::none(), "groups"_a.none() = nb::none())
      .def("submit_search_sparse", &submit_search_sparse, "collection"_a, "field"_a, "query"_a,
           nb::kw_only(), "limit"_a, "offset"_a, "idf"_a, "score_threshold"_a.none(),
           "with_fields"_a, "with_payload"_a, "filter"_a.none() = nb::none(),
           "score"_a.none() = nb::none(), "excluded"_a.none() = nb::none())
      .def("submit_search_sparse_batch", &submit_search_sparse_batch, "collection"_a, "field"_a,
           "queries"_a, nb::kw_only(), "limit"_a, "idf"_a, "filter"_a.none() = nb::none())
      .def("submit_search_multivector", &submit_search_multivector, "collection"_a, "field"_a,
           "query"_a, nb::kw_only(), "limit"_a, "offset"_a, "oversampling"_a, "rescore"_a,
           "early_stop"_a, "ignore_codes"_a, "score_threshold"_a.none(), "with_fields"_a,
           "with_payload"_a, "filter"_a.none() = nb::none(), "score"_a.none() = nb::none(),
           "excluded"_a.none() = nb::none())
      .def("submit_search_multivector_batch", &submit_search_multivector_batch, "collection"_a,
           "field"_a, "queries"_a, nb::kw_only(), "limit"_a, "oversampling"_a, "rescore"_a,
           "early_stop"_a, "ignore_codes"_a, "filter"_a.none() = nb::none())
      .def("submit_search_batch", &submit_search_batch, "collection"_a, "field"_a, "queries"_a,
           nb::kw_only(), "limit"_a, "oversampling"_a, "hnsw_ef"_a, "rescore"_a, "early_stop"_a,
           "ignore_codes"_a, "exact"_a, "filter"_a.none() = nb::none());
}

}  // namespace asyncstore::python
