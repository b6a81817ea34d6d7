"""``asyncstore snapshot``: makes, lists and restores snapshots of a store that nobody has open."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.table import Table

from asyncstore.cli.output import Output, existing_store, size_text
from asyncstore.models import SnapshotDescription
from asyncstore.store import open_store


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What ``snapshot restore --json`` prints."""

    collections: list[str]


async def create(path: Path, config: Path | None, collection: str | None, output: Output) -> int:
    """Makes one of the whole store, or of a collection."""
    async with open_store(existing_store(path), config=config) as store:
        if collection is None:
            made = await store.create_snapshot()
        else:
            made = await (await store.get_collection(collection)).create_snapshot()
        file = store.snapshots.of(collection).path / made.name
    output.json(made)
    output.console.print(f"{file} ({size_text(made.size)})", markup=False, soft_wrap=True)
    return 0


async def list_snapshots(
    path: Path, config: Path | None, collection: str | None, output: Output
) -> int:
    """Prints those of the whole store, or of a collection."""
    async with open_store(existing_store(path), config=config) as store:
        if collection is None:
            found = await store.list_snapshots()
        else:
            found = await (await store.get_collection(collection)).list_snapshots()
    output.json(found)
    output.console.print(_table(found))
    return 0


async def restore(
    path: Path,
    config: Path | None,
    location: str,
    collection: str | None,
    checksum: str | None,
    output: Output,
) -> int:
    """Puts one in the place of what is there; the store is made if it is not."""
    async with open_store(path, config=config) as store:
        await store.recover_snapshot(location, collection=collection, checksum=checksum)
        names = await store.list_collections()
    output.json(Restored(collections=names))
    output.console.print(f"The store {path} now has: {', '.join(names)}", markup=False)
    return 0


def _table(found: list[SnapshotDescription]) -> Table:
    table = Table("name", "made (UTC)", "size", "SHA-256")
    for one in found:
        table.add_row(one.name, one.creation_time, size_text(one.size), one.checksum or "unknown")
    return table
