"""The commands and their options; what they do is in the file named for each."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from asyncstore.cli.bench import Bench, bench
from asyncstore.cli.check import check
from asyncstore.cli.codes import Codes
from asyncstore.cli.demo import demo
from asyncstore.cli.importing.command import import_files
from asyncstore.cli.importing.plan import ImportPlan
from asyncstore.cli.info import info
from asyncstore.cli.output import Output, run
from asyncstore.cli.serve import serve
from asyncstore.cli.snapshot import create, list_snapshots, restore
from asyncstore.models import Distance
from asyncstore.version import __version__

app = typer.Typer(
    name="asyncstore",
    help="An embedded, asynchronous, disk-backed vector store.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


snapshots = typer.Typer(name="snapshot", no_args_is_help=True)
app.add_typer(snapshots, help="Make, list and restore snapshots of a store that is not open.")


Store = Annotated[Path, typer.Option("--store", help="The store's folder.")]
Config = Annotated[Path | None, typer.Option("--config", help="A YAML file with settings.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

_STORE = Path("storage")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asyncstore {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """An embedded, asynchronous, disk-backed vector store."""


@app.command("demo")
def demo_command(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="A folder of embeddings, texts and queries; see the README."),
    ] = None,
    json: Json = False,
) -> None:
    """Import real embeddings, search them, and show what io_uring does for it."""
    run(demo, data, Output(is_json=json))


@app.command("import")
def import_command(
    files: Annotated[
        list[Path],
        typer.Argument(help=".npy, Parquet or HDF5 files; of a folder its Parquet files by name."),
    ],
    collection: Annotated[str, typer.Option("--collection", help="Made if it is not there.")],
    store: Store = _STORE,
    vector: Annotated[
        list[str] | None,
        typer.Option(
            "--vector",
            metavar="[NAME=]COLUMN",
            help="Parquet, HDF5: the column, or dataset, of vectors; once for each named vector. "
            "By default the only one of floats, or 'vector', 'embedding', 'train' and the like.",
        ),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id-column",
            help="Parquet, HDF5: of integers or UUIDs. By default 'id', if there is one; '': rows "
            "are numbered 0, 1, 2, …",
        ),
    ] = None,
    payload_column: Annotated[
        list[str] | None,
        typer.Option(
            "--payload-column",
            help="Parquet, HDF5: may be given more than once; by default all others. '': none.",
        ),
    ] = None,
    ids: Annotated[
        Path | None, typer.Option("--ids", help=".npy: a .npy file of n ids; else 0, 1, 2, …")
    ] = None,
    payload: Annotated[
        Path | None,
        typer.Option("--payload", help=".npy: a JSON Lines file, n payloads, one object a row."),
    ] = None,
    distance: Annotated[
        Distance, typer.Option("--distance", help="Of a collection that is made.")
    ] = Distance.COSINE,
    quantization: Annotated[
        Codes, typer.Option("--quantization", help="Of a collection that is made.")
    ] = Codes.INT8,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Begin anew where an import was interrupted before."),
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Import vectors with ids and payload; an import that was interrupted goes on when repeated."""
    plan = ImportPlan(
        paths=files,
        vectors=vector or [],
        id_column=id_column,
        payload_columns=payload_column or [],
        ids=ids,
        payload=payload,
        collection=collection,
        distance=distance,
        codes=quantization,
        is_restart=restart,
    )
    run(import_files, plan, store, config, Output(is_json=json))


@app.command("info")
def info_command(store: Store = _STORE, config: Config = None, json: Json = False) -> None:
    """Show the collections of a store, what they hold, and which reader serves."""
    run(info, store, config, Output(is_json=json))


@app.command("serve")
def serve_command(
    store: Annotated[
        Path | None, typer.Option("--store", help="The store's folder; by default the config's.")
    ] = None,
    config: Config = None,
    host: Annotated[
        str | None,
        typer.Option("--host", help="By default the config's; beyond the loopback with keys only."),
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="By default the config's.")
    ] = None,
    json: Json = False,
) -> None:
    """Serve a store over HTTP, for Qdrant's clients; it is made if it is not there."""
    run(serve, store, config, host, port, Output(is_json=json), uvloop=_has_uvloop())


def _has_uvloop() -> bool:
    return importlib.util.find_spec("uvloop") is not None


@app.command("check")
def check_command(
    store: Store = _STORE,
    config: Config = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Write anew what is derived or held twice.")
    ] = False,
    json: Json = False,
) -> None:
    """Verify every checksum of a store; the exit code is 1 when something is damaged."""
    run(check, store, config, repair, Output(is_json=json))


OneCollection = Annotated[
    str | None,
    typer.Option("--collection", help="Of this collection; by default of the whole store."),
]


@snapshots.command("create")
def create_snapshot_command(
    store: Store = _STORE,
    collection: OneCollection = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Make a snapshot and print where it is."""
    run(create, store, config, collection, Output(is_json=json))


@snapshots.command("list")
def list_snapshots_command(
    store: Store = _STORE,
    collection: OneCollection = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """List the snapshots that there are."""
    run(list_snapshots, store, config, collection, Output(is_json=json))


@snapshots.command("restore")
def restore_snapshot_command(
    location: Annotated[str, typer.Argument(help="A file, a file:// URI, or a URL.")],
    store: Store = _STORE,
    collection: Annotated[
        str | None,
        typer.Option("--collection", help="Which gets the snapshot of one; replaced or made."),
    ] = None,
    checksum: Annotated[
        str | None, typer.Option("--checksum", help="SHA-256 that the file must have.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Verify a snapshot and put it in the place of what is there."""
    run(restore, store, config, location, collection, checksum, Output(is_json=json))


@app.command("bench")
def bench_command(
    what: Annotated[
        Bench, typer.Argument(help="Both readers, cold and warm; or what filters cost.")
    ] = Bench.READERS,
    store: Annotated[
        Path | None, typer.Option("--store", help="Without it: synthetic vectors.")
    ] = None,
    collection: Annotated[str | None, typer.Option("--collection", help="Of the store.")] = None,
    searches: Annotated[int, typer.Option("--searches", min=1, help="Searches measured.")] = 200,
    json: Json = False,
) -> None:
    """Measure how long searches take: through io_uring and the memory map, or with filters."""
    run(bench, what, store, collection, searches, Output(is_json=json))
