"""Sparse search by Qdrant Edge, in a process of its own; answers one JSON line for each it reads.

{"build": folder, "rows": path} makes a shard of a CSR matrix (offsets, indices, values in an .npz);
{"search": inflight, "queries": path, "limit": n} finds the nearest of each. Runs under the
interpreter of the environment that has ``qdrant_edge``, and imports nothing of this project.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import qdrant_edge as edge  # type: ignore[import-not-found,unused-ignore]

NAME = "text"
ROWS_AT_ONCE = 2_000


def build(folder: str, path: str) -> tuple[Any, dict[str, object]]:
    """A shard of all rows, optimized, opened again."""
    config = edge.EdgeConfig(
        vectors={},
        sparse_vectors={NAME: edge.EdgeSparseVectorParams()},
        on_disk_payload=True,
        # One segment, indexed however small it is.
        optimizers=edge.EdgeOptimizersConfig(
            default_segment_number=1, max_segment_size=1 << 30, indexing_threshold=1
        ),
    )
    shard = edge.EdgeShard.create(folder, config)
    rows = np.load(path)
    offsets, indices, values = rows["offsets"], rows["indices"], rows["values"]
    begin_s = time.perf_counter()
    for first in range(0, len(offsets) - 1, ROWS_AT_ONCE):
        points = []
        for row in range(first, min(first + ROWS_AT_ONCE, len(offsets) - 1)):
            cut = slice(offsets[row], offsets[row + 1])
            vector = edge.SparseVector(indices=indices[cut].tolist(), values=values[cut].tolist())
            points.append(edge.Point(row, {NAME: vector}))
        shard.update(edge.UpdateOperation.upsert_points(points))
    while shard.optimize():
        pass
    seconds = time.perf_counter() - begin_s
    shard.close()
    return edge.EdgeShard.load(folder), {"seconds": seconds, "resident_bytes": resident_bytes()}


def search(shard: Any, path: str, inflight: int, limit: int) -> dict[str, object]:
    """The ids that each query finds, and how long each took."""
    queries = np.load(path)
    offsets, indices, values = queries["offsets"], queries["indices"], queries["values"]
    requests = []
    for row in range(len(offsets) - 1):
        cut = slice(offsets[row], offsets[row + 1])
        vector = edge.SparseVector(indices=indices[cut].tolist(), values=values[cut].tolist())
        query = edge.Query.Nearest(vector, using=NAME)
        requests.append(edge.QueryRequest(limit=limit, query=query))

    def one(request: Any) -> tuple[float, list[int]]:
        begin_s = time.perf_counter()
        hits = shard.query(request)
        return time.perf_counter() - begin_s, [hit.id for hit in hits]

    with ThreadPoolExecutor(inflight) as pool:
        begin_s = time.perf_counter()
        found = list(pool.map(one, requests))
        seconds = time.perf_counter() - begin_s
    return {
        "seconds": seconds,
        "late": [late for late, _ in found],
        "found": [ids for _, ids in found],
        "resident_bytes": resident_bytes(),
    }


def resident_bytes() -> int:
    """Of this process, without pages of files."""
    with open("/proc/self/status", encoding="ascii") as status:
        (line,) = (line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Serves until its input ends."""
    shard = None
    for line in sys.stdin:
        asked = json.loads(line)
        if "build" in asked:
            shard, answer = build(asked["build"], asked["rows"])
        else:
            answer = search(shard, asked["queries"], asked["search"], asked["limit"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
