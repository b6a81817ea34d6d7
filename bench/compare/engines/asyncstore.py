"""asyncstore, embedded: searches as coroutines, or a batch in one call."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.compare.engine import (
    Engine,
    Environment,
    Ids,
    NotThereYetError,
    Setting,
    Values,
    Way,
)
from bench.compare.exact import Floats

COLLECTION = "rows"
ROWS_AT_ONCE = 10_000

GRAPH = {"m": 16, "ef_construct": 100}


class Asyncstore(Engine):
    """`ef` None scans the codes; `oversampling` None lets the error bounds decide what is read."""

    name = "asyncstore"
    environment = Environment.OWN
    ways = (Way.ASYNCIO, Way.BATCH)
    builds: ClassVar[dict[str, Values]] = {
        "int8 flat": {"bits": None, "m": 0},
        "rabitq4 flat": {"bits": 4, "m": 0},
        "rabitq2 flat": {"bits": 2, "m": 0},
        "rabitq1 flat": {"bits": 1, "m": 0},
        "int8 m16": {"bits": None, **GRAPH},
        "rabitq4 m16": {"bits": 4, **GRAPH},
        "rabitq2 m16": {"bits": 2, **GRAPH},
        "rabitq1 m16": {"bits": 1, **GRAPH},
    }
    settings = (
        Setting("int8 flat ×2", "int8 flat", search={"oversampling": 2.0}),
        *(
            Setting(f"{build} bounds", build)
            for build in ("int8 flat", "rabitq4 flat", "rabitq2 flat", "rabitq1 flat")
        ),
        Setting("int8 flat 100 ×2.4", "int8 flat", limit=100, search={"oversampling": 2.4}),
        Setting(
            "int8 flat ×2 direct",
            "int8 flat",
            search={"oversampling": 2.0, "direct_io": "true"},
        ),
        *(
            Setting(f"{build} ef{ef}", f"{build} m16", search={"ef": ef})
            for build in ("int8", "rabitq4", "rabitq2", "rabitq1")
            for ef in (64, 72, 96, 128, 256)
        ),
        Setting("rabitq4 ef128 paged", "rabitq4 m16", search={"ef": 128, "direct_io": "false"}),
        Setting("int8 ef128 ×2", "int8 m16", search={"ef": 128, "oversampling": 2.0}),
        Setting("rabitq4 ef128 no rescoring", "rabitq4 m16", search={"ef": 128, "rescore": False}),
        Setting(
            "rabitq4 100 ef256 ×2.4",
            "rabitq4 m16",
            limit=100,
            search={"ef": 256, "oversampling": 2.4},
        ),
    )

    async def build(self, folder: Path, rows: Floats, build: str) -> None:
        import asyncstore

        async with asyncstore.open_store(folder, config=_config()) as store:
            collection = await _create(store, rows.shape[1], self.builds[build])
            for begin in range(0, len(rows), ROWS_AT_ONCE):
                part = np.asarray(rows[begin : begin + ROWS_AT_ONCE])
                ids = np.arange(begin, begin + len(part), dtype=np.uint64)
                await collection.upsert_arrays(ids, part)
            await collection.optimize()

    async def open(self, folder: Path, setting: Setting) -> None:
        import asyncstore

        self._stack = AsyncExitStack()
        self._store = await self._stack.enter_async_context(
            asyncstore.open_store(
                folder, config=_config(str(setting.search.get("direct_io", "auto")))
            )
        )
        self._collection = await self._store.get_collection(COLLECTION)
        self._params: dict[str, Any] = {}

    async def close(self) -> None:
        await self._stack.aclose()

    async def search_asyncio(self, query: Floats, setting: Setting) -> Ids:
        hits = await self._collection.search(
            query, limit=setting.limit, params=self._search_params(setting)
        )
        return np.fromiter((hit.id for hit in hits), dtype=np.int64, count=len(hits))

    async def search_batch(self, queries: Floats, setting: Setting) -> Ids:
        found = await self._collection.search_batch(
            queries, limit=setting.limit, params=self._search_params(setting)
        )
        ids: Ids = np.asarray(found.ids).astype(np.int64)
        ids[np.arange(ids.shape[1]) >= np.asarray(found.counts)[:, None]] = -1
        return ids

    def statistics(self) -> dict[str, float]:
        seen = self._store.statistics()
        return {
            "reads": seen.reads_submitted,
            "read_bytes": seen.read_bytes,
            "rows_rescored": seen.rows_rescored,
        }

    def _search_params(self, setting: Setting) -> Any:
        made = self._params.get(setting.name)
        if made is None:
            made = self._params[setting.name] = _params(setting.search)
        return made


def _config(direct_io: str = "auto") -> dict[str, Any]:
    """Nothing is read unasked."""
    return {"storage": {"performance": {"prewarm": False, "direct_io": direct_io}}}


async def _create(store: Any, dim: int, wanted: Values) -> Any:
    import asyncstore
    from asyncstore import models as m

    arguments: dict[str, Any] = {
        "vectors": m.VectorParams(size=dim, distance=m.Distance.COSINE, on_disk=True),
        "quantization_config": _quantization(wanted["bits"]),
    }
    graph = m.HnswConfigDiff(m=wanted["m"], ef_construct=wanted.get("ef_construct"))
    try:
        return await store.create_collection(COLLECTION, hnsw_config=graph, **arguments)
    except asyncstore.UnsupportedError as error:
        if wanted["m"] == 0:  # a version without graphs refuses even their absence
            return await store.create_collection(COLLECTION, **arguments)
        raise NotThereYetError(str(error)) from error


def _quantization(bits: object) -> Any:
    """RaBitQ codes, or int8 where no bits are named."""
    from asyncstore import models as m

    if bits is None:
        return m.ScalarQuantization(
            scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, always_ram=True)
        )
    kind = getattr(m, "RabitqQuantization", None)
    config = getattr(m, "RabitqQuantizationConfig", None)
    if kind is None or config is None:
        raise NotThereYetError("asyncstore.models has no RabitqQuantization")
    return kind(rabitq=config(bits=bits, always_ram=True))


def _params(search: Values) -> Any:
    from asyncstore import models as m

    return m.SearchParams(
        hnsw_ef=search.get("ef"),
        quantization=m.QuantizationSearchParams(
            rescore=search.get("rescore", True), oversampling=search.get("oversampling")
        ),
    )


ENGINE = Asyncstore
