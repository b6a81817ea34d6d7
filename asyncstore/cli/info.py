"""``asyncstore info``: what a store holds."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.table import Table

from asyncstore.cli.codes import name_of
from asyncstore.cli.output import Output, existing_store, one_line, size_text
from asyncstore.errors import AsyncStoreError
from asyncstore.models import (
    CollectionInfo,
    CollectionStatistics,
    StoreStatistics,
    VectorParams,
)
from asyncstore.settings import is_multivector
from asyncstore.store import Store, open_store


class CollectionReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One collection: what is known of it, or why it could not be opened."""

    name: str
    info: CollectionInfo | None = None
    statistics: CollectionStatistics | None = None
    error: str | None = None


class StoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``info --json`` prints."""

    path: str
    statistics: StoreStatistics
    collections: list[CollectionReport]


async def info(path: Path, config: Path | None, output: Output) -> int:
    """Prints the report of a store."""
    async with open_store(existing_store(path), config=config) as store:
        report = StoreReport(
            path=store.path,
            statistics=store.statistics(),
            collections=[await _report(store, name) for name in await store.list_collections()],
        )
    output.json(report)
    _print(report, output)
    return 0


async def _report(store: Store, name: str) -> CollectionReport:
    try:
        collection = await store.get_collection(name)
    except AsyncStoreError as error:
        return CollectionReport(name=name, error=one_line(error))
    return CollectionReport(
        name=name, info=await collection.info(), statistics=collection.statistics()
    )


def _print(report: StoreReport, output: Output) -> None:
    console = output.console
    statistics = report.statistics
    console.print(f"Store [bold]{report.path}[/bold]")
    console.print(f"Reads through {statistics.reader}: {statistics.reader_reason}", markup=False)
    if not report.collections:
        console.print("No collections yet.")
        return
    table = Table()
    for heading in ("collection", "vectors", "codes"):
        table.add_column(heading)
    for heading in ("points", "segments", "memory", "disk", "payload"):
        table.add_column(heading, justify="right")
    table.add_column("state")
    for collection in report.collections:
        if collection.info is None or collection.statistics is None:
            table.add_row(collection.name, *[""] * 7, f"[red]{collection.error}[/red]")
            continue
        held = collection.statistics
        table.add_row(
            collection.name,
            _vectors_text(collection.info),
            _codes_text(collection.info),
            f"{held.points:,}",
            str(held.segments),
            size_text(sum(held.ram_bytes.values())),
            size_text(sum(held.disk_bytes.values())),
            size_text(held.disk_bytes["payload"]),
            collection.info.status.value,
        )
    console.print(table)


def _vectors_text(info: CollectionInfo) -> str:
    vectors = info.config.params.vectors
    if vectors is None:
        return "none"
    named = vectors if isinstance(vectors, dict) else {"": vectors}
    return "\n".join(
        f"{name + ': ' if name else ''}{params.size} {params.distance.value}"
        for name, params in named.items()
    )


def _codes_text(info: CollectionInfo) -> str:
    """Of each vector its own, or those of the collection."""
    of_all = info.config.quantization_config
    vectors = info.config.params.vectors
    if vectors is None:
        return "none"
    named = [vectors] if isinstance(vectors, VectorParams) else list(vectors.values())
    # The codes of the collection are not for multivectors.
    return "\n".join(
        name_of(one.quantization_config or (None if is_multivector(one) else of_all))
        for one in named
    )
