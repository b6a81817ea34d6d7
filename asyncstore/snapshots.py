"""Snapshots: made while writes go on, and put in the place of what is there.

The core makes a checkpoint and holds the files open that it left; a thread streams them into one
archive. Recovering goes the other way: a thread writes the archive's files into a folder of the
store's, and the core verifies them before they count.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

import anyio
import anyio.lowlevel
import anyio.to_thread

from asyncstore.archive import (
    Member,
    Part,
    Pause,
    archive_end,
    archive_parts,
    member_parts,
    nested,
    open_file,
)
from asyncstore.engine import Engine, NativeCollection
from asyncstore.errors import CorruptionError, InvalidArgumentError, StoreClosedError
from asyncstore.models import SnapshotDescription
from asyncstore.names import check_new_name
from asyncstore.snapshot_contents import Brought, StoredCollection, contents_of, extract
from asyncstore.snapshot_files import (
    PartFile,
    SnapshotFolder,
    clean_up,
    storage_errors,
)
from asyncstore.snapshot_locations import check_host, download, file_of, is_url

if TYPE_CHECKING:
    from asyncstore.engine import NativeSnapshot

T = TypeVar("T")

# In a store's folder: what is being recovered, on the file system where it will stay.
_RECOVERING = "recovering"
_JOBS_MAX = 4


class SnapshotOwner(Protocol):
    """The store, as its collections see it."""

    @property
    def snapshots(self) -> Snapshots:
        """Those of the store and its collections."""

    async def recover_snapshot(
        self,
        location: str | os.PathLike[str],
        *,
        collection: str | None = None,
        checksum: str | None = None,
        api_key: str | None = None,
    ) -> None:
        """As :meth:`asyncstore.Store.recover_snapshot`."""


class Snapshots:
    """The snapshots of an open store."""

    def __init__(self, engine: Engine) -> None:
        """Of the store that this engine has open."""
        self._engine = engine
        storage = engine.config.storage
        store = Path(engine.path).absolute()
        self.root = Path(storage.snapshots_path or store / "snapshots").absolute()
        self._temp = Path(storage.temp_path).absolute() if storage.temp_path else None
        self._recovering = store / _RECOVERING
        self._taken: set[Path] = set()
        self._limiter = anyio.CapacityLimiter(_JOBS_MAX)
        self._stops: set[threading.Event] = set()
        self._idle = anyio.Event()
        self._is_closing = False

    async def open(self) -> None:
        """Removes what a crash has left."""
        with storage_errors("cleaning up snapshots"):
            await anyio.to_thread.run_sync(self._clean_up, limiter=self._limiter)

    async def close(self) -> None:
        """Ends what is going on, which raises ``StoreClosedError``, and waits for its end."""
        self._is_closing = True
        with anyio.CancelScope(shield=True):
            while self._stops:
                for stop in self._stops:
                    stop.set()
                self._idle = anyio.Event()
                await self._idle.wait()

    # --- of a collection, or of the whole store ---

    def of(self, collection: str | None) -> SnapshotFolder:
        """Where the snapshots of a collection lie; None: of the whole store."""
        if collection is None:
            return SnapshotFolder.of_store(self.root)
        return SnapshotFolder.of_collection(self.root, collection)

    async def listing(self, collection: str | None) -> list[SnapshotDescription]:
        """All of them, the oldest first."""
        folder = self.of(collection)
        return await self._on_thread("listing snapshots", lambda pause: folder.listing())

    async def path(self, collection: str | None, name: str) -> Path:
        """The file of one."""
        return await self._on_thread(
            "looking for a snapshot", lambda pause: self.of(collection).find(name)
        )

    async def delete(self, collection: str | None, name: str) -> None:
        """Removes one."""
        await self._on_thread("deleting a snapshot", lambda pause: self.of(collection).remove(name))

    async def create(self, native: NativeCollection) -> SnapshotDescription:
        """Makes one of a collection."""
        folder = self.of(native.name)
        async with self._part(folder) as (part, name), self._pinned(native) as pinned:
            members = _members_of(pinned)

            def work(pause: Pause) -> SnapshotDescription:
                _write(part, archive_parts(members), pause)
                return folder.adopt(part, name, pause)

            return await self._on_thread("making a snapshot", work)

    async def create_full(
        self, natives: list[NativeCollection], aliases: Mapping[str, str]
    ) -> SnapshotDescription:
        """Makes one of the whole store: of each collection at a moment of its own."""
        folder = self.of(None)
        stored: list[StoredCollection] = []
        async with self._part(folder) as (part, name):
            for number, native in enumerate(natives):
                file = f"{number}.snapshot"
                async with self._pinned(native) as pinned:
                    stored.append(
                        StoredCollection(
                            name=native.name, file=file, operation_id=pinned.operation_id
                        )
                    )
                    await self._add(part, nested(file, _members_of(pinned)))
            await self._add(part, contents_of(stored, aliases))

            def end(pause: Pause) -> SnapshotDescription:
                part.write(archive_end())
                return folder.adopt(part, name, pause)

            return await self._on_thread("making a snapshot", end)

    async def _add(self, part: PartFile, member: Member) -> None:
        """Writes one file of an archive."""
        await self._on_thread(
            "making a snapshot", lambda pause: _write(part, member_parts(member), pause)
        )

    # --- recovering ---

    async def recover(
        self,
        location: str | os.PathLike[str],
        collection: str | None,
        use: Callable[[Brought], Awaitable[object]],
        *,
        checksum: str | None,
        api_key: str | None,
    ) -> None:
        """Brings a snapshot to the store's disk, and hands folders and names over to ``use``."""
        text = os.fspath(location)
        if collection is not None:
            check_new_name(collection)
        if not is_url(text):
            await self._recover_file(file_of(text), collection, use, checksum)
            return
        check_host(text, self._engine.config.storage.snapshot_hosts)
        async with self.new_part() as part:
            await self._on_thread(
                "fetching a snapshot", lambda pause: download(text, api_key, part, pause)
            )
            await self._recover_file(part.path, collection, use, checksum)

    async def _recover_file(
        self,
        path: Path,
        collection: str | None,
        use: Callable[[Brought], Awaitable[object]],
        checksum: str | None,
    ) -> None:
        folder = self._recovering / secrets.token_hex(8)
        try:
            brought = await self._on_thread(
                "recovering a snapshot",
                lambda pause: extract(path, collection, folder, checksum, pause),
            )
            try:
                await use(brought)
            except CorruptionError as error:
                raise InvalidArgumentError(f"the snapshot is damaged: {error}") from error
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_remove, folder, limiter=self._limiter)

    def new_part(self) -> AbstractAsyncContextManager[PartFile]:
        """A file for what comes from elsewhere, on the disk where snapshots are made."""
        return self._new_part(self.root, "making a file for a snapshot")

    @asynccontextmanager
    async def _new_part(self, folder: Path, doing: str) -> AsyncIterator[PartFile]:
        """A file in ``storage.temp_path``, or without one in the folder."""
        with storage_errors(doing):
            part = await anyio.to_thread.run_sync(lambda: PartFile(self._temp or folder))
        try:
            yield part
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(part.close)

    async def append(self, part: PartFile, chunk: bytes) -> None:
        """Writes to a file for what comes from elsewhere."""
        await self._on_thread("receiving a snapshot", lambda pause: part.write(chunk))

    # --- how ---

    @asynccontextmanager
    async def _part(self, folder: SnapshotFolder) -> AsyncIterator[tuple[PartFile, str]]:
        """A file to be put together, and the name that it is to have, which is nobody else's."""
        name = folder.new_name(self._taken)
        self._taken.add(folder.path / name)
        try:
            async with self._new_part(folder.path, "making a snapshot") as part:
                yield part, name
        finally:
            self._taken.discard(folder.path / name)

    @asynccontextmanager
    async def _pinned(self, native: NativeCollection) -> AsyncIterator[NativeSnapshot]:
        """The collection's files as of one operation."""
        engine = self._engine
        pinned = cast(
            "NativeSnapshot",
            await engine.call(engine.writes, lambda: engine.native.submit_snapshot(native)),
        )
        try:
            yield pinned
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(pinned.release)

    async def _on_thread(self, doing: str, work: Callable[[Pause], T]) -> T:
        """Does what may block; ended early by a cancellation, and when the store is closed."""
        self._check_open()
        stop = threading.Event()

        def pause() -> None:
            if stop.is_set():
                raise StoreClosedError(f"store {self._engine.path} is closed")

        def run() -> T:
            with storage_errors(doing):
                return work(pause)

        self._stops.add(stop)
        try:
            return await _stopping_when_cancelled(stop, run, self._limiter)
        finally:
            self._stops.discard(stop)
            if not self._stops:
                self._idle.set()

    def _check_open(self) -> None:
        self._engine.check_open()
        if self._is_closing:
            raise StoreClosedError(f"store {self._engine.path} is closed")

    def _clean_up(self) -> None:
        shutil.rmtree(self._recovering, ignore_errors=True)
        clean_up(self.root, self._temp)


async def _stopping_when_cancelled(
    stop: threading.Event, run: Callable[[], T], limiter: anyio.CapacityLimiter
) -> T:
    """Runs on a thread, which is told of a cancellation and waited for."""
    outcome: list[T] = []
    failure: list[Exception] = []

    def guarded() -> None:
        try:
            outcome.append(run())
        except Exception as error:
            failure.append(error)

    async def tell() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stop.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell)
        try:
            await anyio.to_thread.run_sync(guarded, limiter=limiter)
        finally:
            tasks.cancel_scope.cancel()
    if failure:
        await anyio.lowlevel.checkpoint_if_cancelled()  # then that is the reason
        raise failure[0]
    return outcome[0]


def _write(part: PartFile, chunks: Iterator[Part], pause: Pause) -> None:
    for chunk in chunks:
        pause()
        part.write(chunk)


def _remove(folder: Path) -> None:
    """A folder, and the one around it when nothing else is recovered."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()


def _members_of(pinned: NativeSnapshot) -> list[Member]:
    return [open_file(name, fd, size_bytes) for name, fd, size_bytes in pinned.files()]
