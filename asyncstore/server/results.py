"""What replies carry where it is no model: points as they are written in JSON, counts, names."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from asyncstore import models as m
from asyncstore.server.counters import Responses


class CollectionName(TypedDict):
    """A collection."""

    name: str


class Collections(TypedDict):
    """All collections."""

    collections: list[CollectionName]


class Existence(TypedDict):
    """Whether something is there."""

    exists: bool


class LocalShard(TypedDict):
    """The one shard of a collection."""

    shard_id: int
    points_count: int
    state: Literal["Active"]


class CollectionCluster(TypedDict):
    """Where the shards of a collection are: here."""

    peer_id: int
    shard_count: int
    local_shards: list[LocalShard]
    remote_shards: list[object]
    shard_transfers: list[object]


class Record(TypedDict):
    """A point as it is stored."""

    id: m.PointId
    payload: NotRequired[dict[str, Any]]
    vector: NotRequired[m.VectorOutput]
    order_value: NotRequired[int | float]


class ScoredPoint(TypedDict):
    """A point that a search found."""

    id: m.PointId
    version: int
    score: float
    payload: NotRequired[dict[str, Any]]
    vector: NotRequired[m.VectorOutput]
    order_value: NotRequired[int | float]


class Page(TypedDict):
    """Points, and the id of the next one; null at the end."""

    points: list[Record]
    next_page_offset: m.PointId | None


class FoundPoints(TypedDict):
    """What a query found, best first."""

    points: list[ScoredPoint]


class Group(TypedDict):
    """The best points of those that share a value."""

    id: str | int
    hits: list[ScoredPoint]
    lookup: NotRequired[Record]


class Groups(TypedDict):
    """Groups, best first."""

    groups: list[Group]


class PointsCount(TypedDict):
    """How many points there are."""

    count: int


class Facets(TypedDict):
    """Values of a field, the most frequent first."""

    hits: list[m.FacetHit]


class MatrixPair(TypedDict):
    """How near point ``b`` is to point ``a``."""

    a: m.PointId
    b: m.PointId
    score: float


class MatrixPairs(TypedDict):
    """Pairs of points."""

    pairs: list[MatrixPair]


class MatrixOffsets(TypedDict):
    """A sparse matrix of scores; offsets are places in ``ids``."""

    offsets_row: list[int]
    offsets_col: list[int]
    scores: list[float]
    ids: list[m.PointId]


class Issues(TypedDict):
    """What the server complains of: nothing."""

    issues: list[object]


class ServerCluster(TypedDict):
    """The server is one node."""

    status: Literal["disabled"]


class Title(TypedDict):
    """What answers here, and the interface that it speaks."""

    title: str
    version: str
    commit: str


class App(TypedDict):
    """What runs."""

    name: str
    version: str


class CollectionsTelemetry(TypedDict):
    """How much there is."""

    number_of_collections: int


class ClusterTelemetry(TypedDict):
    """Whether there are other nodes: no."""

    enabled: Literal[False]


class RequestsTelemetry(TypedDict):
    """Requests of one protocol: by method and path, then by status."""

    responses: dict[str, dict[str, Responses]]


class AllRequestsTelemetry(TypedDict):
    """Requests by protocol."""

    rest: RequestsTelemetry
    grpc: RequestsTelemetry


class Telemetry(TypedDict):
    """What runs here, and how much it holds.

    Attributes:
        id: The store's folder.
        statistics: What the store has done, from the first level of details on.
    """

    id: str
    app: App
    collections: CollectionsTelemetry
    cluster: ClusterTelemetry
    requests: AllRequestsTelemetry
    statistics: NotRequired[dict[str, object]]
