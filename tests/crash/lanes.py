"""What a crashing writer writes, as functions of a seed: nobody has to be told what was written.

Several *lanes* write at once, each to ids of its own, one operation after the other. Operation
``number`` of a lane in one *life* of the writer is always the same, and the vectors and the payload
of a point follow from its id and the versions they were written with. Who knows how many operations
of each lane were acknowledged, knows every value that has to be there.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from asyncstore import models as m
from asyncstore.engine import WRITE_BYTES_MAX, WRITE_POINTS_MAX
from asyncstore.ids import LIST_IDS_MAX
from asyncstore.operation import PAYLOAD_CHANGES_MAX

LANES = 4
UUID_LANE = 3  # the ids of this lane are UUIDs
SMALL_DIM = 4
BIG, SMALL, WORDS = 1, 2, 4  # bits: which vectors a point has; words are sparse
WORDS_MAX = 40  # elements of a sparse vector
SMALL_OPERATION_POINTS_MAX = 600  # with payload and words they fit into one record


@dataclass(frozen=True)
class Shape:
    """How large everything is; a function of the seed."""

    seed: int
    dim: int
    ids_per_lane: int
    huge_points: int  # of an operation that is cut into several records
    wal_capacity_bytes: int

    @classmethod
    def of(cls, seed: int) -> Shape:
        rng = np.random.default_rng([seed, 1])
        dim = int(rng.choice([24, 48, 384]))
        huge = 3 * cls.chunk_points_of(dim, 0) // 2 if dim == 384 else 3000
        return cls(
            seed=seed,
            dim=dim,
            ids_per_lane=max(800, min(2500, 100_000 // dim)),
            huge_points=huge,
            wal_capacity_bytes=int(rng.choice([64 << 10, 512 << 10, 4 << 20])),
        )

    @staticmethod
    def chunk_points_of(dim: int, lane: int) -> int:
        """Points with dense vectors alone that go into one record of the log, all or nothing."""
        points_max = LIST_IDS_MAX if lane == UUID_LANE else WRITE_POINTS_MAX
        return min(points_max, int(WRITE_BYTES_MAX // (4 * (dim + SMALL_DIM))))

    def cuts(self, of: Operation) -> list[slice]:
        """The records of an operation, as slices of its points."""
        points = len(of.indexes)
        step = self.chunk_points_of(self.dim, of.lane)
        if of.kind in CHANGES_OF_PAYLOAD:
            step = min(PAYLOAD_CHANGES_MAX, LIST_IDS_MAX)
        return [slice(start, min(start + step, points)) for start in range(0, points, step)]

    def config(self, durability: str) -> dict[str, object]:
        """Everything small and often: sealing, merging, vacuuming and checkpoints all the time."""
        optimizers = {
            "indexing_threshold": 48,
            "flush_interval_sec": 0,
            "default_segment_number": 2,
            "vacuum_min_vector_number": 100,
            "deleted_threshold": 0.1,
        }
        performance = {"workers": 1, "prewarm": False}
        return {
            "storage": {
                "durability": durability,
                "optimizers": optimizers,
                "performance": performance,
            }
        }

    def vector_params(self) -> dict[str, m.VectorParams]:
        int8 = m.ScalarQuantization(
            scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.99)
        )
        return {
            "big": m.VectorParams(size=self.dim, distance=m.Distance.DOT, quantization_config=int8),
            "small": m.VectorParams(size=SMALL_DIM, distance=m.Distance.EUCLID),
        }


class Kind(Enum):
    UPSERT = "upsert"  # all vectors
    UPSERT_BIG = "upsert of one vector"  # the others are gone afterwards
    UPSERT_MIXED = "upsert of points with several vectors, or none"
    DELETE = "delete"
    # Of points that are there; the others are left out.
    UPDATE_VECTORS = "update of some vectors"  # the others stay
    DELETE_VECTORS = "delete of some vectors"
    SET_PAYLOAD = "set_payload"
    OVERWRITE_PAYLOAD = "overwrite_payload"
    DELETE_PAYLOAD = "delete_payload"
    CLEAR_PAYLOAD = "clear_payload"


CHANGES_OF_PAYLOAD = {
    Kind.SET_PAYLOAD,
    Kind.OVERWRITE_PAYLOAD,
    Kind.DELETE_PAYLOAD,
    Kind.CLEAR_PAYLOAD,
}
OF_POINTS_THAT_ARE_THERE = {*CHANGES_OF_PAYLOAD, Kind.UPDATE_VECTORS, Kind.DELETE_VECTORS}
UPSERTS = {Kind.UPSERT, Kind.UPSERT_BIG, Kind.UPSERT_MIXED}


@dataclass(frozen=True)
class Operation:
    kind: Kind
    lane: int
    version: int
    indexes: np.ndarray  # of the lane's ids; one may be there twice

    def vectors_present(self) -> np.ndarray:
        """The bits of each index: which vectors are written, or deleted."""
        if self.kind is Kind.UPSERT_MIXED:
            mixture = np.array([BIG | SMALL, BIG | WORDS, 0], np.uint8)
            return mixture[(self.indexes + self.version) % 3]
        bits = {
            Kind.UPSERT: BIG | SMALL if self.is_huge else BIG | SMALL | WORDS,
            Kind.UPSERT_BIG: BIG,
            Kind.UPDATE_VECTORS: SMALL | WORDS,
            Kind.DELETE_VECTORS: BIG | WORDS,
        }.get(self.kind, 0)
        return np.full(len(self.indexes), bits, np.uint8)

    @property
    def is_huge(self) -> bool:
        """Whether it is an upsert of several records: one of dense vectors alone."""
        return len(self.indexes) > SMALL_OPERATION_POINTS_MAX

    def payload(self, index: int) -> dict[str, object]:
        """What an upsert writes with a point: nothing with every third, and with huge upserts."""
        if (index + self.version) % 3 == 0 or self.is_huge:
            return {}
        text = f"{index}ä" * ((index * 31 + self.version) % 150)
        return {"i": index, "v": self.version, "text": text, "list": [{"n": index}, 2**70]}

    @property
    def change(self) -> dict[str, object]:
        """What set_payload and overwrite_payload write, the same for all points."""
        return {f"s{self.version % 3}": "y" * (self.version % 90), "w": self.version}

    @property
    def key(self) -> str | None:
        """Where they write it."""
        return "in" if self.version % 2 else None

    @property
    def deleted_keys(self) -> list[str]:
        """What delete_payload deletes."""
        return ["text", f"in.s{self.version % 3}"]

    def changed(self, index: int, before: dict[str, object]) -> dict[str, object]:
        """A point's payload after this operation."""
        if self.kind in UPSERTS:
            return self.payload(index)
        if self.kind is Kind.CLEAR_PAYLOAD:
            return {}
        inner = before.get("in", {})
        assert isinstance(inner, dict)
        if self.kind is Kind.DELETE_PAYLOAD:
            after = {key: value for key, value in before.items() if key not in self.deleted_keys}
            if "in" in after:
                after["in"] = {k: v for k, v in inner.items() if f"in.{k}" not in self.deleted_keys}
            return after
        if self.kind is Kind.SET_PAYLOAD:
            return {**before, **({"in": {**inner, **self.change}} if self.key else self.change)}
        if self.kind is Kind.OVERWRITE_PAYLOAD:
            return {**before, "in": self.change} if self.key else self.change
        return before


