"""The processes that a crasher starts: one writes until it is killed, one reads what is left."""

from __future__ import annotations

import asyncio
import itertools
import os
import pickle
from typing import BinaryIO

import numpy as np

from asyncstore import models as m
from asyncstore.collection import Collection
from asyncstore.testing import open_test_store
from lanes import (
    BIG,
    LANES,
    SMALL,
    SMALL_DIM,
    UPSERTS,
    WORDS,
    Kind,
    LaneState,
    Operation,
    Shape,
    operation,
    point_ids,
    vectors,
    words,
)

# What a writer reports, one byte each: a lane's number for an operation acknowledged, or these.
OPENING, WRITING, CLOSING = 100, 101, 102

SAMPLED_POINTS = 12


async def write(
    folder: str,
    shape: Shape,
    states: list[LaneState],
    life: int,
    durability: str,
    report_fd: int,
) -> None:
    """Writes for ever, opening the store again and again; ends by being killed.

    ``states`` is what the lanes' points are, and is kept up to date.
    """
    rng = np.random.default_rng([shape.seed, 3, life])
    numbers = [itertools.count() for _ in range(LANES)]
    while True:
        os.write(report_fd, bytes([OPENING]))
        opening = open_test_store(
            folder,
            config=shape.config(durability),
            wal_capacity_bytes=shape.wal_capacity_bytes,
        )
        async with opening as store:
            if await store.collection_exists("docs"):
                docs = await store.get_collection("docs")
            else:
                docs = await store.create_collection(
                    "docs",
                    vectors=shape.vector_params(),
                    sparse_vectors={"words": m.SparseVectorParams()},
                )
            os.write(report_fd, bytes([WRITING]))
            writer = _Writer(docs, shape, states, life, report_fd)
            async with asyncio.TaskGroup() as group:
                optimizing = group.create_task(writer.optimize())
                operations = int(rng.integers(3, 80))
                lanes = [
                    group.create_task(writer.lane(lane, numbers[lane], operations))
                    for lane in range(LANES)
                ]
                await asyncio.wait(lanes)
                optimizing.cancel()
            os.write(report_fd, bytes([CLOSING]))


