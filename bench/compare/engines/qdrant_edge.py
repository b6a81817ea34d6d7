"""Qdrant Edge: one shard, HNSW over int8 codes in RAM, originals mapped from disk."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.compare.engine import Engine, Ids, Setting, Values, Way
from bench.compare.exact import Floats

ROWS_AT_ONCE = 2_000


class QdrantEdge(Engine):
    name = "qdrant_edge"
    ways = (Way.THREADS, Way.BATCH)
    builds: ClassVar[dict[str, Values]] = {"int8 m16": {"m": 16, "ef_construct": 100}}
    settings = (
        *(
            Setting(f"int8 ef{ef} ×{times:g}", "int8 m16", search={"ef": ef, "oversampling": times})
            for ef, times in ((64, 2.0), (96, 2.0), (128, 2.0), (128, 4.0), (256, 4.0))
        ),
        Setting("int8 ef128 no rescoring", "int8 m16", search={"ef": 128, "rescore": False}),
        Setting(
            "int8 100 ef256 ×2.4",
            "int8 m16",
            limit=100,
            search={"ef": 256, "oversampling": 2.4},
        ),
    )

    async def build(self, folder: Path, rows: Floats, build: str) -> None:
        import qdrant_edge as edge

        wanted = self.builds[build]
        shard = edge.EdgeShard.create(
            str(folder),
            edge.EdgeConfig(
                vectors={
                    "": edge.EdgeVectorParams(
                        size=rows.shape[1], distance=edge.Distance.Cosine, on_disk=True
                    )
                },
                on_disk_payload=True,
                hnsw_config=edge.HnswIndexConfig(
                    m=wanted["m"], ef_construct=wanted["ef_construct"], full_scan_threshold=1
                ),
                quantization_config=edge.ScalarQuantizationConfig(
                    edge.ScalarType.Int8, quantile=0.99, always_ram=True
                ),
                # One segment and the indexing of everything, however small: both in KB.
                optimizers=edge.EdgeOptimizersConfig(
                    default_segment_number=1, max_segment_size=1 << 30, indexing_threshold=1
                ),
            ),
        )
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            part = np.asarray(rows[begin : begin + ROWS_AT_ONCE]).tolist()
            points = [
                edge.Point(begin + number, {"": vector}) for number, vector in enumerate(part)
            ]
            shard.update(edge.UpdateOperation.upsert_points(points))
        while shard.optimize():
            pass
        shard.close()

    async def open(self, folder: Path, setting: Setting) -> None:
        import qdrant_edge as edge

        self._edge = edge
        self._shard = edge.EdgeShard.load(str(folder))

    async def close(self) -> None:
        self._shard.close()

    def search_threads(self, query: Floats, setting: Setting) -> Ids:
        hits = self._shard.query(self._request(query, setting))
        return np.fromiter((hit.id for hit in hits), dtype=np.int64, count=len(hits))

    async def search_batch(self, queries: Floats, setting: Setting) -> Ids:
        from bench.compare.engine import padded

        requests = [self._request(query, setting) for query in queries]
        found = self._shard.query_batch(self._edge.QueryBatchRequest(requests))
        return padded([[int(str(hit.id)) for hit in hits] for hits in found], setting.limit)

    def _request(self, query: Floats, setting: Setting) -> Any:
        edge, search = self._edge, setting.search
        return edge.QueryRequest(
            limit=setting.limit,
            query=edge.Query.Nearest(query.tolist()),
            params=edge.SearchParams(
                hnsw_ef=search["ef"],
                quantization=edge.QuantizationSearchParams(
                    rescore=search.get("rescore", True),
                    oversampling=search.get("oversampling"),
                ),
            ),
        )


ENGINE = QdrantEdge