def operation(shape: Shape, life: int, lane: int, number: int) -> Operation:
    rng = np.random.default_rng([shape.seed, 2, life, lane, number])
    draw = rng.random()
    if draw < 0.15:
        kind, count = Kind.DELETE, int(rng.integers(1, 300))
    elif draw < 0.25:
        kind, count = Kind.UPSERT_MIXED, int(rng.integers(1, 40))
    elif draw < 0.33:
        kind, count = Kind.UPSERT_BIG, int(rng.integers(1, 500))
    elif draw < 0.43:
        kinds = [Kind.UPDATE_VECTORS, Kind.DELETE_VECTORS]
        kind, count = kinds[rng.integers(len(kinds))], int(rng.integers(1, 300))
    elif draw < 0.63:
        kinds = [Kind.SET_PAYLOAD, *sorted(CHANGES_OF_PAYLOAD, key=lambda one: one.value)]
        kind, count = kinds[rng.integers(len(kinds))], int(rng.integers(1, 200))
        if rng.random() < 0.1:
            count = 4 * shape.ids_per_lane  # several records
    else:
        kind, count = Kind.UPSERT, int(rng.integers(1, 501))
        if rng.random() < 0.015:
            count = shape.huge_points
    indexes = rng.integers(0, shape.ids_per_lane, count)
    return Operation(kind, lane, life << 24 | number + 1, indexes)