class _Writer:
    def __init__(
        self,
        docs: Collection,
        shape: Shape,
        states: list[LaneState],
        life: int,
        report_fd: int,
    ) -> None:
        self._docs = docs
        self._shape = shape
        self._states = states
        self._life = life
        self._report_fd = report_fd
        self._moved = asyncio.Event()

    async def lane(self, lane: int, numbers: itertools.count[int], operations: int) -> None:
        for number in itertools.islice(numbers, operations):
            todo = self._states[lane].possible(operation(self._shape, self._life, lane, number))
            if len(todo.indexes) > 0:
                await self._do(todo)
            self._states[lane].apply(todo)
            # Before the next one begins: the parent may count on it.
            os.write(self._report_fd, bytes([lane]))
            if number % 4 == 0:
                self._moved.set()

    async def optimize(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self._docs.optimize()

    async def _do(self, todo: Operation) -> None:
        ids = point_ids(todo.lane, todo.indexes)
        if todo.kind is Kind.DELETE:
            await self._docs.delete(points=ids)
            return
        if todo.kind is Kind.DELETE_VECTORS:
            await self._docs.delete_vectors(["big", "words"], points=ids)
        elif todo.kind is Kind.SET_PAYLOAD:
            await self._docs.set_payload(todo.change, points=ids, key=todo.key)
        elif todo.kind is Kind.OVERWRITE_PAYLOAD:
            await self._docs.overwrite_payload(todo.change, points=ids, key=todo.key)
        elif todo.kind is Kind.DELETE_PAYLOAD:
            await self._docs.delete_payload(todo.deleted_keys, points=ids)
        elif todo.kind is Kind.CLEAR_PAYLOAD:
            await self._docs.clear_payload(points=ids)
        else:
            await self._do_vectors(todo, ids)

    async def _do_vectors(self, todo: Operation, ids: np.ndarray | list[str]) -> None:
        named = vectors_of(self._shape, todo.lane, todo.indexes, todo.version)
        payloads = [todo.payload(index) for index in todo.indexes.tolist()]
        if todo.kind is Kind.UPSERT_MIXED or todo.kind not in UPSERTS:
            by_row = [
                {name: of_points[row] for bit, name, of_points in named if bits & bit}
                for row, bits in enumerate(todo.vectors_present())
            ]
            if todo.kind is Kind.UPDATE_VECTORS:
                await self._docs.update_vectors(
                    [
                        m.PointVectors(id=_plain(point_id), vector=vector)
                        for point_id, vector in zip(ids, by_row, strict=True)
                    ]
                )
                return
            await self._docs.upsert(
                [
                    m.PointStruct(id=_plain(point_id), vector=vector, payload=payload)
                    for point_id, vector, payload in zip(ids, by_row, payloads, strict=True)
                ]
            )
            return
        bits = todo.vectors_present()[0]
        given = {name: of_points for bit, name, of_points in named if bits & bit}
        await self._docs.upsert_arrays(ids, given, payloads)


def vectors_of(
    shape: Shape, lane: int, indexes: np.ndarray, version: int | np.ndarray
) -> list[tuple[int, str, np.ndarray | list[m.SparseVector]]]:
    """Bit, name and values of each vector; versions (3, n), if they are not all the same."""
    big, small, sparse = np.broadcast_to(np.asarray(version, np.int64), (3, *indexes.shape))
    return [
        (BIG, "big", vectors(shape.seed, shape.dim, lane, indexes, big)),
        (SMALL, "small", vectors(shape.seed + 1, SMALL_DIM, lane, indexes, small)),
        (WORDS, "words", words(shape.seed + 2, lane, indexes, sparse)),
    ]


def _plain(point_id: object) -> int | str:
    return point_id if isinstance(point_id, str) else int(point_id)  # type: ignore[call-overload]


class Found:
    """All that a reader found."""

    def __init__(self) -> None:
        self.exists = False
        self.count = 0
        self.ids: list[int | str] = []
        self.vectors: list[dict[str, list[float] | m.SparseVector]] = []
        self.payloads: list[dict[str, object]] = []
        self.rebuilt: list[str] = []
        self.findings: list[str] = []
        self.not_first: list[str] = []  # points that a search for themselves did not find first


async def read(
    folder: str, shape: Shape, life: int, durability: str, answer: BinaryIO, wait_fd: int
) -> None:
    """Opens the store, sends a :class:`Found`, and closes when it is told to (or is killed)."""
    opening = open_test_store(
        folder, config=shape.config(durability), wal_capacity_bytes=shape.wal_capacity_bytes
    )
    async with opening as store:
        found = Found()
        found.exists = await store.collection_exists("docs")
        if found.exists:
            await _read_all(await store.get_collection("docs"), found, shape, life)
        pickle.dump(found, answer)
        answer.flush()
        os.read(wait_fd, 1)


async def _read_all(docs: Collection, found: Found, shape: Shape, life: int) -> None:
    found.rebuilt = docs.statistics().rebuilt
    found.count = await docs.count()
    offset = None
    while True:
        page, offset = await docs.scroll(limit=2048, offset=offset, with_vectors=True)
        found.ids += [record.id for record in page]
        found.vectors += [record.vector for record in page]
        found.payloads += [record.payload for record in page]
        if offset is None:
            break
    rng = np.random.default_rng([shape.seed, 4, life])
    for at in rng.integers(0, max(len(found.ids), 1), SAMPLED_POINTS if found.ids else 0):
        dense = {name: found.vectors[at][name] for name in found.vectors[at] if name != "words"}
        for name, vector in dense.items():
            for exact in (True, False):
                hits = await docs.search(
                    vector, using=name, limit=3, params=m.SearchParams(exact=exact)
                )
                if not hits or hits[0].id != found.ids[at]:
                    found.not_first.append(f"{found.ids[at]} by '{name}', exact={exact}: {hits}")
    found.findings = [f"{one.severity}: {one.text}" for one in await docs.check()]
