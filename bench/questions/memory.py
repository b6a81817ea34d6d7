"""Resident memory of large stores, by the kernel's count, beside what statistics() says."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from asyncstore import models as m
from bench import report
from bench.dataset import grow
from bench.question import INT8, Setting, fill, rabitq

CODES: dict[str, m.QuantizationConfig] = {
    "int8": INT8,
    "4 bits": rabitq(4),
    "1 bit": rabitq(1),
}

CHILD = """
import asyncio, gc, json, sys
import numpy as np
import asyncstore
def resident():
    gc.collect()
    for line in open("/proc/self/smaps_rollup"):
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
async def main():
    config = {"storage": {"performance": {"prewarm": False}}}
    before = resident()
    async with asyncstore.open_store(sys.argv[1], config=config) as store:
        collection = await store.get_collection("rows")
        await collection.search(np.ones(int(sys.argv[2]), dtype=np.float32), limit=10)
        statistics = collection.statistics()
        after = resident()
        print(json.dumps({"before": before, "after": after, "points": statistics.points,
                          "ram": statistics.ram_bytes}))
asyncio.run(main())
"""


def answer(setting: Setting) -> list[report.Row]:
    vectors = grow(setting.data.vectors, setting.rows, seed=1)
    rows = []
    for name, codes in CODES.items():
        folder = setting.folder / f"memory {name}"
        asyncio.run(fill(folder, vectors, codes))
        rows.append({"codes": name, **_resident(folder, vectors.shape[1])})
    report.bars(
        setting.results,
        "memory",
        f"Resident bytes a point ({vectors.shape[1]} dimensions)",
        "bytes a point",
        {row["codes"]: row["resident_bytes"] for row in rows},
    )
    return rows


def _resident(folder: Path, dim: int) -> report.Row:
    """Bytes a point: of each thing that statistics() tells of, of all, and by the kernel."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(dim)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seen = json.loads(done.stdout)
    points = seen["points"]
    told = sum(seen["ram"].values())
    kernel = seen["after"] - seen["before"]
    return {
        "points": points,
        **{f"{what}_bytes": held / points for what, held in seen["ram"].items() if held > 0},
        "statistics_bytes": told / points,
        "resident_bytes": kernel / points,
        "statistics_over_kernel": told / kernel,
    }
