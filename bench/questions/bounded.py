"""Rows read for ten results, by kind of code; and whether reading 1,000 gives the same."""

import asyncio

import numpy as np

from asyncstore import models as m
from bench import report
from bench.question import Setting, opened

LIMIT = 10
CANDIDATES = 1_000
CODES: dict[str, object] = {
    "int8": m.ScalarQuantization(scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)),
    **{
        f"rabitq {bits} bits": m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=bits))
        for bits in (8, 4, 2, 1)
    },
    "binary": m.BinaryQuantization(binary=m.BinaryQuantizationConfig()),
    "product x16": m.ProductQuantization(
        product=m.ProductQuantizationConfig(compression=m.CompressionRatio.X16)
    ),
}
# All codes are scanned: what a graph would miss is another question.
NO_GRAPH = m.HnswConfigDiff(m=0)
WHOLE = m.SearchParams(
    quantization=m.QuantizationSearchParams(oversampling=CANDIDATES / LIMIT, early_stop=False)
)


def answer(setting: Setting) -> list[report.Row]:
    rows = [
        asyncio.run(_measure(setting, number, name, codes))
        for number, (name, codes) in enumerate(CODES.items())
    ]
    report.bars(
        setting.results,
        "bounded",
        "Rows read for ten results",
        "rows",
        {str(row["codes"]): float(row["rows_read"]) for row in rows},
    )
    return rows


async def _measure(setting: Setting, number: int, name: str, codes: object) -> report.Row:
    data = setting.data
    async with opened(setting.folder / str(number), durability="none") as store:
        collection = await store.create_collection(
            "rows",
            vectors=m.VectorParams(size=data.vectors.shape[1], distance=m.Distance.COSINE),
            quantization_config=codes,
            hnsw_config=NO_GRAPH,
        )
        await collection.upsert_arrays(np.arange(len(data.vectors)), data.vectors)
        await collection.optimize()
        before = store.statistics().rows_rescored
        found = [await collection.search(query, limit=LIMIT) for query in data.queries]
        read = store.statistics().rows_rescored - before
        same = hits = 0
        for query, neighbors, bounded in zip(data.queries, data.neighbors, found, strict=True):
            whole = await collection.search(query, limit=LIMIT, params=WHOLE)
            same += [hit.id for hit in bounded] == [hit.id for hit in whole]
            hits += len({hit.id for hit in bounded} & set(neighbors[:LIMIT].tolist()))
        queries = len(data.queries)
        return {
            "codes": name,
            "code_bytes": collection.statistics().ram_bytes["codes"] / len(data.vectors),
            "recall": hits / queries / LIMIT,
            "rows_read": read / queries,
            "same_as_whole": same,
            "queries": queries,
        }
