"""``asyncstore check``: verifies every checksum of a store."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.table import Table

from asyncstore.cli.output import Output, existing_store, one_line
from asyncstore.errors import AsyncStoreError, CorruptionError
from asyncstore.models import Finding, Severity
from asyncstore.store import Store, open_store


class CollectionFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one collection."""

    collection: str
    findings: list[Finding]


async def check(path: Path, config: Path | None, output: Output) -> int:
    """Prints what was found; returns 1 when something is damaged."""
    async with open_store(existing_store(path), config=config) as store:
        found = []
        with output.progress() as progress:
            names = await store.list_collections()
            task = progress.add_task("Checking", total=len(names))
            for name in names:
                findings = await _findings(store, name)
                found.append(CollectionFindings(collection=name, findings=findings))
                progress.advance(task)
    output.json(found)
    _print(found, output)
    errors = [
        finding for one in found for finding in one.findings if finding.severity is Severity.ERROR
    ]
    return 1 if errors else 0


async def _findings(store: Store, name: str) -> list[Finding]:
    """What a collection's own check finds, or why it cannot be opened at all."""
    try:
        collection = await store.get_collection(name)
    except AsyncStoreError as error:
        file, offset_bytes = "", 0
        if isinstance(error, CorruptionError):
            file, offset_bytes = error.file, error.offset_bytes
        text = f"cannot be opened: {one_line(error)}"
        return [Finding(severity=Severity.ERROR, file=file, offset_bytes=offset_bytes, text=text)]
    rebuilt = [
        Finding(severity=Severity.NOTE, file="", offset_bytes=0, text=f"rebuilt at open: {what}")
        for what in collection.statistics().rebuilt
    ]
    return rebuilt + await collection.check()


def _print(found: list[CollectionFindings], output: Output) -> None:
    table = Table("collection", "", "what", "file", "at byte")
    for one in found:
        for finding in one.findings:
            colour = "red" if finding.severity is Severity.ERROR else "yellow"
            table.add_row(
                one.collection,
                f"[{colour}]{finding.severity.value}[/{colour}]",
                finding.text,
                finding.file,
                str(finding.offset_bytes) if finding.file else "",
            )
    if table.row_count:
        output.console.print(table)
    else:
        output.console.print(f"{len(found)} collections checked, every checksum is right.")
