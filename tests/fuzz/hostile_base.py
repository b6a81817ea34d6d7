"""The store that is damaged: every kind of file, and every value that is in it.

Two vector fields, a sparse vector and a multivector; sealed segments with codes and with deleted
rows, an appendable segment, a point table with a base and changes, payloads of several flushes,
some compressed with a dictionary, aliases, and a log whose last operations no checkpoint includes.
The folder is copied while the store is open, which is what a killed process leaves.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import asyncstore
from asyncstore import models as m
from asyncstore.testing import open_test_store

DIM_A, DIM_B, DIM_M = 8, 4, 3
WAL_CAPACITY_BYTES = 12 << 10
ALIASES = {"letters": "docs", "still": "calm", "old": "docs"}
# What texts are made of, and how much of them makes a dictionary.
PIECES = 128
PIECE_LETTERS = 60
LEARNING_TEXTS, LEARNING_PIECES = 330, 65

# A point's vectors as bytes, None where it has none, its payload's text, its sparse vector and its
# multivector.
Values = tuple[bytes, bytes | None, str, bytes | None, bytes | None]
State = dict[int, Values]


@dataclass
class Base:
    """A folder to be copied, and what "docs" held after each operation since the checkpoint."""

    folder: Path
    states: list[State]
    calm: State  # of the other collection


def config(async_scorer: str = "auto") -> dict[str, object]:
    """Nothing happens in the background: only what a test asks for."""
    optimizers = {
        "indexing_threshold": 0,
        "flush_interval_sec": 3600,
        "default_segment_number": 16,
        "vacuum_min_vector_number": 100_000,
    }
    performance = {"workers": 1, "prewarm": False}
    return {
        "storage": {
            "async_scorer": async_scorer,
            "optimizers": optimizers,
            "performance": performance,
        }
    }


class _Writer:
    """Writes to a collection and remembers what must be in it."""

    def __init__(self, docs: asyncstore.Collection, seed: int, state: State) -> None:
        self.docs = docs
        self.state = dict(state)
        self._rng = np.random.default_rng(seed)
        letters = np.random.default_rng(7).integers(97, 123, (PIECES, PIECE_LETTERS), np.uint8)
        self._pieces = [piece.tobytes().decode() for piece in letters]

    async def upsert(self, ids: range, *, with_b: bool) -> None:
        a = self._rng.standard_normal((len(ids), DIM_A)).astype(np.float32)
        a /= np.linalg.norm(a, axis=1, keepdims=True)
        b = self._rng.standard_normal((len(ids), DIM_B)).astype(np.float32)
        given = {"a": a, "b": b} if with_b else {"a": a}
        texts = [self._text(point_id) for point_id in ids]
        payloads = [{"text": text} if text else None for text in texts]
        words = [self._words(point_id) for point_id in ids]
        rows = [self._rows(point_id) for point_id in ids]
        vectors = {**given, "s": words, "m": rows}
        await self.docs.upsert_arrays(np.array(ids, np.uint64), vectors, payloads)
        for row, point_id in enumerate(ids):
            second = b[row].tobytes() if with_b else None
            sparse, multi = bytes_of(words[row]), rows_bytes(rows[row])
            self.state[point_id] = (a[row].tobytes(), second, texts[row], sparse, multi)

    def _words(self, point_id: int) -> m.SparseVector | None:
        """Every fifth point has none."""
        if point_id % 5 == 0:
            return None
        indices = np.cumsum(self._rng.integers(1, 1000, int(self._rng.integers(0, 40))))
        values = self._rng.standard_normal(len(indices)).astype(np.float32)
        return m.SparseVector(indices=indices.tolist(), values=values.tolist())

    def _rows(self, point_id: int) -> NDArray[np.float32] | None:
        """Every sixth point has none."""
        if point_id % 6 == 0:
            return None
        return self._rng.standard_normal((int(self._rng.integers(1, 20)), DIM_M), np.float32)

    def _text(self, point_id: int) -> str:
        """Every seventh point has no payload; some fill several blocks."""
        return "" if point_id % 7 == 0 else self._pieced(7)[: int(self._rng.integers(1, 400))]

    def _pieced(self, pieces: int) -> str:
        """Nothing repeats in a short text, but much in all of them."""
        return "".join(self._rng.choice(self._pieces, pieces))

    async def learn(self, point_id: int) -> None:
        """Writes one payload again and again, until there is a dictionary."""
        for _ in range(LEARNING_TEXTS):
            text = self._pieced(LEARNING_PIECES)
            await self.docs.overwrite_payload({"text": text}, points=[point_id])
        await self.docs.clear_payload(points=[point_id])
        first, second, _, *others = self.state[point_id]
        self.state[point_id] = (first, second, "", *others)

    async def delete(self, ids: range) -> None:
        await self.docs.delete(points=np.array(ids, np.uint64))
        for point_id in ids:
            self.state.pop(point_id, None)


def bytes_of(vector: m.SparseVector | None) -> bytes | None:
    if vector is None:
        return None
    values = np.asarray(vector.values, np.float32)
    return np.asarray(vector.indices, np.uint32).tobytes() + values.tobytes()


def rows_bytes(rows: object) -> bytes | None:
    return None if rows is None else np.asarray(rows, np.float32).tobytes()


def _vectors() -> dict[str, m.VectorParams]:
    int8 = m.ScalarQuantization(
        scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=1.0)
    )
    return {
        "a": m.VectorParams(size=DIM_A, distance=m.Distance.DOT, quantization_config=int8),
        "b": m.VectorParams(size=DIM_B, distance=m.Distance.EUCLID),
        "m": m.VectorParams(
            size=DIM_M,
            distance=m.Distance.DOT,
            multivector_config=m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM),
            quantization_config=int8,
        ),
    }


async def _create(store: asyncstore.Store, name: str) -> asyncstore.Collection:
    return await store.create_collection(
        name, vectors=_vectors(), sparse_vectors={"s": m.SparseVectorParams()}
    )


async def make_base(work: Path) -> Base:
    live, folder = work / "live", work / "base"

    def opening() -> asyncstore.store.OpenStore:
        return open_test_store(live, config=config(), wal_capacity_bytes=WAL_CAPACITY_BYTES)

    async with opening() as store:
        writer = _Writer(await _create(store, "docs"), 1, {})
        await writer.upsert(range(300), with_b=True)
        await writer.learn(0)
        await writer.docs.optimize()
        await writer.upsert(range(250, 420), with_b=False)
        await writer.delete(range(0, 60, 2))
        await writer.docs.optimize()
        await writer.upsert(range(400, 500), with_b=True)
        calm = _Writer(await _create(store, "calm"), 2, {})
        await calm.upsert(range(40), with_b=True)
        await store.update_aliases(
            [
                {"create_alias": {"alias_name": alias, "collection_name": name}}
                for alias, name in ALIASES.items()
            ]
        )
    async with opening() as store:
        writer = _Writer(await store.get_collection("docs"), 3, writer.state)
        states = [writer.state.copy()]
        for step in range(17):
            if step % 3 == 2:
                await writer.delete(range(100 + step, 130, 3))
            else:
                await writer.upsert(range(470 + 6 * step, 510 + 6 * step), with_b=step % 2 == 0)
            states.append(writer.state.copy())
        shutil.copytree(live, folder)
    # A store that is closed has no spare files of its log; one that was killed may have.
    log = next((folder / "collections").glob("*/wal/*.wal"))
    shutil.copyfile(log, folder / "collections" / "2" / "wal" / "spare-1")
    shutil.rmtree(live)
    return Base(folder, states, calm.state)