def point_ids(lane: int, indexes: np.ndarray) -> np.ndarray | list[str]:
    if lane == UUID_LANE:
        return [str(uuid.UUID(int=0xA5 << 120 | int(index))) for index in indexes]
    return (indexes + lane * 1_000_000 + 1).astype(np.uint64)


def lane_and_index(point_id: int | str) -> tuple[int, int]:
    if isinstance(point_id, str):
        return UUID_LANE, uuid.UUID(point_id).int & 0xFFFFFFFF
    return (point_id - 1) // 1_000_000, (point_id - 1) % 1_000_000


def vectors(
    seed: int, dim: int, lane: int, indexes: np.ndarray, versions: np.ndarray
) -> np.ndarray:
    """(n, dim) float32 of unit length: what each point has to hold, bit by bit."""
    mixed = _mixed(seed, dim, lane, indexes, versions)
    raw = (mixed >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)
    return raw / np.sqrt(np.sum(raw * raw, axis=1, keepdims=True))


def words(seed: int, lane: int, indexes: np.ndarray, versions: np.ndarray) -> list[m.SparseVector]:
    """The sparse vector of each point, of 0 to 40 elements."""
    mixed = _mixed(seed, WORDS_MAX + 1, lane, indexes, versions)
    sizes = (mixed[:, 0] % np.uint64(WORDS_MAX + 1)).tolist()
    places = np.cumsum(mixed[:, 1:] % np.uint64(1000) + np.uint64(1), axis=1).astype(np.uint32)
    values = (mixed[:, 1:] >> np.uint64(40)).astype(np.float32) / np.float32(1 << 20)
    return [
        m.SparseVector(indices=places[row, :size], values=values[row, :size])
        for row, size in enumerate(sizes)
    ]


def _mixed(
    seed: int, columns: int, lane: int, indexes: np.ndarray, versions: np.ndarray
) -> np.ndarray:
    """(n, columns) uint64 that look random."""
    with np.errstate(over="ignore"):
        rows = indexes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        rows ^= versions.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
        rows ^= np.uint64(seed * 8 + lane) * np.uint64(0x165667B19E3779F9)
        mixed = rows[:, None] + np.arange(1, columns + 1, dtype=np.uint64) * np.uint64(
            0xD6E8FEB86659FD93
        )
        for shift in (32, 29):
            mixed ^= mixed >> np.uint64(shift)
            mixed *= np.uint64(0xFF51AFD7ED558CCD)
        return mixed ^ mixed >> np.uint64(32)


class LaneState:
    """What a lane's points are, or must be."""

    def __init__(self, shape: Shape) -> None:
        self.is_there = np.zeros(shape.ids_per_lane, np.bool_)
        # Of the big, the small and the sparse vector; 0: the point has none.
        self.versions = np.zeros((3, shape.ids_per_lane), np.int64)
        self.payloads: list[dict[str, object]] = [{} for _ in range(shape.ids_per_lane)]

    def possible(self, wanted: Operation) -> Operation:
        """The operation, without the points that have to be there and are not."""
        if wanted.kind not in OF_POINTS_THAT_ARE_THERE:
            return wanted
        there = wanted.indexes[self.is_there[wanted.indexes]]
        return replace(wanted, indexes=there)

    def apply(self, done: Operation, cut: slice = slice(None)) -> None:
        indexes, bits = done.indexes[cut], done.vectors_present()[cut]
        if done.kind is Kind.DELETE:
            self.is_there[indexes] = False
        if done.kind in UPSERTS:
            self.is_there[indexes] = True
        if done.kind in UPSERTS or done.kind is Kind.DELETE:
            self.versions[:, indexes] = 0
        for which, bit in enumerate((BIG, SMALL, WORDS)):
            version = 0 if done.kind is Kind.DELETE_VECTORS else done.version
            self.versions[which, indexes[(bits & bit) != 0]] = version
        for index in indexes.tolist():
            before = self.payloads[index]
            self.payloads[index] = {} if done.kind is Kind.DELETE else done.changed(index, before)
