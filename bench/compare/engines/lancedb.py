"""LanceDB: IVF with int8 HNSW, and IVF with RaBitQ, both refined from the table."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.compare.engine import Engine, Ids, Setting, Values, Way
from bench.compare.exact import Floats

ROWS_AT_ONCE = 50_000
TABLE = "rows"


class LanceDb(Engine):
    """`probes` of the lists; `refine` times the limit read exactly, none if absent."""

    name = "lancedb"
    ways = (Way.ASYNCIO, Way.THREADS)
    builds: ClassVar[dict[str, Values]] = {
        "IVF_HNSW_SQ": {"m": 16, "ef_construction": 100},
        "IVF_RQ": {"bits": 1},
    }
    settings = (
        *(
            Setting(
                f"HNSW_SQ p{probes} r{refine}",
                "IVF_HNSW_SQ",
                search={"probes": probes, "ef": 128, "refine": refine},
            )
            for probes, refine in ((4, 2), (8, 4), (16, 4))
        ),
        *(
            Setting(f"RQ p{probes} r10", "IVF_RQ", search={"probes": probes, "refine": 10})
            for probes in (20, 40, 80)
        ),
        Setting(
            "HNSW_SQ 100 p8 r2",
            "IVF_HNSW_SQ",
            limit=100,
            search={"probes": 8, "ef": 256, "refine": 2},
        ),
    )

    async def build(self, folder: Path, rows: Floats, build: str) -> None:
        import lancedb
        import pyarrow as pa
        from lancedb.index import HnswSq, IvfRq

        dim = rows.shape[1]
        schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), dim))])

        def batches() -> Any:
            for begin in range(0, len(rows), ROWS_AT_ONCE):
                part = np.ascontiguousarray(rows[begin : begin + ROWS_AT_ONCE])
                vectors = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), dim)
                ids = pa.array(np.arange(begin, begin + len(part)))
                yield pa.RecordBatch.from_arrays([ids, vectors], schema=schema)

        wanted = self.builds[build]
        database = await lancedb.connect_async(str(folder))
        table = await database.create_table(
            TABLE, pa.RecordBatchReader.from_batches(schema, batches())
        )
        config = (
            HnswSq(distance_type="cosine", m=wanted["m"], ef_construction=wanted["ef_construction"])
            if build == "IVF_HNSW_SQ"
            else IvfRq(distance_type="cosine", num_bits=wanted["bits"])
        )
        await table.create_index("vector", config=config)

    async def open(self, folder: Path, setting: Setting) -> None:
        import lancedb

        database = await lancedb.connect_async(str(folder))
        self._table = await database.open_table(TABLE)
        self._blocking = lancedb.connect(str(folder)).open_table(TABLE)

    async def search_asyncio(self, query: Floats, setting: Setting) -> Ids:
        asked = self._table.query().nearest_to(query).distance_type("cosine")
        found = await _with(asked, setting).to_arrow()
        return _ids(found)

    def search_threads(self, query: Floats, setting: Setting) -> Ids:
        asked = self._blocking.search(query).distance_type("cosine")
        return _ids(_with(asked, setting).to_arrow())


def _with(asked: Any, setting: Setting) -> Any:
    search = setting.search
    asked = asked.select(["id"]).limit(setting.limit).nprobes(search["probes"])
    if "ef" in search:
        asked = asked.ef(search["ef"])
    if "refine" in search:
        asked = asked.refine_factor(search["refine"])
    return asked


def _ids(found: Any) -> Ids:
    ids: Ids = found.column("id").to_numpy().astype(np.int64)
    return ids


ENGINE = LanceDb
