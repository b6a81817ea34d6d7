"""``asyncstore check``: verifies every checksum of a store, and repairs what can be."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.table import Table

from asyncstore.cli.output import Output, existing_store, one_line
from asyncstore.errors import AsyncStoreError, CorruptionError
from asyncstore.models import Finding, Severity
from asyncstore.store import Store, open_store


class CollectionFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one collection.

    Attributes:
        collection: Its name; empty for what belongs to the store.
    """

    collection: str
    findings: list[Finding]


async def check(path: Path, config: Path | None, is_repair: bool, output: Output) -> int:
    """Prints what was found; returns 1 when something is damaged, and still is after a repair."""
    async with open_store(existing_store(path), config=config) as store:
        found = []
        with output.progress() as progress:
            names = await store.list_collections()
            doing = "Repairing" if is_repair else "Checking"
            task = progress.add_task(doing, total=len(names))
            for name in names:
                findings = await _findings(store, name, is_repair=is_repair)
                found.append(CollectionFindings(collection=name, findings=findings))
                progress.advance(task)
            found += await _alias_findings(store)
    output.json(found)
    _print(found, output, is_repair=is_repair)
    return 1 if _errors(found) else 0


def _errors(found: list[CollectionFindings]) -> list[Finding]:
    findings = [finding for one in found for finding in one.findings]
    return [finding for finding in findings if finding.severity is Severity.ERROR]


async def _findings(store: Store, name: str, *, is_repair: bool) -> list[Finding]:
    """What a collection's own check finds, or why it cannot be opened at all."""
    try:
        collection = await store.get_collection(name)
    except AsyncStoreError as error:
        return [_failure("cannot be opened", error)]
    try:
        findings = await collection.check(repair=is_repair)
    except AsyncStoreError as error:
        # The other collections are looked at all the same.
        return [_failure("cannot be repaired" if is_repair else "cannot be checked", error)]
    # What a checkpoint has written since the store was opened is no finding any more.
    texts = {finding.text for finding in findings}
    rebuilt = [f"rebuilt at open: {what}" for what in collection.statistics().rebuilt]
    return [
        Finding(severity=Severity.NOTE, file="", offset_bytes=0, text=text, repaired=True)
        for text in rebuilt
        if text not in texts
    ] + findings


async def _alias_findings(store: Store) -> list[CollectionFindings]:
    """Of the aliases, which were read when the store was opened; nothing when all is well."""
    try:
        await store.list_aliases()
    except AsyncStoreError as error:
        failure = _failure("aliases cannot be read", error)
        return [CollectionFindings(collection="", findings=[failure])]
    return []


def _failure(what: str, error: AsyncStoreError) -> Finding:
    file, offset_bytes = "", 0
    if isinstance(error, CorruptionError):
        file, offset_bytes = error.file, error.offset_bytes
    text = f"{what}: {one_line(error)}"
    return Finding(severity=Severity.ERROR, file=file, offset_bytes=offset_bytes, text=text)


def _print(found: list[CollectionFindings], output: Output, *, is_repair: bool) -> None:
    table = Table("collection", "", "what", "file", "at byte")
    for one in found:
        for finding in one.findings:
            table.add_row(
                one.collection,
                _outcome(finding),
                finding.text,
                finding.file,
                str(finding.offset_bytes) if finding.file else "",
            )
    if not table.row_count:
        output.console.print(f"{len(found)} collections checked, every checksum is right.")
        return
    output.console.print(table)
    errors = _errors(found)
    repairable = sum(finding.repairable for finding in errors)
    if repairable and not is_repair:
        output.console.print(f"--repair would mend {repairable} of {len(errors)}.")


def _outcome(finding: Finding) -> str:
    """One word, in its colour."""
    if finding.repaired:
        return "[green]repaired[/green]"
    if finding.severity is Severity.ERROR:
        return "[red]error[/red]"
    return "[yellow]note[/yellow]"
