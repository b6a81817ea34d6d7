"""DiskANN by diskannpy: a Vamana graph on disk, product codes in RAM, O_DIRECT through libaio."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.compare.engine import Engine, Environment, Ids, Setting, Values, Way
from bench.compare.exact import Floats

THREADS = 16


class DiskAnn(Engine):
    """`complexity` is the length of the search list, L in the paper."""

    name = "diskann"
    environment = Environment.DISKANN
    ways = (Way.THREADS, Way.BATCH)
    builds: ClassVar[dict[str, Values]] = {
        # Product codes as large as int8 codes would buy nothing: 96 bytes a row is the usual size.
        "R64": {"complexity": 100, "degree": 64, "code_bytes": 96},
    }
    settings = (
        *(
            Setting(f"L{complexity} W4", "R64", search={"complexity": complexity, "beam": 4})
            for complexity in (20, 40, 80, 160)
        ),
        Setting("100 L240 W4", "R64", limit=100, search={"complexity": 240, "beam": 4}),
    )

    async def build(self, folder: Path, rows: Floats, build: str) -> None:
        import diskannpy

        wanted = self.builds[build]
        # Unit vectors: the order by squared distance is the order by cosine.
        diskannpy.build_disk_index(
            data=np.ascontiguousarray(rows),
            distance_metric="l2",
            index_directory=str(folder),
            complexity=wanted["complexity"],
            graph_degree=wanted["degree"],
            search_memory_maximum=len(rows) * float(wanted["code_bytes"] or 0) / 2**30,
            build_memory_maximum=16.0,
            num_threads=0,
        )

    async def open(self, folder: Path, setting: Setting) -> None:
        import diskannpy

        self._index = diskannpy.StaticDiskIndex(
            index_directory=str(folder),
            num_threads=THREADS,
            num_nodes_to_cache=0,
            cache_mechanism=0,
        )

    def search_threads(self, query: Floats, setting: Setting) -> Ids:
        search = setting.search
        found = self._index.search(
            query, setting.limit, complexity=search["complexity"], beam_width=search["beam"]
        )
        return np.asarray(found.identifiers).astype(np.int64)

    async def search_batch(self, queries: Floats, setting: Setting) -> Ids:
        search = setting.search
        found = self._index.batch_search(
            queries,
            setting.limit,
            complexity=search["complexity"],
            num_threads=THREADS,
            beam_width=search["beam"],
        )
        return np.asarray(found.identifiers).astype(np.int64)


ENGINE = DiskAnn
