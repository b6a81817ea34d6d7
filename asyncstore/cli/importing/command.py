"""``asyncstore import``: points of files into a collection, going on where it was interrupted."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio.to_thread
import typer
from rich.progress import Progress, TaskID

from asyncstore.cli.importing.bookmark import Bookmark, BookmarkFile, Mark, ReadFile
from asyncstore.cli.importing.files import open_sources
from asyncstore.cli.importing.plan import ImportPlan, ImportReport
from asyncstore.cli.importing.source import Block, RowError, Source
from asyncstore.cli.importing.target import opened_target
from asyncstore.cli.importing.writing import add_rows_task, optimize
from asyncstore.cli.output import Output
from asyncstore.collection import Collection
from asyncstore.errors import InvalidArgumentError
from asyncstore.ids import point_id
from asyncstore.settings import UNNAMED
from asyncstore.store import open_store

# How messages about a block of one row say which one it is.
_POSITION = re.compile(r"\[0\]| of point 0 of the batch")


async def import_files(
    plan: ImportPlan, store_path: Path, config: Path | None, output: Output
) -> int:
    """Imports the files and optimizes the collection."""
    columns = plan.columns()
    sources = await anyio.to_thread.run_sync(
        open_sources, plan.paths, columns, plan.ids, plan.payload
    )
    beginning = Bookmark(files=await anyio.to_thread.run_sync(_files_of, sources), columns=columns)
    dims = sources[0].dims
    async with open_store(store_path, config=config) as store:
        async with opened_target(store, plan, dims) as collection:
            bookmarks = BookmarkFile(Path(store.path), collection.name)
            importing = _Import(sources, collection, beginning, bookmarks)
            said = await importing.begin(is_restart=plan.is_restart)
            if said is not None:
                output.console.print(said, markup=False, highlight=False)
            resumed_from = importing.done or None
            with output.progress() as progress, importing.telling_how_to_go_on():
                write_s = await importing.write(progress)
                optimize_s = await optimize(collection, progress)
            await anyio.to_thread.run_sync(bookmarks.remove)
    report = ImportReport(
        collection=plan.collection,
        points=importing.rows,
        dim=dims[UNNAMED] if list(dims) == [UNNAMED] else dims,
        resumed_from=resumed_from,
        write_s=write_s,
        optimize_s=optimize_s,
        points_per_s=(importing.rows - (resumed_from or 0)) / max(write_s, 1e-9),
    )
    output.json(report)
    output.console.print(report.text(store_path), markup=False, highlight=False)
    return 0


def _files_of(sources: Sequence[Source]) -> list[ReadFile]:
    return [ReadFile.of(path) for one in sources for path in (one.path, *one.beside)]


class _Import:
    """The rows of all sources, one after the other, on their way into a collection.

    Attributes:
        rows: How many there are.
        done: How many of them are written.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        collection: Collection,
        beginning: Bookmark,
        bookmarks: BookmarkFile,
    ) -> None:
        """``beginning``: the bookmark of no rows."""
        self.rows = sum(source.rows for source in sources)
        self.done = 0
        self._sources = sources
        self._collection = collection
        self._bookmark = beginning
        self._bookmarks = bookmarks

    async def begin(self, *, is_restart: bool) -> str | None:
        """Finds out where to begin; returns what is to be said about it."""
        kept = await anyio.to_thread.run_sync(self._bookmarks.read)
        if kept is None:
            return None
        objection = "--restart" if is_restart else kept.objection(self._bookmark, self.rows)
        if objection is None and not await kept.is_shown_by(self._collection):
            objection = "the collection is not as the interrupted import left it"
        if objection is None:
            self._bookmark, self.done = kept, kept.rows
            return f"Going on after {self.done:,} of {self.rows:,} rows."
        await anyio.to_thread.run_sync(self._bookmarks.remove)
        return f"Beginning anew: {objection}."

    async def write(self, progress: Progress) -> float:
        """Writes the rows that are not written yet; returns how many seconds that took.

        Raises:
            InvalidArgumentError: A row is wrong, or a file damaged; some rows before are written.
        """
        task = add_rows_task(progress, self.rows, self.done)
        began_s = time.perf_counter()
        first = 0
        try:
            for source in self._sources:
                if self.done < first + source.rows:
                    await self._write_source(source, first, progress, task)
                first += source.rows
        except InvalidArgumentError as error:
            written = f"{self.done:,} rows before it are written"
            raise InvalidArgumentError(f"{error}; {written}") from error
        return time.perf_counter() - began_s

    @contextmanager
    def telling_how_to_go_on(self) -> Iterator[None]:
        """Says what was reached where something else than the input ends the import."""
        try:
            yield
        except InvalidArgumentError:
            raise
        except BaseException:
            typer.echo(
                f"interrupted after {self.done:,} of {self.rows:,} rows; "
                "the same command goes on from there",
                err=True,
            )
            raise

    async def _write_source(
        self, source: Source, first: int, progress: Progress, task: TaskID
    ) -> None:
        """``first``: the number of its first row among those of all sources."""
        blocks = source.blocks(self.done - first, first)
        while (block := await anyio.to_thread.run_sync(next, blocks, None)) is not None:
            operation_id = await self._write_block(block, source.path, first)
            mark = Mark(id=point_id(block.ids[-1], "ids"), operation_id=operation_id)
            self._bookmark = self._bookmark.moved(self.done, mark)
            await anyio.to_thread.run_sync(self._bookmarks.write, self._bookmark)
            progress.advance(task, len(block))

    async def _write_block(self, block: Block, path: Path, first: int) -> int:
        """Writes all of it; of one with a wrong row those before that; returns the operation.

        A block is refused as a whole, so it is halved until one row is left.
        """
        try:
            written = await self._collection.upsert_arrays(block.ids, block.vectors, block.payloads)
        except InvalidArgumentError as error:
            if len(block) == 1:
                rule = _POSITION.sub("", str(error), count=1)
                raise RowError(path, self.done - first, rule) from error
            half = len(block) // 2
            await self._write_block(block.part(0, half), path, first)
            return await self._write_block(block.part(half, len(block)), path, first)
        self.done += len(block)
        assert written.operation_id is not None
        return written.operation_id
