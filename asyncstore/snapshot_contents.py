"""What a snapshot holds, of a collection or of a whole store, and how it becomes folders again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from asyncstore.archive import Entry, Member, Pause, entries, extract_collection, small_file
from asyncstore.errors import InvalidArgumentError
from asyncstore.names import check_new_name
from asyncstore.snapshot_files import sha256_of

# Of a whole store: the last file, which says what the others are.
_CONTENTS = "STORE.json"
_CONTENTS_BYTES_MAX = 64 << 20
_FORMAT = 1


class StoredCollection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection in a snapshot of the whole store.

    Attributes:
        file: The name of its own snapshot in the archive.
        operation_id: The last operation that the snapshot has.
    """

    name: str
    file: str
    operation_id: int


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot of the whole store holds.

    Attributes:
        aliases: The collection that each alias stands for.
    """

    format: int
    collections: list[StoredCollection]
    aliases: dict[str, str] = {}


@dataclass(frozen=True)
class Brought:
    """What a snapshot held.

    Attributes:
        collections: Their names and the folders with their files.
        aliases: The collection that each alias stands for.
    """

    collections: list[tuple[str, Path]]
    aliases: Mapping[str, str]


def contents_of(stored: list[StoredCollection], aliases: Mapping[str, str]) -> Member:
    """The last file of a snapshot of a whole store; aliases of what it holds."""
    names = {one.name for one in stored}
    held = {alias: name for alias, name in aliases.items() if name in names}
    contents = Contents(format=_FORMAT, collections=stored, aliases=held)
    return small_file(_CONTENTS, msgspec.json.encode(contents))


def extract(
    path: Path, collection: str | None, folder: Path, checksum: str | None, pause: Pause
) -> Brought:
    """Writes the files of a snapshot.

    Args:
        path: The snapshot.
        collection: Which is to get the snapshot of one; None: it is of a whole store.
        folder: Made here; a folder in it for each collection.
        checksum: SHA-256 that the file must have.
        pause: Called before every part; raises to end the work.

    Raises:
        InvalidArgumentError: The file is not there or no snapshot of this kind, or is damaged.
        StorageIOError: The disk is full or fails.
    """
    with _opened(path) as fd:
        size_bytes = os.fstat(fd).st_size
        if checksum is not None:
            actual = sha256_of(fd, pause)
            if actual != checksum.lower():
                raise InvalidArgumentError(
                    f"Checksum mismatch: expected {checksum}, actual {actual}"
                )
        found = list(entries(fd, 0, size_bytes))
        folder.mkdir(parents=True)
        is_full = bool(found) and found[-1].name == _CONTENTS
        if collection is not None:
            if is_full:
                raise InvalidArgumentError(
                    "the snapshot is of a whole store, not of one collection"
                )
            extract_collection(fd, 0, size_bytes, folder / "0", pause)
            return Brought([(collection, folder / "0")], {})
        if not is_full:
            raise InvalidArgumentError(
                "the snapshot is of one collection, not of a whole store: say which is to get it"
            )
        contents = _contents(fd, found)
        by_file = {entry.name: entry for entry in found}
        brought: list[tuple[str, Path]] = []
        for stored in contents.collections:
            place = folder / str(len(brought))
            entry = by_file[stored.file]
            extract_collection(fd, entry.offset, entry.offset + entry.size_bytes, place, pause)
            brought.append((stored.name, place))
        return Brought(brought, contents.aliases)


def _contents(fd: int, found: list[Entry]) -> Contents:
    """What the last file of a store's snapshot says of the others, checked against them."""
    *files, last = found
    text = os.pread(fd, min(last.size_bytes, _CONTENTS_BYTES_MAX), last.offset)
    try:
        contents = msgspec.json.decode(text, type=Contents)
    except msgspec.DecodeError as error:
        raise InvalidArgumentError(f"the snapshot's {_CONTENTS} is damaged: {error}") from error
    if contents.format != _FORMAT:
        raise InvalidArgumentError(
            f"the snapshot has format {contents.format}; this asyncstore reads format {_FORMAT}"
        )
    names = [stored.name for stored in contents.collections]
    told = [stored.file for stored in contents.collections]
    if sorted(told) != sorted(entry.name for entry in files) or len(set(names)) < len(names):
        raise InvalidArgumentError(f"the snapshot's {_CONTENTS} does not tell what it holds")
    for name in (*names, *contents.aliases):
        check_new_name(name)
    if not set(names).isdisjoint(contents.aliases) or not set(names).issuperset(
        contents.aliases.values()
    ):
        raise InvalidArgumentError(f"the snapshot's {_CONTENTS} has aliases that cannot be")
    return contents


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        # A pipe would be waited for.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InvalidArgumentError(f'Snapshot file "{path}" does not exist') from error
    try:
        if not os.path.isfile(fd):
            raise InvalidArgumentError(f'Snapshot file "{path}" is no file')
        yield fd
    finally:
        os.close(fd)
