"""Points with payload and a sparse vector, written twice, beside Qdrant Edge.

The load is the one that Qdrant's Gridstore was announced with: every point is inserted, then
overwritten; it has one dense dimension, a sparse vector of 100 elements among 5,000, and a payload
of five fields with 512 characters of text, which is set by a request of its own for each batch of
100 points. `dip` is the slowest half second as a share of the median; the last of a run is left
out. Qdrant Edge writes its log without syncing it at each update, as asyncstore does with `flush`;
`fsync` survives a power cut at any moment.
"""

import asyncio
import shutil
import string
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asyncstore import models as m
from bench import report
from bench.question import Setting, opened

BATCH = 100
IN_FLIGHT = 8  # batches of asyncstore; Qdrant Edge's calls are synchronous
ELEMENTS, SPARSE_DIM = 100, 5_000
TEXT_CHARACTERS = 512
POOL = 500  # different batches; ids tell the points apart
WINDOW_S = 0.5


@dataclass
class Csr:
    """The sparse vectors of a batch."""

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray


@dataclass
class Batch:
    """What a batch holds besides its ids."""

    dense: np.ndarray
    sparse: Csr
    payload: dict[str, object]


class Progress:
    """When how many points were written."""

    def __init__(self) -> None:
        self.begin = time.perf_counter()
        self.done: list[float] = []  # for each batch

    def add(self) -> None:
        self.done.append(time.perf_counter() - self.begin)

    @property
    def seconds(self) -> float:
        return self.done[-1]

    @property
    def points_s(self) -> np.ndarray:
        """In each window of half a second, but the last."""
        windows = np.bincount((np.array(self.done) / WINDOW_S).astype(int))
        return windows[:-1] * BATCH / WINDOW_S


def answer(setting: Setting) -> list[report.Row]:
    pool = list(_batches(POOL))
    runs = {
        "asyncstore flush": lambda folder: asyncio.run(_asyncstore(setting, pool, folder, "flush")),
        "Qdrant Edge": lambda folder: _edge(setting, pool, folder),
        "asyncstore fsync": lambda folder: asyncio.run(_asyncstore(setting, pool, folder, "fsync")),
    }
    rows: list[report.Row] = []
    lines: dict[str, np.ndarray] = {}
    for name, run in runs.items():
        folder = setting.folder / "ingestion"
        shutil.rmtree(folder, ignore_errors=True)
        progress = run(folder)
        lines[name] = progress.points_s
        rows.append(
            {
                "store": name,
                "points": 2 * setting.rows,
                "seconds": progress.seconds,
                "points_s": 2 * setting.rows / progress.seconds,
                "median_s": float(np.median(progress.points_s)),
                "dip": float(progress.points_s.min() / np.median(progress.points_s)),
                "disk_mib": sum(file.stat().st_blocks for file in folder.rglob("*")) / 2048,
            }
        )
        shutil.rmtree(folder)
    edge = next(row["points_s"] for row in rows if row["store"] == "Qdrant Edge")
    for row in rows:
        row["over_edge"] = row["points_s"] / edge
    report.lines(
        setting.results,
        "ingestion",
        f"{setting.rows:,} points inserted, then overwritten, payload in a request of its own",
        ("seconds", "points a second"),
        {name: (np.arange(len(line)) * WINDOW_S, line) for name, line in lines.items()},
    )
    return rows


async def _asyncstore(
    setting: Setting, pool: list[Batch], folder: Path, durability: str
) -> Progress:
    async with opened(folder, durability=durability) as store:
        points = await store.create_collection(
            "points",
            vectors=m.VectorParams(size=1, distance=m.Distance.DOT),
            sparse_vectors={"sparse": m.SparseVectorParams()},
        )
        progress = Progress()
        batches = _all_batches(setting.rows)

        async def write() -> None:
            for number, ids in batches:
                batch = pool[number % len(pool)]
                await points.upsert_arrays(ids, {"": batch.dense, "sparse": batch.sparse})
                await points.set_payload(batch.payload, points=ids)
                progress.add()

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(write())
        assert await points.count() == setting.rows
    return progress


def _edge(setting: Setting, pool: list[Batch], folder: Path) -> Progress:
    try:
        import qdrant_edge as edge
    except ImportError as error:
        raise SystemExit("Qdrant Edge is missing: pip install 'asyncstore[peers]'") from error
    folder.mkdir(parents=True)
    shard = edge.EdgeShard.create(
        str(folder),
        edge.EdgeConfig(
            vectors={"": edge.EdgeVectorParams(size=1, distance=edge.Distance.Dot)},
            sparse_vectors={"sparse": edge.EdgeSparseVectorParams(on_disk=True)},
            on_disk_payload=True,
        ),
    )
    sparse = [
        [
            edge.SparseVector(
                indices=batch.sparse.indices[row * ELEMENTS : (row + 1) * ELEMENTS].tolist(),
                values=batch.sparse.data[row * ELEMENTS : (row + 1) * ELEMENTS].tolist(),
            )
            for row in range(BATCH)
        ]
        for batch in pool
    ]
    progress = Progress()
    for number, ids in _all_batches(setting.rows):
        batch = pool[number % len(pool)]
        points = [
            edge.Point(int(point_id), {"": vector, "sparse": words})
            for point_id, vector, words in zip(
                ids, batch.dense.tolist(), sparse[number % len(pool)], strict=True
            )
        ]
        shard.update(edge.UpdateOperation.upsert_points(points))
        shard.update(edge.UpdateOperation.set_payload(ids.tolist(), batch.payload))
        progress.add()
    shard.close()
    return progress


def _all_batches(points: int) -> Iterator[tuple[int, np.ndarray]]:
    """Number and ids of each batch; all points, then all again."""
    for number in range(2 * points // BATCH):
        first = number * BATCH % points
        yield number, np.arange(first, first + BATCH, dtype=np.uint64)


def _batches(count: int) -> Iterator[Batch]:
    random = np.random.default_rng(7)
    letters = np.array(list(string.ascii_letters + string.digits + "     "))
    for number in range(count):
        indices = np.concatenate(
            [
                np.sort(random.choice(SPARSE_DIM, ELEMENTS, replace=False)).astype(np.uint32)
                for _ in range(BATCH)
            ]
        )
        yield Batch(
            random.random((BATCH, 1), np.float32),
            Csr(
                np.arange(BATCH + 1) * ELEMENTS,
                indices,
                random.random(BATCH * ELEMENTS, np.float32),
            ),
            {
                "keyword": f"keyword_{number % 100}",
                "bool": number % 2 == 0,
                "float": float(random.random()),
                "int": int(random.integers(100_000)),
                "text": "".join(random.choice(letters, TEXT_CHARACTERS)),
            },
        )
