"""What requests carry. Unknown keys are passed over."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypedDict, get_args

import msgspec

from asyncstore import models as m
from asyncstore.bounds import Bounds
from asyncstore.ids import ID_MAX
from asyncstore.server.json_schema import Like, OneKey
from asyncstore.server.values import NULL

# A negative number is of the wrong type (400), others may be out of bounds (422).
Unsigned: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Limit: TypeAlias = Annotated[Unsigned, Bounds(1)]
PointId: TypeAlias = Annotated[Unsigned, Bounds(0, ID_MAX)] | str
Json: TypeAlias = Any
Payload: TypeAlias = dict[str, Json]

_Dense: TypeAlias = list[float]
_Vector: TypeAlias = _Dense | list[_Dense] | m.SparseVector
_Example: TypeAlias = _Vector | PointId

# Vectors, filters, queries and selections: the collection checks them, with the path to what is
# wrong, and takes the dicts that they are in JSON. What may be a long list of numbers is decoded
# by ``values``.
Vectors: TypeAlias = Annotated[msgspec.Raw, Like(_Vector | dict[str, _Vector])]
Filter: TypeAlias = Annotated[Json, Like(m.Filter | None)]
Codes: TypeAlias = Annotated[Json, Like(m.QuantizationConfig | Literal["auto"] | None)]
OrderBy: TypeAlias = Annotated[Json, Like(m.OrderBy | str | None)]
WithPayload: TypeAlias = Annotated[Json, Like(m.WithPayload | None)]
WithVector: TypeAlias = Annotated[Json, Like(bool | list[str] | None)]
QueryOf: TypeAlias = Annotated[msgspec.Raw, Like(m.Query | _Example | None)]
Prefetches: TypeAlias = Annotated[Json, Like(m.Prefetch | list[m.Prefetch] | None)]
Examples: TypeAlias = Annotated[Json, Like(list[_Example] | None)]


class NamedVector(TypedDict):
    """A vector, and what it is compared with."""

    name: str
    vector: _Dense | m.SparseVector


class VectorName(TypedDict):
    """What older clients call ``using``."""

    name: str


Using: TypeAlias = Annotated[Json, Like(str | VectorName | None)]


class NamedLookup(msgspec.Struct, kw_only=True):
    """A lookup as the article that brought them spells it."""

    collection_name: str
    with_payload: WithPayload = None
    with_vectors: WithVector = None
    with_vector: WithVector = None


WithLookup: TypeAlias = Annotated[Json, Like(m.WithLookup | NamedLookup | str | None)]


class CreateCollection(msgspec.Struct, kw_only=True):
    """Of ``PUT /collections/{collection_name}``."""

    vectors: Annotated[Json, Like(m.VectorParams | dict[str, m.VectorParams] | None)] = None
    sparse_vectors: dict[str, m.SparseVectorParams] | None = None
    quantization_config: Codes = None
    quantization: Codes = None
    hnsw_config: m.HnswConfigDiff | None = None
    optimizers_config: m.OptimizersConfigDiff | None = None
    wal_config: m.WalConfigDiff | None = None
    on_disk_payload: bool | None = None
    metadata: Payload | None = None


class UpdateCollection(msgspec.Struct, kw_only=True):
    """Of ``PATCH /collections/{collection_name}``."""

    vectors: Annotated[
        dict[str, Json] | None, Like(dict[str, m.VectorParamsDiff | None] | None)
    ] = None
    sparse_vectors: Annotated[
        dict[str, Json] | None, Like(dict[str, m.SparseVectorParams | None] | None)
    ] = None
    optimizers_config: m.OptimizersConfigDiff | None = None
    params: m.CollectionParamsDiff | None = None
    hnsw_config: m.HnswConfigDiff | None = None
    quantization_config: Annotated[Json, Like(m.QuantizationConfig | m.Disabled | None)] = None
    strict_mode_config: Annotated[Json, Like(type(None))] = None
    metadata: Payload | None = None


class ChangeAliases(msgspec.Struct, kw_only=True):
    """Of ``POST /collections/aliases``."""

    actions: list[Annotated[Json, Like(m.AliasOperations)]]


class CreateIndex(msgspec.Struct, kw_only=True):
    """Of ``PUT …/index``."""

    field_name: str
    field_schema: Annotated[
        str | Payload | None, Like(m.PayloadSchemaType | m.PayloadIndexParams | None)
    ] = None


class PointStruct(msgspec.Struct, kw_only=True):
    """A point to be written."""

    id: PointId
    vector: Vectors
    payload: Payload | None = None


class Batch(msgspec.Struct, kw_only=True):
    """Points as columns."""

    ids: list[PointId]
    vectors: Annotated[Json, Like(list[_Vector] | dict[str, list[_Vector | None]])]
    payloads: list[Payload | None] | None = None


class Upsert(msgspec.Struct, kw_only=True):
    """Of ``PUT …/points``: points or a batch."""

    points: list[PointStruct] | None = None
    batch: Batch | None = None
    update_filter: Filter = None
    update_mode: m.UpdateMode | None = None


class Selector(msgspec.Struct, kw_only=True):
    """Points by their ids or by a filter."""

    points: list[PointId] | None = None
    filter: Filter = None


class PointVectors(msgspec.Struct, kw_only=True):
    """Vectors of a point that is there."""

    id: PointId
    vector: Vectors


class UpdateVectors(msgspec.Struct, kw_only=True):
    """Of ``PUT …/points/vectors``."""

    points: list[PointVectors]
    update_filter: Filter = None


class DeleteVectors(Selector, kw_only=True):
    """Of ``POST …/points/vectors/delete``."""

    vector: list[str]


class SetPayload(Selector, kw_only=True):
    """Of ``POST`` and ``PUT …/points/payload``."""

    payload: Payload
    key: str | None = None


class DeletePayload(Selector, kw_only=True):
    """Of ``POST …/points/payload/delete``."""

    keys: list[str]


# The writes of a batch, by the key that says which.
OPERATIONS: dict[str, type[msgspec.Struct]] = {
    "upsert": Upsert,
    "delete": Selector,
    "set_payload": SetPayload,
    "overwrite_payload": SetPayload,
    "delete_payload": DeletePayload,
    "clear_payload": Selector,
    "update_vectors": UpdateVectors,
    "delete_vectors": DeleteVectors,
}
Operation: TypeAlias = Annotated[dict[str, msgspec.Raw], OneKey(tuple(OPERATIONS.items()))]


class UpdateOperations(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/batch``."""

    operations: list[Operation]


