"""``asyncstore demo``: from embeddings to answers, and what io_uring does for it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import numpy as np

from asyncstore import sample
from asyncstore.cli.import_npy import INT8, optimize, write_all
from asyncstore.cli.measure import (
    COLD_ROUND_SEARCHES,
    LIMIT,
    Measurement,
    Subject,
    measured_both,
    measurements_table,
)
from asyncstore.cli.output import Output, size_text
from asyncstore.models import (
    Distance,
    QuantizationSearchParams,
    SearchParams,
    VectorParams,
)
from asyncstore.sample import Sample, Text
from asyncstore.store import open_store

COLLECTION = "packages"
SHOWN_QUERIES = 3
SHOWN_HITS = 3
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


class DemoReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``demo --json`` prints."""

    points: int
    dim: int
    write_s: float
    optimize_s: float
    answers: list[Answer]
    measurements: list[Measurement]
    io_uring_error: str | None


async def demo(data: Path | None, output: Output) -> int:
    """Shows an import, three answers, and both readers, cold and warm."""
    texts = sample.load() if data is None else sample.load(data)
    # Beside the user's files and not in /tmp, which may be memory and has nothing to read.
    with tempfile.TemporaryDirectory(prefix="asyncstore-demo-", dir=Path.cwd()) as folder:
        path = Path(folder)
        write_s, optimize_s, answers = await _imported(texts, path, output)
        _print_answers(answers, output)
        measurements, error = await _compared(texts, path, output)
    report = DemoReport(
        points=len(texts.vectors),
        dim=texts.vectors.shape[1],
        write_s=write_s,
        optimize_s=optimize_s,
        answers=answers,
        measurements=measurements,
        io_uring_error=error,
    )
    output.json(report)
    _print_measurements(report, output)
    return 0


async def _imported(texts: Sample, path: Path, output: Output) -> tuple[float, float, list[Answer]]:
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
            payloads = (msgspec.to_builtins(text) for text in texts.texts)
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
        answers = []
        for number in range(SHOWN_QUERIES):
            query = texts.queries[number].astype(np.float32)
            hits = await collection.search(
                query, limit=SHOWN_HITS, params=PARAMS, with_payload=True
            )
            found = [
                Found(score=hit.score, text=msgspec.convert(hit.payload, Text)) for hit in hits
            ]
            answers.append(Answer(query=texts.query_texts[number], found=found))
    return write_s, optimize_s, answers


def _print_answers(answers: list[Answer], output: Output) -> None:
    console = output.console
    console.print("\n[bold]2. Search[/bold]  Texts that mean the same, by their embeddings alone.")
    for answer in answers:
        console.print(f"   “{answer.query.text}”", style="cyan", markup=False, highlight=False)
        for found in answer.found:
            console.print(
                f"     {found.score:.3f}  {found.text.name} ({found.text.registry}): "
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
        "\n[bold]3. How fast[/bold]  Codes in memory choose "
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
