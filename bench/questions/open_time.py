"""Opening a large store: how long until the first search has answered, cold and warm.

Each opening is a process of its own. `codes_read_s` is a plain sequential read of the codes in the
same state of the cache; a cold opening should take no more than that and 0.3 s.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from bench import machine, report
from bench.question import Setting, large_store

CHILD = """
import asyncio, sys, time
import numpy as np
import asyncstore
begin = time.perf_counter()
async def main():
    config = {"storage": {"performance": {"prewarm": False}}}
    async with asyncstore.open_store(sys.argv[1], config=config) as store:
        opened = time.perf_counter() - begin
        collection = await store.get_collection("rows")
        hits = await collection.search(np.ones(int(sys.argv[2]), dtype=np.float32), limit=10)
        print(opened, time.perf_counter() - begin, len(hits))
asyncio.run(main())
"""


def answer(setting: Setting) -> list[report.Row]:
    folder = asyncio.run(large_store(setting))
    codes = machine.store_files(folder, ".codes")
    dim = setting.data.vectors.shape[1]
    machine.warm_host(machine.store_files(folder))
    seen: dict[str, list[tuple[float, float, float]]] = {"cold": [], "warm": []}
    for _ in range(min(setting.rounds, 5)):
        for cache in ["cold", "warm"]:
            if cache == "cold":
                machine.drop_cache(codes)
            plain = _read_seconds(codes)
            if cache == "cold":
                machine.drop_cache(machine.store_files(folder))  # an opening renames log files
            done = subprocess.run(
                [sys.executable, "-c", CHILD, str(folder), str(dim)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            opened, answered, _ = done.stdout.split()
            seen[cache].append((float(opened), float(answered), plain))
    rows = []
    for cache, values in seen.items():
        opened, answered, plain = np.median(np.array(values), axis=0).tolist()
        rows.append(
            {
                "rows": setting.rows,
                "cache": cache,
                "opened_s": opened,
                "first_answer_s": answered,
                "codes_read_s": plain,
                "beyond_reading_s": answered - plain,
            }
        )
    report.bars(
        setting.results,
        "open_time",
        f"From opening {setting.rows:,} points to the first answer",
        "seconds",
        {row["cache"]: row["first_answer_s"] for row in rows},
    )
    return rows


def _read_seconds(paths: list[Path]) -> float:
    begin = time.perf_counter()
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
    return time.perf_counter() - begin
