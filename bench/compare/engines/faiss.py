"""faiss: codes in RAM, candidates rescored by rows of a memory map; what a careful user builds."""

import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.compare.engine import Engine, Ids, Setting, Values, Way
from bench.compare.exact import Floats

INDEX = "index.faiss"
ROWS = "rows.npy"
ROWS_AT_ONCE = 20_000
TRAINING_ROWS = 200_000


class Faiss(Engine):
    """`rescored` rows are read for each query; 0 returns the estimates' order."""

    name = "faiss"
    ways = (Way.THREADS, Way.BATCH)
    builds: ClassVar[dict[str, Values]] = {
        "HNSW-SQ8": {"m": 16, "ef_construction": 100},
        "IVF-RaBitQ": {"lists_per_root": 4},
    }
    settings = (
        *(
            Setting(f"HNSW ef{ef} r{rescored}", "HNSW-SQ8", search={"ef": ef, "rescored": rescored})
            for ef, rescored in ((64, 20), (128, 20), (256, 40))
        ),
        Setting("HNSW ef128 no rescoring", "HNSW-SQ8", search={"ef": 128, "rescored": 0}),
        *(
            Setting(
                f"RaBitQ p{probes} r{rescored}",
                "IVF-RaBitQ",
                search={"probes": probes, "rescored": rescored},
            )
            for probes, rescored in ((32, 100), (64, 100), (128, 200))
        ),
        Setting("HNSW 100 ef256 r240", "HNSW-SQ8", 100, {"ef": 256, "rescored": 240}),
    )

    async def build(self, folder: Path, rows: Floats, build: str) -> None:
        import faiss

        wanted = self.builds[build]
        dim = rows.shape[1]
        if build == "HNSW-SQ8":
            index = faiss.IndexHNSWSQ(
                dim, faiss.ScalarQuantizer.QT_8bit, wanted["m"], faiss.METRIC_INNER_PRODUCT
            )
            index.hnsw.efConstruction = wanted["ef_construction"]
        else:
            lists = int(float(wanted["lists_per_root"] or 4) * len(rows) ** 0.5)
            index = faiss.index_factory(dim, f"IVF{lists},RaBitQ", faiss.METRIC_INNER_PRODUCT)
        chosen = np.random.default_rng(1).permutation(len(rows))[:TRAINING_ROWS]
        index.train(np.ascontiguousarray(rows[np.sort(chosen)]))
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            index.add(np.ascontiguousarray(rows[begin : begin + ROWS_AT_ONCE]))
        faiss.write_index(index, str(folder / INDEX))
        if isinstance(rows, np.memmap) and rows.filename is not None:
            os.link(rows.filename, folder / ROWS)  # the same bytes: a copy would only take room
        else:
            np.save(folder / ROWS, rows)

    async def open(self, folder: Path, setting: Setting) -> None:
        import mmap

        import faiss

        self._faiss = faiss
        # Requests of ours run side by side: within one of them a single thread.
        faiss.omp_set_num_threads(1)
        self._index = faiss.read_index(str(folder / INDEX))
        self._rows = np.load(folder / ROWS, mmap_mode="r")
        # Without this one fault reads the whole of the device's read-ahead.
        self._rows.base.madvise(mmap.MADV_RANDOM)

    def search_threads(self, query: Floats, setting: Setting) -> Ids:
        wanted = int(setting.search.get("rescored") or 0)
        _, found = self._index.search(
            query[None], max(wanted, setting.limit), params=self._params(setting.search)
        )
        return self._rescored(query, found[0], wanted, setting.limit)

    async def search_batch(self, queries: Floats, setting: Setting) -> Ids:
        wanted = int(setting.search.get("rescored") or 0)
        self._faiss.omp_set_num_threads(0)
        _, found = self._index.search(
            queries, max(wanted, setting.limit), params=self._params(setting.search)
        )
        self._faiss.omp_set_num_threads(1)
        rows = [
            self._rescored(query, ids, wanted, setting.limit)
            for query, ids in zip(queries, found, strict=True)
        ]
        return np.stack(rows)

    def _rescored(self, query: Floats, ids: Ids, wanted: int, limit: int) -> Ids:
        if wanted == 0:
            return ids[:limit]
        ids = np.sort(ids[ids >= 0])  # in the order of the file
        exact = self._rows[ids] @ query
        return ids[np.argsort(-exact, kind="stable")[:limit]]

    def _params(self, search: Values) -> Any:
        if "ef" in search:
            return self._faiss.SearchParametersHNSW(efSearch=search["ef"])
        return self._faiss.IVFRaBitQSearchParameters(nprobe=search["probes"], qb=8)


ENGINE = Faiss
