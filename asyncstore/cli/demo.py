"""``asyncstore demo``: from embeddings to answers, and what io_uring does for it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from asyncstore import sample
from asyncstore.cli.codes import INT8
from asyncstore.cli.importing.writing import optimize, write_all
from asyncstore.cli.measure import (
    COLD_ROUND_SEARCHES,
    LIMIT,
    Measurement,
    Subject,
    measured_both,
    measurements_table,
)
from asyncstore.cli.output import Output, size_text
from asyncstore.collection import Collection
from asyncstore.models import (
    ContextPair,
    DiscoverInput,
    DiscoverQuery,
    Distance,
    FieldCondition,
    Filter,
    MatchValue,
    PointGroup,
    PointStruct,
    QuantizationSearchParams,
    ScoredPoint,
    SearchParams,
    VectorParams,
)
from asyncstore.sample import Sample, Text
from asyncstore.store import Store, open_store

COLLECTION = "packages"
REGISTRIES = "registries"  # each a point of its own, whose id is in the payload of its packages
SHOWN_QUERIES = 3
SHOWN_HITS = 3
NARROWED_QUERY = 6
ONLY = "npm"
MEASURED_QUERIES = 100
OVERSAMPLING = 2.0
PARAMS = SearchParams(
    quantization=QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
)
# The sample is small: let the optimizer seal it, as it would seal a large collection by itself.
CONFIG = {"storage": {"optimizers": {"indexing_threshold": 1000}}}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A text that was found."""

    score: float
    text: Text


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a query found."""

    query: Text
    found: list[Found]


class Narrowed(msgspec.Struct, frozen=True, kw_only=True):
    """One query, asked in three more ways.

    Attributes:
        filtered: What there is of one registry.
        groups: The best of each registry, by its name.
        positive: What discovery was to be nearer to than to ``negative``.
    """

    query: Text
    filtered: list[Found]
    groups: dict[str, list[Found]]
    positive: Found
    negative: Found
    discovered: list[Found]


class DemoReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``demo --json`` prints."""

    points: int
    dim: int
    write_s: float
    optimize_s: float
    answers: list[Answer]
    narrowed: Narrowed
    measurements: list[Measurement]
    io_uring_error: str | None


async def demo(data: Path | None, output: Output) -> int:
    """Shows an import, answers, queries of other kinds, and both readers, cold and warm."""
    texts = sample.load() if data is None else sample.load(data)
    # Beside the user's files and not in /tmp, which may be memory and has nothing to read.
    with tempfile.TemporaryDirectory(prefix="asyncstore-demo-", dir=Path.cwd()) as folder:
        path = Path(folder)
        write_s, optimize_s = await _imported(texts, path, output)
        async with open_store(path, config=CONFIG) as store:
            answers = await _answers(await store.get_collection(COLLECTION), texts)
            _print_answers(answers, output)
            narrowed = await _narrowed(store, texts)
            _print_narrowed(narrowed, output)
        measurements, error = await _compared(texts, path, output)
    report = DemoReport(
        points=len(texts.vectors),
        dim=texts.vectors.shape[1],
        write_s=write_s,
        optimize_s=optimize_s,
        answers=answers,
        narrowed=narrowed,
        measurements=measurements,
        io_uring_error=error,
    )
    output.json(report)
    _print_measurements(report, output)
    return 0


async def _imported(texts: Sample, path: Path, output: Output) -> tuple[float, float]:
    points, dim = texts.vectors.shape
    output.console.print(
        f"\n[bold]1. Import[/bold]  {points:,} package summaries, each an embedding of {dim} "
        "numbers,\n   with text, name and registry as payload, into a new store."
    )
    async with open_store(path, config=CONFIG) as store:
        collection = await store.create_collection(
            COLLECTION,
            vectors=VectorParams(size=dim, distance=Distance.COSINE, on_disk=True),
            quantization_config=INT8,
        )
        with output.progress() as progress:
            ids = np.arange(points, dtype=np.uint64)
            registries = await _create_registries(store, texts)
            payloads = (
                msgspec.to_builtins(text) | {"registry_id": registries[text.registry]}
                for text in texts.texts
            )
            write_s = await write_all(collection, ids, texts.vectors, progress, payloads)
            optimize_s = await optimize(collection, progress)
        held = collection.statistics()
        log_bytes = held.disk_bytes["wal"]
        output.console.print(
            f"   {points / write_s:,.0f} points a second, every one safe on disk before its write "
            f"returned.\n   In memory: {size_text(sum(held.ram_bytes.values()))}, a byte for each "
            f"number and some for each id. On disk: "
            f"{size_text(sum(held.disk_bytes.values()) - log_bytes)}, and a log of "
            f"{size_text(log_bytes)}.",
            highlight=False,
        )
    return write_s, optimize_s


async def _create_registries(store: Store, texts: Sample) -> dict[str, int]:
    """A point for each, without a vector; and their ids by their names."""
    ids = {name: number for number, name in enumerate(sorted({t.registry for t in texts.texts}), 1)}
    registries = await store.create_collection(REGISTRIES)
    await registries.upsert(
        [PointStruct(id=number, vector={}, payload={"name": name}) for name, number in ids.items()]
    )
    return ids


