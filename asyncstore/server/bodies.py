"""What requests carry. Unknown keys are passed over; what collections check themselves is Json."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from asyncstore import models as m

# Vectors, filters, queries and selections: the collection checks them, with the path to what is
# wrong, and takes the dicts that they are in JSON.
Json: TypeAlias = Any
PointId: TypeAlias = int | str
Payload: TypeAlias = dict[str, Json]


class CreateCollection(msgspec.Struct, kw_only=True):
    """Of ``PUT /collections/{collection_name}``."""

    vectors: Json = None
    sparse_vectors: dict[str, m.SparseVectorParams] | None = None
    quantization_config: Json = None
    quantization: Json = None
    hnsw_config: m.HnswConfigDiff | None = None
    optimizers_config: m.OptimizersConfigDiff | None = None
    wal_config: m.WalConfigDiff | None = None
    on_disk_payload: bool | None = None
    metadata: Payload | None = None


class CreateIndex(msgspec.Struct, kw_only=True):
    """Of ``PUT …/index``."""

    field_name: str
    field_schema: str | Payload | None = None


class PointStruct(msgspec.Struct, kw_only=True):
    """A point to be written."""

    id: PointId
    vector: Json
    payload: Payload | None = None


class Batch(msgspec.Struct, kw_only=True):
    """Points as columns."""

    ids: list[PointId]
    vectors: Json
    payloads: list[Payload | None] | None = None


class Upsert(msgspec.Struct, kw_only=True):
    """Of ``PUT …/points``: points or a batch."""

    points: list[PointStruct] | None = None
    batch: Batch | None = None
    update_filter: Json = None
    update_mode: m.UpdateMode | None = None


class Selector(msgspec.Struct, kw_only=True):
    """Points by their ids or by a filter."""

    points: list[PointId] | None = None
    filter: Json = None


class PointVectors(msgspec.Struct, kw_only=True):
    """Vectors of a point that is there."""

    id: PointId
    vector: Json


class UpdateVectors(msgspec.Struct, kw_only=True):
    """Of ``PUT …/points/vectors``."""

    points: list[PointVectors]
    update_filter: Json = None


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


class UpdateOperations(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/batch``."""

    operations: list[dict[str, msgspec.Raw]]


class Contents(msgspec.Struct, kw_only=True):
    """What of points is wanted; ``with_vectors`` is another name of ``with_vector``."""

    with_payload: Json = None
    with_vector: Json = None
    with_vectors: Json = None

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
    limit: int | None = None
    filter: Json = None
    order_by: Json = None


class Count(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/count``."""

    filter: Json = None
    exact: bool | None = None


class Facet(msgspec.Struct, kw_only=True):
    """Of ``POST …/facet``."""

    key: str
    limit: int | None = None
    filter: Json = None
    exact: bool | None = None


class Matrix(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/search/matrix/…``."""

    filter: Json = None
    sample: int | None = None
    limit: int | None = None
    using: str | None = None


class Prefetch(msgspec.Struct, kw_only=True):
    """One of the queries before a query."""

    prefetch: Json = None
    query: Json = None
    using: str | None = None
    filter: Json = None
    params: m.SearchParams | None = None
    score_threshold: float | None = None
    limit: int | None = None
    lookup_from: m.LookupLocation | None = None


class Query(Contents, kw_only=True):
    """Of ``POST …/points/query``."""

    query: Json = None
    prefetch: Json = None
    using: str | None = None
    filter: Json = None
    params: m.SearchParams | None = None
    score_threshold: float | None = None
    limit: int | None = None
    offset: int | None = None
    lookup_from: m.LookupLocation | None = None


class QueryBatch(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/query/batch``."""

    searches: list[Query]


class QueryGroups(Query, kw_only=True):
    """Of ``POST …/points/query/groups``."""

    group_by: str
    group_size: int | None = None
    with_lookup: Json = None


class LegacyQuery(Contents, kw_only=True):
    """What the endpoints of older clients share."""

    limit: int
    offset: int | None = None
    filter: Json = None
    params: m.SearchParams | None = None
    score_threshold: float | None = None
    lookup_from: m.LookupLocation | None = None


class Search(LegacyQuery, kw_only=True):
    """Of ``POST …/points/search``."""

    vector: Json


class SearchBatch(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/search/batch``."""

    searches: list[Search]


class SearchGroups(Search, kw_only=True):
    """Of ``POST …/points/search/groups``."""

    group_by: str
    group_size: int | None = None
    with_lookup: Json = None


class Recommend(LegacyQuery, kw_only=True):
    """Of ``POST …/points/recommend``."""

    positive: Json = None
    negative: Json = None
    strategy: str | None = None
    using: Json = None


class RecommendBatch(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/recommend/batch``."""

    searches: list[Recommend]


class RecommendGroups(Recommend, kw_only=True):
    """Of ``POST …/points/recommend/groups``."""

    group_by: str
    group_size: int | None = None
    with_lookup: Json = None


class Discover(LegacyQuery, kw_only=True):
    """Of ``POST …/points/discover``."""

    target: Json = None
    context: Json = None
    using: Json = None


class DiscoverBatch(msgspec.Struct, kw_only=True):
    """Of ``POST …/points/discover/batch``."""

    searches: list[Discover]


class RecoverSnapshot(msgspec.Struct, kw_only=True):
    """Of ``PUT …/snapshots/recover``; ``priority`` is of no account to one node."""

    location: str
    checksum: str | None = None
    priority: Literal["no_sync", "snapshot", "replica"] | None = None
    api_key: str | None = None


Grouped: TypeAlias = QueryGroups | SearchGroups | RecommendGroups
