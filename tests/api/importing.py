"""What tests of imports share: a plan with defaults, the import itself, and what then is there."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import anyio
import numpy as np
from rich.console import Console

import asyncstore
from asyncstore.cli.codes import Codes
from asyncstore.cli.importing.command import import_files
from asyncstore.cli.importing.plan import ImportPlan
from asyncstore.cli.output import Output
from asyncstore.models import Distance


def plan(*paths, **options):
    """Into the collection "docs", by dot product, so that vectors come back as they were."""
    given = {
        "vectors": [],
        "id_column": None,
        "payload_columns": [],
        "ids": None,
        "payload": None,
        "collection": "docs",
        "distance": Distance.DOT,
        "codes": Codes.NONE,
        "is_restart": False,
    }
    return ImportPlan(paths=[Path(path) for path in paths], **(given | options))


class Imported:
    """What an import said."""

    def __init__(self, store, *paths, **options):
        asked = plan(*paths, **options)
        self.text = self._run(asked, store, Output(is_json=False, console=Console(width=500)))
        self.is_at = store

    @staticmethod
    def _run(asked, store, output):
        text = io.StringIO()
        output.console.file = text
        assert anyio.run(import_files, asked, store, None, output) == 0
        return text.getvalue()


def report_of(store, *paths, **options):
    """The document for machines."""
    text = io.StringIO()
    with redirect_stdout(text):
        anyio.run(import_files, plan(*paths, **options), store, None, Output(is_json=True))
    return json.loads(text.getvalue())


async def _points(store, collection):
    found = {}
    async with asyncstore.open_store(store) as opened:
        docs = await opened.get_collection(collection)
        offset = None
        while True:
            page, offset = await docs.scroll(limit=5000, offset=offset, with_vectors=True)
            found |= {record.id: (record.vector, record.payload) for record in page}
            if offset is None:
                return found


def points_of(store, collection="docs"):
    """Vector and payload of each point by its id."""
    return anyio.run(_points, store, collection)


def in_store(store, work):
    """Runs ``work(store)``, a coroutine function, in the store that is opened for it."""

    async def run():
        async with asyncstore.open_store(store) as opened:
            return await work(opened)

    return anyio.run(run)


def assert_vectors(points, expected):
    """``expected``: the vectors in the order of the ids."""
    found = np.array([points[point][0] for point in sorted(points)], np.float32)
    assert np.array_equal(found, np.asarray(expected, np.float32))