async def _answers(collection: Collection, texts: Sample) -> list[Answer]:
    answers = []
    for number in range(SHOWN_QUERIES):
        hits = await collection.search(
            _query(texts, number), limit=SHOWN_HITS, params=PARAMS, with_payload=True
        )
        answers.append(Answer(query=texts.query_texts[number], found=_found(hits)))
    return answers


async def _narrowed(store: Store, texts: Sample) -> Narrowed:
    """A filter; groups with what they are looked up in; and a discovery between two points."""
    collection = await store.get_collection(COLLECTION)
    for key, kind in (("registry", "keyword"), ("registry_id", "integer")):
        await collection.create_payload_index(key, kind)
    number = NARROWED_QUERY % len(texts.query_texts)
    query = _query(texts, number)
    only = Filter(must=FieldCondition(key="registry", match=MatchValue(value=ONLY)))
    filtered = await collection.search(query, limit=SHOWN_HITS, filter=only, with_payload=True)
    groups = await collection.query_groups(
        query, group_by="registry_id", group_size=1, with_lookup=REGISTRIES, with_payload=True
    )
    good, bad = await collection.search(query, limit=2, with_payload=True)
    pair = ContextPair(positive=good.id, negative=bad.id)
    discovered = await collection.query(
        DiscoverQuery(discover=DiscoverInput(target=query, context=pair)),
        limit=SHOWN_HITS,
        with_payload=True,
    )
    return Narrowed(
        query=texts.query_texts[number],
        filtered=_found(filtered),
        groups={_name(group): _found(group.hits) for group in groups},
        positive=_found([good])[0],
        negative=_found([bad])[0],
        discovered=_found(discovered),
    )


def _query(texts: Sample, number: int) -> NDArray[np.float32]:
    query: NDArray[np.float32] = texts.queries[number].astype(np.float32)
    return query


def _found(hits: Sequence[ScoredPoint]) -> list[Found]:
    return [Found(score=hit.score, text=msgspec.convert(hit.payload, Text)) for hit in hits]


def _name(group: PointGroup) -> str:
    """Out of the point that was looked up."""
    assert group.lookup is not None
    return str((group.lookup.payload or {})["name"])


def _print_answers(answers: list[Answer], output: Output) -> None:
    console = output.console
    console.print("\n[bold]2. Search[/bold]  Texts that mean the same, by their embeddings alone.")
    for answer in answers:
        _print_query(answer.query, output)
        _print_found(answer.found, output)


def _print_narrowed(narrowed: Narrowed, output: Output) -> None:
    console = output.console
    console.print("\n[bold]3. Narrow it down[/bold]  By payload, and by examples.")
    _print_query(narrowed.query, output)
    console.print(f"   of {ONLY} alone (a filter):", markup=False, highlight=False)
    _print_found(narrowed.filtered, output)
    console.print("   the best of each registry (groups, named by a lookup):")
    for name, found in narrowed.groups.items():
        _print_found(found, output, f"{name}: ")
    console.print(
        f"   nearer to {narrowed.positive.text.name} than to {narrowed.negative.text.name} "
        "(a discovery):",
        markup=False,
        highlight=False,
    )
    _print_found(narrowed.discovered, output)


def _print_query(query: Text, output: Output) -> None:
    output.console.print(f"   “{query.text}”", style="cyan", markup=False, highlight=False)


def _print_found(some: Sequence[Found], output: Output, what: str = "") -> None:
    for found in some:
        output.console.print(
            f"     {found.score:.3f}  {what}{found.text.name} ({found.text.registry}): "
            f"{found.text.text}",
            markup=False,
            highlight=False,
            overflow="ellipsis",
            no_wrap=True,
        )


async def _compared(
    texts: Sample, path: Path, output: Output
) -> tuple[list[Measurement], str | None]:
    """Both readers, and why io_uring could not be one of them."""
    queries = texts.queries[:MEASURED_QUERIES].astype(np.float32)
    subject = Subject(
        path=path,
        collection=COLLECTION,
        using="",
        queries=queries,
        nearest=[set(row[:LIMIT].tolist()) for row in texts.neighbors[: len(queries)]],
        params=PARAMS,
    )
    return await measured_both(subject, output)


def _print_measurements(report: DemoReport, output: Output) -> None:
    console = output.console
    console.print(
        "\n[bold]4. How fast[/bold]  Codes in memory choose "
        f"{LIMIT * OVERSAMPLING:.0f} candidates for each search;\n"
        "   their original vectors are read from disk and scored exactly.\n"
        "   Cold: the store was closed and its files dropped from the page cache (posix_fadvise),\n"
        f"   anew every {COLD_ROUND_SEARCHES} searches. Warm: everything is in the page cache.\n"
    )
    console.print(measurements_table(report.measurements, ""))
    console.print(
        "recall@10: how many of the 10 nearest, computed exactly, were found (1.000: all). "
        "p99: 99 of 100\nsearches took no longer. reads, KiB read: of originals, for one search.",
        style="dim",
        highlight=False,
    )
    if report.io_uring_error is not None:
        console.print(
            f"io_uring was not measured: {report.io_uring_error}",
            style="yellow",
            markup=False,
            highlight=False,
        )
    console.print(
        "Both readers ask for all candidates of a search at once. io_uring needs no thread that "
        "waits,\nand less of the CPU; bench/questions/rescoring.py shows it with many searches.",
        style="dim",
        highlight=False,
    )
