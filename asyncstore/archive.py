"""The file of a snapshot: an uncompressed tar of regular files, as docs/internals/formats.md says.

It is written as a stream, and may hold other archives. What is read may be forged: nothing but
headers of regular files is understood, no name is used that was not expected, and no more is
written than the archive itself is large.
"""

from __future__ import annotations

import errno
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from asyncstore.errors import InvalidArgumentError, StorageIOError

PART_BYTES = 1 << 20
_BLOCK_BYTES = tarfile.BLOCKSIZE
_END = b"\0" * (2 * _BLOCK_BYTES)
# More than a collection of the largest size has; each costs a file, however short.
_ENTRIES_MAX = 100_000

Part: TypeAlias = bytes | bytearray | memoryview
# Called before every part; raises to end the work.
Pause: TypeAlias = Callable[[], None]

# The files that a collection's folder may hold, but for the log, which a snapshot does not need.
_COLLECTION_FILE = re.compile(
    r"COLLECTION|MANIFEST"
    r"|segments/\d{1,20}\.(vectors|rows|codes|graph|\d{1,20}\.deleted)"
    r"|points/\d{1,20}\.points"
    r"|fields/\d{1,20}\.(field|sparse|multi)"
    r"|(payload|sparse-\d{1,5}|multi-\d{1,5})"
    r"/(tracker|\d{1,20}\.(page|done|flush|dictionary|mirror))",
    re.ASCII,
)


@dataclass(frozen=True)
class Member:
    """A file to be written.

    Attributes:
        parts: Gives the content, ``size_bytes`` in all; each is valid until the next is asked for.
    """

    name: str
    size_bytes: int
    parts: Callable[[], Iterator[Part]]


@dataclass(frozen=True)
class Entry:
    """A file in an archive.

    Attributes:
        offset: Where in the archive's file the content begins.
    """

    name: str
    offset: int
    size_bytes: int


def open_file(name: str, fd: int, size_bytes: int) -> Member:
    """The first bytes of a file that is open; it must stay so."""
    return Member(name, size_bytes, lambda: _parts_of(name, fd, size_bytes))


def small_file(name: str, content: bytes) -> Member:
    """A file that is in memory."""
    return Member(name, len(content), lambda: iter((content,)))


def nested(name: str, members: list[Member]) -> Member:
    """An archive of its own."""
    size_bytes = sum(_BLOCK_BYTES + _padded(member.size_bytes) for member in members) + len(_END)
    return Member(name, size_bytes, lambda: archive_parts(members))


def archive_parts(members: list[Member]) -> Iterator[Part]:
    """The bytes of an archive of these files, in their order."""
    for member in members:
        yield from member_parts(member)
    yield _END


def member_parts(member: Member) -> Iterator[Part]:
    """The bytes of one file in an archive."""
    header = tarfile.TarInfo(member.name)
    header.size = member.size_bytes
    yield header.tobuf(tarfile.GNU_FORMAT)
    yield from member.parts()
    yield b"\0" * (_padded(member.size_bytes) - member.size_bytes)


def archive_end() -> bytes:
    """What follows the last file."""
    return _END


def entries(fd: int, begin: int, end: int) -> Iterator[Entry]:
    """The files of the archive that is bytes ``begin`` to ``end`` of a file, in their order.

    Raises:
        InvalidArgumentError: This is no archive, it is cut off, or it holds something else.
    """
    offset = begin
    for _ in range(_ENTRIES_MAX):
        header = os.pread(fd, _BLOCK_BYTES, offset)
        if offset + len(header) > end or len(header) < _BLOCK_BYTES:
            raise InvalidArgumentError("the snapshot is cut off: it ends without its last block")
        if header == _END[:_BLOCK_BYTES]:
            if end - offset != len(_END):
                raise InvalidArgumentError(f"the snapshot does not end at byte {offset} as it says")
            return
        entry = _entry_of(header, offset)
        offset = entry.offset + _padded(entry.size_bytes)
        if offset > end:
            raise InvalidArgumentError(f"the snapshot is cut off: {entry.name!r} is not whole")
        yield entry
    raise InvalidArgumentError(f"the snapshot holds more than {_ENTRIES_MAX} files")


def extract_collection(fd: int, begin: int, end: int, folder: Path, pause: Pause) -> None:
    """Writes the files of a collection's snapshot into a new folder, and makes them durable.

    Raises:
        InvalidArgumentError: The archive is damaged, or holds what no such snapshot does.
        StorageIOError: The disk is full or fails.
    """
    check_space(folder.parent, end - begin)
    folder.mkdir()
    folders = {folder}
    for entry in entries(fd, begin, end):
        if _COLLECTION_FILE.fullmatch(entry.name) is None:
            raise InvalidArgumentError(
                f"the snapshot holds {entry.name!r}, which is no file of one"
            )
        path = folder / entry.name
        if path.parent not in folders:
            path.parent.mkdir()
            folders.add(path.parent)
        _extract(fd, entry, path, pause)
    for name in ("COLLECTION", "MANIFEST"):
        if not (folder / name).exists():
            raise InvalidArgumentError(f"the snapshot holds no file {name!r}")
    for made in folders:
        sync_folder(made)


def check_space(folder: Path, size_bytes: int) -> None:
    """Refuses what a disk has no room for, before anything is written.

    Raises:
        StorageIOError: It is too large.
    """
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if size_bytes > free:
        raise StorageIOError(
            f"{size_bytes} bytes do not fit onto the disk of {folder}, which has {free} left",
            errno.ENOSPC,
            str(folder),
        )


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _entry_of(header: bytes, offset: int) -> Entry:
    try:
        info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"this is no snapshot: {error} at byte {offset}") from error
    if info.type != tarfile.REGTYPE:
        raise InvalidArgumentError(f"the snapshot holds {info.name!r}, which is no regular file")
    if info.size < 0:
        raise InvalidArgumentError(f"the snapshot holds {info.name!r} of {info.size} bytes")
    return Entry(info.name, offset + _BLOCK_BYTES, info.size)


def _extract(fd: int, entry: Entry, path: Path, pause: Pause) -> None:
    try:
        target = path.open("xb", buffering=0)
    except FileExistsError as error:
        raise InvalidArgumentError(f"the snapshot holds {entry.name!r} twice") from error
    with target:
        offset, end = entry.offset, entry.offset + entry.size_bytes
        while offset < end:
            pause()
            part = os.pread(fd, min(PART_BYTES, end - offset), offset)
            if not part:
                raise InvalidArgumentError(f"the snapshot is cut off: {entry.name!r} is not whole")
            write_all(target.fileno(), part)
            offset += len(part)
        os.fsync(target.fileno())


def write_all(fd: int, part: Part) -> None:
    """Writes all of it."""
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _parts_of(name: str, fd: int, size_bytes: int) -> Iterator[Part]:
    buffer = memoryview(bytearray(min(PART_BYTES, size_bytes)))
    offset = 0
    while offset < size_bytes:
        count = os.preadv(fd, [buffer[: size_bytes - offset]], offset)
        if count == 0:
            raise StorageIOError(f"{name} ends at byte {offset} of {size_bytes}", 0, name)
        yield buffer[:count]
        offset += count


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES
