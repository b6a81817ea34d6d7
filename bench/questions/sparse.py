"""Sparse vectors: the ten best of each query, one at a time and 16 at once, beside a peer."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import asyncstore
from asyncstore import models as m
from bench import report
from bench.question import Setting, opened, percentile, search_all

LIMIT = 10
INFLIGHT = (1, 16)
QUERIES = 200
DIMS = 30_000
ELEMENTS = 100
BLOCK_ROWS = 10_000
UPSERT_ROWS = 50_000
PEER = Path(__file__).parents[1] / "sparse_peer.py"
# The interpreter of an environment that has the peer.
PEER_PYTHON = Path(os.environ.get("ASYNCSTORE_PEER_PYTHON", ".venv-peers/bin/python"))


@dataclass(frozen=True)
class Csr:
    """Rows as in a CSR matrix."""

    indptr: NDArray[np.uint64]
    indices: NDArray[np.uint32]
    data: NDArray[np.float32]
    format: str = "csr"

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def part(self, begin: int, end: int) -> "Csr":
        """Some of the rows."""
        first, last = int(self.indptr[begin]), int(self.indptr[end])
        offsets = self.indptr[begin : end + 1] - self.indptr[begin]
        return Csr(offsets, self.indices[first:last], self.data[first:last])

    def row(self, row: int) -> m.SparseVector:
        """One of them."""
        one = self.part(row, row + 1)
        return m.SparseVector(indices=one.indices, values=one.data)

    def save(self, path: Path) -> Path:
        """As the peer takes it."""
        np.savez(path, offsets=self.indptr, indices=self.indices, values=self.data)
        return path


def answer(setting: Setting) -> list[report.Row]:
    return asyncio.run(_measure(setting))


async def _measure(setting: Setting) -> list[report.Row]:
    rng = np.random.default_rng(7)
    numbers = rng.permutation(DIMS).astype(np.uint32)
    rows = _rows(rng, numbers, np.full(setting.rows, ELEMENTS))
    queries = _rows(rng, numbers, rng.integers(30, 51, QUERIES))
    exact = _best(rows, queries)
    async with opened(setting.folder / "sparse", durability="none") as store:
        docs = await store.create_collection(
            "docs", sparse_vectors={"text": m.SparseVectorParams()}
        )
        begin_s = time.perf_counter()
        for begin in range(0, len(rows), UPSERT_ROWS):
            end = min(begin + UPSERT_ROWS, len(rows))
            await docs.upsert_arrays(np.arange(begin, end), {"text": rows.part(begin, end)})
        built_s = time.perf_counter() - begin_s
        with _peer(setting, rows, queries) as peer:
            return await _compare(store, docs, queries, exact, built_s, peer, setting.rounds)


async def _compare(
    store: asyncstore.Store,
    docs: asyncstore.Collection,
    queries: Csr,
    exact: list[set[int]],
    built_s: float,
    peer: "Peer | None",
    rounds: int,
) -> list[report.Row]:
    wanted = [queries.row(row) for row in range(len(queries))]
    tables: list[report.Row] = []
    for inflight in INFLIGHT:
        own = Answers()
        other = Answers()
        before = store.statistics()
        for _ in range(rounds):
            begin_s = time.perf_counter()
            found = await search_all(
                docs,
                wanted,
                inflight,
                own.late,
                limit=LIMIT,
                using="text",  # type: ignore[arg-type]
            )
            own.add(time.perf_counter() - begin_s, found)
            if peer is not None:
                given = peer.ask({"search": inflight, "queries": peer.queries, "limit": LIMIT})
                other.late += given["late"]
                other.add(given["seconds"], given["found"])
                other.resident_bytes = given["resident_bytes"]
        after = store.statistics()
        count = rounds * len(queries)
        own.resident_bytes = docs.statistics().ram_bytes["sparse"]
        tables.append(
            {
                "engine": "asyncstore",
                "inflight": inflight,
                **own.figures(exact),
                "reads_a_query": (after.reads_submitted - before.reads_submitted) / count,
                "kb_a_query": (after.read_bytes - before.read_bytes) / count / 1e3,
                "build_s": built_s,
            }
        )
        if peer is not None:
            tables.append(
                {
                    "engine": "qdrant_edge",
                    "inflight": inflight,
                    **other.figures(exact),
                    "reads_a_query": float("nan"),
                    "kb_a_query": float("nan"),
                    "build_s": peer.built_s,
                }
            )
    return tables


class Answers:
    """What an engine answered in all rounds."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.seconds: list[float] = []
        self.found: list[list[int]] = []
        self.resident_bytes = 0

    def add(self, seconds: float, found: list[list[int]]) -> None:
        """Those of one round."""
        self.seconds.append(seconds)
        self.found = found

    def figures(self, exact: list[set[int]]) -> report.Row:
        """In the words of the table."""
        hits = [len(set(ids) & best) for ids, best in zip(self.found, exact, strict=True)]
        return {
            "recall": float(np.sum(hits)) / sum(map(len, exact)),
            "qps": len(self.found) / float(np.median(self.seconds)),
            "p50_ms": percentile(self.late, 50) * 1e3,
            "p99_ms": percentile(self.late, 99) * 1e3,
            "ram_mb": self.resident_bytes / 1e6,
        }


class Peer:
    """The other engine, in its own process."""

    def __init__(self, process: subprocess.Popen[str], queries: Path) -> None:
        self._process = process
        self.queries = str(queries)
        self.built_s = float("nan")

    def ask(self, asked: dict[str, object]) -> dict[str, Any]:
        """Waits for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        given: dict[str, Any] = json.loads(self._process.stdout.readline())
        return given


@contextmanager
def _peer(setting: Setting, rows: Csr, queries: Csr) -> Iterator[Peer | None]:
    """With all rows, if it is installed."""
    if not PEER_PYTHON.exists():
        print(f"no peer: {PEER_PYTHON} is not there", file=sys.stderr)
        yield None
        return
    paths = [
        part.save(setting.folder / f"{name}.npz")
        for name, part in (("rows", rows), ("queries", queries))
    ]
    with subprocess.Popen(
        [str(PEER_PYTHON), str(PEER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        peer = Peer(process, paths[1])
        folder = setting.folder / "peer"
        folder.mkdir()
        given = peer.ask({"build": str(folder), "rows": str(paths[0])})
        peer.built_s = given["seconds"]
        yield peer
        assert process.stdin is not None
        process.stdin.close()


def _rows(rng: np.random.Generator, numbers: NDArray[np.uint32], sizes: NDArray[np.int64]) -> Csr:
    """Rows of so many elements: dimension k is drawn as often as 1 / k says; log-normal weights."""
    shares = np.cumsum(1 / np.arange(1, DIMS + 1))
    shares /= shares[-1]
    parts = []
    for begin in range(0, len(sizes), BLOCK_ROWS):
        block = sizes[begin : begin + BLOCK_ROWS]
        drawn = np.searchsorted(shares, rng.random((len(block), 3 * int(block.max()))))
        drawn.sort(axis=1)
        is_first = np.ones(drawn.shape, np.bool_)
        is_first[:, 1:] = drawn[:, 1:] != drawn[:, :-1]
        # Of the different ones so many at random.
        order = np.argsort(np.where(is_first, rng.random(drawn.shape), 2.0), axis=1)
        for row, size in enumerate(block):
            parts.append(np.sort(numbers[drawn[row, order[row, : int(size)]]]))
    indices = np.concatenate(parts)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint64)
    values = rng.lognormal(-0.5, 0.7, len(indices)).astype(np.float32)
    return Csr(offsets, indices, values)


def _best(rows: Csr, queries: Csr) -> list[set[int]]:
    """The true ones of each query, in float64."""
    best = []
    owners = np.repeat(np.arange(len(rows)), np.diff(rows.indptr).astype(np.int64))
    # The elements of each dimension stand together.
    order = np.argsort(rows.indices, kind="stable")
    begins = np.searchsorted(rows.indices[order], np.arange(DIMS + 1))
    for number in range(len(queries)):
        query = queries.part(number, number + 1)
        scores = np.zeros(len(rows))
        for index, weight in zip(query.indices.tolist(), query.data.tolist(), strict=True):
            at = order[begins[index] : begins[index + 1]]
            scores[owners[at]] += weight * rows.data[at].astype(np.float64)
        nearest = np.argpartition(-scores, LIMIT)[:LIMIT]
        best.append(set(nearest[scores[nearest] > 0].tolist()))
    return best
