"""Resident memory of a large store, by the kernel's count, beside what statistics() says."""

import asyncio
import json
import subprocess
import sys

from bench import report
from bench.question import Setting, large_store

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
    folder = asyncio.run(large_store(setting))
    dim = setting.data.vectors.shape[1]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(dim)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seen = json.loads(done.stdout)
    points = seen["points"]
    codes = points * dim
    told = sum(seen["ram"].values())
    kernel = seen["after"] - seen["before"]
    rows = [
        {
            "points": points,
            "codes_mib": codes / 2**20,
            "resident_mib": kernel / 2**20,
            "statistics_mib": told / 2**20,
            "resident_beyond_codes_per_point": (kernel - codes) / points,
            "statistics_over_kernel": told / kernel,
        }
    ]
    report.bars(
        setting.results,
        "memory",
        f"Resident bytes a point ({dim} dimensions, int8)",
        "bytes a point",
        {"codes": float(dim), "beyond codes": rows[0]["resident_beyond_codes_per_point"]},
    )
    return rows
