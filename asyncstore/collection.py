"""A collection: points written, read and searched with ``await``."""

from __future__ import annotations

import os
from typing import cast

import msgspec

from asyncstore.bounds import Bounds, check_number
from asyncstore.groups import Groups
from asyncstore.info import collection_info
from asyncstore.matrix import Matrices
from asyncstore.models import (
    CollectionInfo,
    CollectionStatistics,
    Finding,
    Severity,
    SnapshotDescription,
)
from asyncstore.payload_indexes import PayloadIndexes
from asyncstore.payload_writes import PayloadWrites
from asyncstore.progress import Progress, result_with_progress
from asyncstore.writes import Writes


class Collection(Groups, Matrices, Writes, PayloadWrites, PayloadIndexes):
    """Points of one kind: an id, vectors, and payload, a JSON object.

    Comes from :meth:`Store.create_collection` or :meth:`Store.get_collection`, and may be used by
    many tasks at once. Every method raises ``StoreClosedError`` when the store has been closed, and
    ``CollectionNotFoundError`` when the collection has been deleted.

    Writes: acknowledged means durable, as far as the configured durability goes, and visible to
    every search that begins afterwards. ``wait=False`` changes nothing about that; the result says
    "acknowledged" instead of "completed".

    Example:
        >>> async def nearest(collection, query):
        ...     return [hit.id for hit in await collection.search(query, limit=3)]
    """

    async def optimize(self, *, progress: Progress | None = None) -> None:
        """Seals, merges and vacuums segments until nothing is left to do.

        Searches and writes go on meanwhile.

        Args:
            progress: Called with (done, total, what), about ten times a second and at the end,
                where done equals total. What it raises is raised here.

        Raises:
            StorageIOError: The disk is full or fails.

        Cancellation: the optimizer goes on in the background.
        """
        native = self._engine.native
        pending = await self._engine.begin(
            self._engine.writes, lambda: native.submit_optimize(self._native)
        )
        await result_with_progress(
            pending, progress, "optimize", lambda: self.statistics().optimizer
        )

    async def prewarm(
        self, *, budget_bytes: int | None = None, progress: Progress | None = None
    ) -> int:
        """Brings originals into the page cache.

        Args:
            budget_bytes: At most so many; None means all.
            progress: As in :meth:`optimize`.

        Returns:
            How many bytes were brought in.

        Raises:
            InvalidArgumentError: The budget is below 1.
            StorageIOError: The disk fails.

        Cancellation: what has been begun goes on in the background.
        """
        if budget_bytes is not None:
            check_number(budget_bytes, Bounds(1), "budget_bytes")
        native = self._engine.native
        pending = await self._engine.begin(
            self._engine.reads, lambda: native.submit_prewarm(self._native, budget_bytes or 0)
        )
        warmed = await result_with_progress(
            pending, progress, "prewarm", lambda: self.statistics().prewarm
        )
        return cast(int, warmed)

    async def check(self, *, repair: bool = False) -> list[Finding]:
        """Reads all files of the collection and verifies every checksum; repairs them if asked to.

        A repair writes anew what is derived or held twice: codes, ids, deleted rows, headers, the
        places of payloads, the manifest, and operations of which the log's copy is damaged. A
        checkpoint makes that durable, and what was repaired is read once more. Searches and writes
        go on meanwhile. Vectors and payloads are held once: where one is damaged, the finding names
        the point and says what can be done.

        Args:
            repair: Whether to repair what can be.

        Returns:
            What was found, and whether it was repaired; nothing when all is well.

        Raises:
            StorageIOError: The disk fails or, during a repair, is full; what was repaired until
                then stays, and nothing is lost.
            StoreFailedError: A repair cannot begin, as writing has stopped after a failed sync.

        Cancellation: check and repair go on in the background, their result is dropped.
        """
        native = self._engine.native
        found = await self._engine.call(
            self._engine.reads, lambda: native.submit_check(self._native, repair)
        )
        return [
            Finding(
                severity=Severity(severity),
                file=file,
                offset_bytes=offset_bytes,
                text=text,
                repairable=repairable,
                repaired=repaired,
            )
            for severity, file, offset_bytes, text, repairable, repaired in cast(
                "list[tuple[str, str, int, str, bool, bool]]", found
            )
        ]

    async def create_snapshot(self) -> SnapshotDescription:
        """Makes a snapshot: one file that holds the collection as it is after some operation.

        The operation is one that is acknowledged while this runs, or the last one before; all
        before it are in the snapshot, none behind it is. Searches and writes go on; while the
        optimizer works for this collection, that comes first. Space that writes and merges set free
        is used again when the snapshot is done.

        Raises:
            StorageIOError: The disk of ``storage.temp_path`` or of ``storage.snapshots_path`` is
                full, or one fails; the collection is as it was.
            StoreFailedError: Writing has stopped after a failed sync.

        Cancellation: leaves no snapshot behind, or a whole one.
        """
        self._engine.check_open()
        return await self._owner.snapshots.create(self._native)

    async def list_snapshots(self) -> list[SnapshotDescription]:
        """The collection's snapshots, the oldest first."""
        return await self._owner.snapshots.listing(self._name)

    async def delete_snapshot(self, name: str) -> bool:
        """Deletes a snapshot of the collection; returns True.

        Raises:
            NotFoundError: There is none of this name.
            StorageIOError: The disk fails.
        """
        await self._owner.snapshots.delete(self._name, name)
        return True

    async def recover_snapshot(
        self,
        location: str | os.PathLike[str],
        *,
        checksum: str | None = None,
        api_key: str | None = None,
    ) -> None:
        """Puts what a collection's snapshot holds in the place of this collection's points.

        This object then stands for what was recovered; others that were got before raise
        ``CollectionNotFoundError``. The snapshot may be of a collection of another name, and brings
        its settings along. All else is as with :meth:`Store.recover_snapshot`.
        """
        await self._owner.recover_snapshot(
            location, collection=self._name, checksum=checksum, api_key=api_key
        )
        self._use(self._find_other(self._name))

    async def info(self) -> CollectionInfo:
        """State and settings; what was set is given back as it was given."""
        await self._engine.checkpoint()
        return collection_info(
            self.statistics(),
            self._settings,
            self._engine.config.storage.optimizers,
            self._native.indexes(),
        )

    def statistics(self) -> CollectionStatistics:
        """What the collection holds, in memory and on disk."""
        self._engine.check_open()
        return msgspec.convert(self._native.statistics(), CollectionStatistics)
