"""zvec: HNSW over int8 codes with and without its refiner, and its DiskANN index."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.compare.engine import Engine, Ids, Setting, Values
from bench.compare.exact import Floats

ROWS_AT_ONCE = 1_000


class Zvec(Engine):
    name = "zvec"
    builds: ClassVar[dict[str, Values]] = {
        "int8 m16": {"m": 16, "ef_construction": 100},
        "DiskANN": {"max_degree": 64, "list_size": 100},
    }
    settings = (
        *(
            Setting(f"int8 ef{ef} r2", "int8 m16", search={"ef": ef, "refine": 2.0})
            for ef in (64, 128, 256)
        ),
        Setting("int8 ef128 no rescoring", "int8 m16", search={"ef": 128}),
        *(
            Setting(f"DiskANN L{size}", "DiskANN", search={"list_size": size})
            for size in (40, 80, 160)
        ),
        Setting("int8 100 ef256 r2.4", "int8 m16", limit=100, search={"ef": 256, "refine": 2.4}),
    )

    async def build(self, folder: Path, rows: Floats, build: str) -> None:
        import zvec

        wanted = self.builds[build]
        zvec.init(log_level=zvec.LogLevel.ERROR)
        index = (
            zvec.DiskAnnIndexParam(
                metric_type=zvec.MetricType.COSINE,
                max_degree=wanted["max_degree"],
                list_size=wanted["list_size"],
            )
            if build == "DiskANN"
            else zvec.HnswIndexParam(
                metric_type=zvec.MetricType.COSINE,
                m=wanted["m"],
                ef_construction=wanted["ef_construction"],
                quantize_type=zvec.QuantizeType.INT8,
            )
        )
        schema = zvec.CollectionSchema(
            name="rows",
            fields=[],
            vectors=zvec.VectorSchema(
                "vector", zvec.DataType.VECTOR_FP32, rows.shape[1], index_param=index
            ),
        )
        # The folder itself must be zvec's own making.
        collection = zvec.create_and_open(str(folder / "rows"), schema)
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            part = np.asarray(rows[begin : begin + ROWS_AT_ONCE])
            docs = [
                zvec.Doc(id=str(begin + number), vectors={"vector": vector})
                for number, vector in enumerate(part)
            ]
            failed = [status for status in collection.insert(docs) if not status.ok()]
            if failed:
                raise RuntimeError(f"zvec refuses {len(failed)} rows: {failed[0].message()}")
        collection.optimize()
        collection.flush()
        collection.close()

    async def open(self, folder: Path, setting: Setting) -> None:
        import zvec

        zvec.init(log_level=zvec.LogLevel.ERROR)
        self._zvec = zvec
        self._collection = zvec.open(
            str(folder / "rows"), zvec.CollectionOption(read_only=True, enable_mmap=True)
        )

    async def close(self) -> None:
        self._collection.close()

    def search_threads(self, query: Floats, setting: Setting) -> Ids:
        asked = self._zvec.Query("vector", vector=query, param=self._param(setting.search))
        hits = self._collection.query(asked, topk=setting.limit, output_fields=[])
        return np.fromiter((int(hit.id) for hit in hits), dtype=np.int64, count=len(hits))

    def _param(self, search: Values) -> Any:
        if "list_size" in search:
            return self._zvec.DiskAnnQueryParam(list_size=search["list_size"])
        refine = search.get("refine")
        return self._zvec.HnswQueryParam(
            ef=search["ef"],
            is_using_refiner=refine is not None,
            scale_factor=0.0 if refine is None else refine,
        )


ENGINE = Zvec
