"""Opens damaged stores, one after the other, and says of each what it found.

    python tests/fuzz/hostile_reader.py BASE.pickle WORK < cases

A process of its own, with a bound on its memory, so that a crash and a wild allocation are seen as
what they are. For each case, one line of JSON: a verdict of each collection, see :func:`judge`.
"""

from __future__ import annotations

import asyncio
import errno
import json
import pickle
import resource
import shutil
import sys
from pathlib import Path

import numpy as np

import asyncstore
from asyncstore import models as m
from asyncstore.collection import Collection
from asyncstore.testing import open_test_store
from hostile_base import (
    ALIASES,
    WAL_CAPACITY_BYTES,
    Base,
    State,
    Values,
    bytes_of,
    config,
    rows_bytes,
)
from hostile_cases import Case

# Beyond what the process has when it begins; the maps and reservations of a sound store fit twice.
MEMORY_BYTES = 3 << 30
NOT_DAMAGED = "nothing was changed"
FOLDERS = {"docs": "1", "calm": "2"}

Verdict = dict[str, object]


async def look(folder: Path, base: Base, number: int) -> dict[str, Verdict]:
    """The verdict of each collection; under "store" when it cannot be opened at all."""
    reader = "false" if number % 2 else "auto"
    opening = open_test_store(folder, config=config(reader), wal_capacity_bytes=WAL_CAPACITY_BYTES)
    try:
        async with opening as store:
            return {
                "docs": await look_at(store, "docs", base.states, number),
                "calm": await look_at(store, "calm", [base.calm], 2),
                "aliases": await look_at_aliases(store),
            }
    except asyncstore.AsyncStoreError as error:
        return {"store": _refusal(error)}


async def look_at_aliases(store: asyncstore.Store) -> Verdict:
    try:
        found = {one.alias_name: one.collection_name for one in await store.list_aliases()}
    except asyncstore.AsyncStoreError as error:
        return _refusal(error)
    return {"verdict": "right" if found == ALIASES else "none" if not found else f"wrong: {found}"}


async def look_at(store: asyncstore.Store, name: str, states: list[State], number: int) -> Verdict:
    # Where its COLLECTION cannot be read, nobody knows the name, and its folder stands for it.
    listed = await store.list_collections()
    try:
        docs = await store.get_collection(name if name in listed else FOLDERS[name])
    except asyncstore.AsyncStoreError as error:
        return _refusal(error)
    found, damaged = await read_all(docs)
    verdict = judge(found, damaged, states)
    if verdict["verdict"] == "right":
        verdict["searches"] = await search_for_some(docs, found)
    await docs.check()
    if number % 3 == 1:
        verdict |= await repair(docs, states, str(verdict["verdict"]))
    verdict["rebuilt"] = len(docs.statistics().rebuilt)
    if verdict["verdict"] == "right" and number % 5 == 0:
        # What was rebuilt must be good to write on: everything is read, sealed and merged.
        await docs.upsert_arrays([10**6], {"a": np.ones((1, 8), np.float32)})
        await docs.delete(points=[10**6])
        await docs.optimize()
        again, damaged = await read_all(docs)
        verdict["again"] = judge(again, damaged, states)["verdict"]
    return verdict


async def repair(docs: Collection, states: list[State], before: str) -> Verdict:
    """What a repair should have mended and did not, and what became of the values; else nothing."""
    try:
        await docs.check(repair=True)
    except asyncstore.StorageIOError as error:
        if error.errno not in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
            raise
        return {}  # a folder in the place of a file is not ours to remove
    left = [one.text for one in await docs.check() if one.repairable]
    after = judge(*await read_all(docs), states)["verdict"]
    return ({"left": left} if left else {}) | ({} if after == before else {"repaired": after})


async def read_all(docs: Collection) -> tuple[State, dict[int, list[object]]]:
    """All values that can be read, and the error of each point whose values cannot."""
    page, end = await docs.scroll(limit=100_000, with_payload=False)
    assert end is None
    ids = [record.id for record in page]
    assert await docs.count() == len(ids) == len(set(ids)), "count and scroll differ"
    found: State = {}
    damaged: dict[int, list[object]] = {}
    try:
        if ids:
            records = await docs.retrieve(ids, with_vectors=True)
            found = {record.id: _values(record) for record in records}
    except asyncstore.AsyncStoreError:
        for point_id in ids:
            try:
                (record,) = await docs.retrieve([point_id], with_vectors=True)
                found[point_id] = _values(record)
            except asyncstore.AsyncStoreError as error:
                damaged[point_id] = [type(error).__name__, *_place(error)]
    return found, damaged


def judge(found: State, damaged: dict[int, list[object]], states: list[State]) -> Verdict:
    """right, some (others are reported as damaged), earlier (a state before the last) or wrong."""
    expected = states[-1]
    if damaged:
        is_right = all(expected.get(point_id) == values for point_id, values in found.items())
        is_whole = set(found) | set(damaged) == set(expected)
        places = sorted({(str(kind), str(file)) for kind, file, _ in damaged.values()})
        return {
            "verdict": "some" if is_right and is_whole else "wrong",
            "damaged": len(damaged),
            "places": places,
        }
    for back, state in enumerate(reversed(states)):
        if found == state:
            return {"verdict": "right"} if back == 0 else {"verdict": "earlier", "back": back}
    missing = sorted(set(expected) - set(found))
    surplus = sorted(set(found) - set(expected))
    other = sorted(key for key in set(found) & set(expected) if found[key] != expected[key])
    return {"verdict": "wrong", "missing": missing, "surplus": surplus, "other": other}


async def search_for_some(docs: Collection, found: State) -> str:
    """Each sampled point must be the first that is found for its own vector."""
    for point_id in list(found)[::97]:
        vector = np.frombuffer(found[point_id][0], np.float32)
        for exact in (True, False):
            hits = await docs.search(vector, using="a", limit=3, params=m.SearchParams(exact=exact))
            if not hits or hits[0].id != point_id:
                return f"{point_id} is not the first: {hits}"
    return "right"


def _values(record: m.Record) -> Values:
    assert isinstance(record.vector, dict)
    a, b, sparse, rows = (record.vector.get(name) for name in ("a", "b", "s", "m"))
    assert sparse is None or isinstance(sparse, m.SparseVector)
    return (
        np.asarray(a, np.float32).tobytes() if a is not None else b"",
        np.asarray(b, np.float32).tobytes() if b is not None else None,
        (record.payload or {}).get("text", ""),
        bytes_of(sparse),
        rows_bytes(rows),
    )


def _place(error: asyncstore.AsyncStoreError) -> tuple[str, int]:
    file = getattr(error, "file", None) or getattr(error, "filename", None) or ""
    return str(file), int(getattr(error, "offset_bytes", 0))


def _refusal(error: asyncstore.AsyncStoreError) -> Verdict:
    file, offset_bytes = _place(error)
    return {
        "verdict": "refused",
        "error": type(error).__name__,
        "message": str(error),
        "file": file,
        "offset_bytes": offset_bytes,
    }


def main() -> None:
    base: Base = pickle.loads(Path(sys.argv[1]).read_bytes())
    work = Path(sys.argv[2])
    address_space = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
    limit = address_space + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for line in sys.stdin:
        number_text, _, text = line.strip().partition(" ")
        folder = work / "store"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base.folder, folder)
        if Case.parse(text).apply(folder):
            try:
                seen: object = asyncio.run(look(folder, base, int(number_text)))
            except Exception as error:
                seen = {"raised": repr(error)}
        else:
            seen = NOT_DAMAGED
        print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main()
