"""How far an import is, kept beside the store's collections until it is finished.

To go on too early only writes the same points again; to go on too late would leave some out. So a
bookmark counts only while the collection shows what was written: the points at which it was marked
must each have been changed last by the very operation that is noted. A collection that was made
anew, came from an older snapshot, or lost its last writes with the machine (``durability: none``)
does not show them, and the import begins anew.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from asyncstore.cli.importing.columns import Columns
from asyncstore.collection import Collection
from asyncstore.models import Filter, HasIdCondition, PointId

FOLDER = "imports"  # in the store's; there while an import is under way or was interrupted
MARKS_MAX = 128


class ReadFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was when the import began."""

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> ReadFile:
        """As it is now."""
        held = path.stat()
        return cls(path=str(path.resolve()), size=held.st_size, mtime_ns=held.st_mtime_ns)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The last point of a block, and the operation that wrote it."""

    id: PointId
    operation_id: int


class Bookmark(msgspec.Struct, frozen=True, kw_only=True):
    """Everything up to a row is in the collection.

    Attributes:
        files: What is imported, in order.
        columns: What of it is what.
        rows: How many rows of all files together are written.
        marks: Of some blocks, and of the last.
    """

    files: list[ReadFile]
    columns: Columns
    rows: int = 0
    marks: list[Mark] = []

    def moved(self, rows: int, mark: Mark) -> Bookmark:
        """The bookmark of ``rows`` rows, the last of which is marked."""
        marks = [*self.marks, mark]
        if len(marks) > MARKS_MAX:
            marks = marks[-1::-2][::-1]  # every second, and the last
        return msgspec.structs.replace(self, rows=rows, marks=marks)

    def objection(self, now: Bookmark, rows: int) -> str | None:
        """Why an import that begins as ``now`` is not the one that was interrupted; None: it is."""
        if [file.path for file in self.files] != [file.path for file in now.files]:
            return "the import that was interrupted was of other files"
        for before, file in zip(self.files, now.files, strict=True):
            if before != file:
                return f"{file.path} has changed since the import was interrupted"
        if self.columns != now.columns:
            return "the import that was interrupted had other options"
        if not 0 < self.rows <= rows or not self.marks:
            return "how far the interrupted import was is not known"
        return None

    async def is_shown_by(self, collection: Collection) -> bool:
        """Whether the collection has what was marked, as it was written."""
        ids = [mark.id for mark in self.marks]
        wanted = Filter(must=HasIdCondition(has_id=ids))
        found = await collection.query(filter=wanted, limit=len(ids))
        versions = {point.id: point.version for point in found}
        return all(versions.get(mark.id) == mark.operation_id for mark in self.marks)


class BookmarkFile:
    """The bookmark of a collection: there is at most one. Its methods are for a thread."""

    def __init__(self, store: Path, collection: str) -> None:
        """``collection``: any name, so the file's is its hash."""
        name = hashlib.sha256(collection.encode()).hexdigest()[:32]
        self._path = store / FOLDER / f"{name}.json"

    def read(self) -> Bookmark | None:
        """The bookmark; None where there is none that can be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Bookmark)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def write(self, bookmark: Bookmark) -> None:
        """Puts it in the place of the one before, durably."""
        self._path.parent.mkdir(exist_ok=True)
        new = self._path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(bookmark))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def remove(self) -> None:
        """The import is finished, or begins anew."""
        for path in (self._path, self._path.with_suffix(".new")):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # there may be those of other collections
            self._path.parent.rmdir()