class Contents(msgspec.Struct, kw_only=True):
    """What of points is wanted; ``with_vectors`` is another name of ``with_vector``."""

    with_payload: WithPayload = None
    with_vector: WithVector = None
    with_vectors: WithVector = None

    def selection(self, *, payload: bool) -> dict[str, Json]:
        """The arguments that reads take, with the endpoint's default."""
        vectors = self.with_vector if self.with_vector is not None else self.with_vectors
        return {
            "with_payload": payload if self.with_payload is None else self.with_payload,
            "with_vectors": False if vectors is None else vectors,
        }


class Retrieve(Contents, kw_only=True):
    """Of ``POST …/points``."""

    ids: list[PointId]


class Scroll(Contents, kw_only=True):
    """Of ``POST …/points/scroll``."""

    offset: PointId | None = None
    limit: Limit | None = None
    filter: Filter = None
    order_by: OrderBy = None


class Count(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/count``."""

    filter: Filter = None
    exact: bool | None = None


class Facet(msgspec.Struct, kw_only=True):
    """Of ``POST …/facet``."""

    key: str
    limit: Limit | None = None
    filter: Filter = None
    exact: bool | None = None


class Matrix(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/search/matrix/…``."""

    filter: Filter = None
    sample: Annotated[Unsigned, Bounds(2, 10_000)] | None = None
    limit: Limit | None = None
    using: str | None = None


class Query(Contents, kw_only=True):
    """Of ``POST …/points/query``."""

    query: QueryOf = NULL
    prefetch: Prefetches = None
    using: str | None = None
    filter: Filter = None
    params: m.SearchParams | None = None
    score_threshold: float | None = None
    limit: Limit | None = None
    offset: Unsigned | None = None
    lookup_from: m.LookupLocation | None = None


class QueryBatch(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/query/batch``."""

    searches: list[Query]


class QueryGroups(Query, kw_only=True):
    """Of ``POST …/points/query/groups``."""

    group_by: str
    group_size: Limit | None = None
    with_lookup: WithLookup = None


class LegacyQuery(Contents, kw_only=True):
    """What the endpoints of older clients share."""

    limit: Limit
    offset: Unsigned | None = None
    filter: Filter = None
    params: m.SearchParams | None = None
    score_threshold: float | None = None
    lookup_from: m.LookupLocation | None = None


class Search(LegacyQuery, kw_only=True):
    """Of ``POST …/points/search``."""

    vector: Annotated[msgspec.Raw, Like(_Dense | NamedVector)]


class SearchBatch(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/search/batch``."""

    searches: list[Search]


class SearchGroups(Search, kw_only=True):
    """Of ``POST …/points/search/groups``."""

    group_by: str
    group_size: Limit | None = None
    with_lookup: WithLookup = None


class Recommend(LegacyQuery, kw_only=True):
    """Of ``POST …/points/recommend``."""

    positive: Examples = None
    negative: Examples = None
    strategy: Annotated[str | None, Like(m.RecommendStrategy | None)] = None
    using: Using = None


class RecommendBatch(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/recommend/batch``."""

    searches: list[Recommend]


class RecommendGroups(Recommend, kw_only=True):
    """Of ``POST …/points/recommend/groups``."""

    group_by: str
    group_size: Limit | None = None
    with_lookup: WithLookup = None


class Discover(LegacyQuery, kw_only=True):
    """Of ``POST …/points/discover``."""

    target: Annotated[Json, Like(_Example | None)] = None
    context: Annotated[Json, Like(list[m.ContextPair] | None)] = None
    using: Using = None


class DiscoverBatch(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/discover/batch``."""

    searches: list[Discover]


Priority: TypeAlias = Literal["no_sync", "snapshot", "replica"]
PRIORITIES: tuple[str, ...] = get_args(Priority)


class RecoverSnapshot(msgspec.Struct, kw_only=True):
    """Of ``PUT …/snapshots/recover``; ``priority`` is of no account to one node."""

    location: str
    checksum: str | None = None
    priority: Priority | None = None
    api_key: str | None = None


class SnapshotForm(TypedDict):
    """Of ``POST …/snapshots/upload``."""

    snapshot: bytes


Grouped: TypeAlias = QueryGroups | SearchGroups | RecommendGroups
