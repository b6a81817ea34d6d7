"""Where snapshots lie, how they are named, and how a file becomes one.

A file is put together under a hidden name, ``.asyncstore-….part``, and locked meanwhile. It is
synced, its checksum is written beside it, and then it gets its name in one step: whatever has the
name of a snapshot is whole. What a process left that died is hidden and not locked, and is removed
when a store is opened next.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asyncstore.archive import PART_BYTES, Part, Pause, check_space, sync_folder, write_all
from asyncstore.errors import NotFoundError, StorageIOError
from asyncstore.models import SnapshotDescription

_SUFFIX = ".snapshot"
_CHECKSUM_SUFFIX = ".checksum"
_PART_PREFIX, _PART_SUFFIX = ".asyncstore-", ".part"
_CHECKSUM = re.compile(r"([0-9a-f]{64})  ", re.ASCII)
# Of a file's name, as file systems have them.
_FILE_BYTES_MAX = 255
# Of the collection in it, so that there is room for the rest.
_NAME_BYTES_MAX = 180
# A server is one node; others number theirs.
_PEER_ID = 0


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Raises what the operating system refuses as a ``StorageIOError`` that says what was done."""
    try:
        yield
    except StorageIOError:
        raise
    except OSError as error:
        place = os.fspath(error.filename) if error.filename is not None else ""
        where = f" {place}" if place else ""
        raise StorageIOError(
            f"{doing} failed{where and ' at' + where}: {error.strerror}", error.errno or 0, place
        ) from error


class PartFile:
    """A file that is being put together: hidden, locked, and gone unless it is given a name."""

    def __init__(self, folder: Path) -> None:
        """Makes an empty one; also the folder, where it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        self.size_bytes = 0
        self._hash = hashlib.sha256()
        while True:
            self.path = folder / f"{_PART_PREFIX}{secrets.token_hex(8)}{_PART_SUFFIX}"
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            fcntl.flock(self.fd, fcntl.LOCK_EX)
            if self.path.exists():  # else somebody who cleans up was quicker than the lock
                return
            os.close(self.fd)

    def write(self, part: Part) -> None:
        """Appends to it."""
        write_all(self.fd, part)
        self._hash.update(part)
        self.size_bytes += len(part)

    @property
    def checksum(self) -> str:
        """SHA-256 of what was written."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Removes it, if it has got no name."""
        self.path.unlink(missing_ok=True)
        os.close(self.fd)

    def __enter__(self) -> PartFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class SnapshotFolder:
    """The snapshots of one collection, or those of the whole store."""

    def __init__(self, path: Path, prefix: str) -> None:
        """``prefix``: what the names of new ones begin with."""
        self.path = path
        self._prefix = prefix

    @classmethod
    def of_store(cls, root: Path) -> SnapshotFolder:
        """Those of the whole store."""
        return cls(root, "full-snapshot")

    @classmethod
    def of_collection(cls, root: Path, name: str) -> SnapshotFolder:
        """Those of a collection; a name that no folder can have is stood in for by its hash."""
        encoded = name.encode()
        short = name
        if name.startswith(".") or len(encoded) > _NAME_BYTES_MAX:
            short = f":{hashlib.sha256(encoded).hexdigest()}"
        return cls(root / short, f"{short.removeprefix(':')}-{_PEER_ID}")

    def new_name(self, taken: set[Path]) -> str:
        """A name of this second, or of the next that has none yet."""
        time = datetime.now(UTC)
        while True:
            name = f"{self._prefix}-{time:%Y-%m-%d-%H-%M-%S}{_SUFFIX}"
            if self.path / name not in taken and not (self.path / name).exists():
                return name
            time += timedelta(seconds=1)

    def listing(self) -> list[SnapshotDescription]:
        """All of them, the oldest first."""
        try:
            names = os.listdir(self.path)
        except FileNotFoundError:
            return []
        found = []
        for name in names:
            try:
                found.append((_time_of(self.find(name)), self.describe(name)))
            except (NotFoundError, FileNotFoundError):  # no snapshot, or gone meanwhile
                continue
        return [
            description for _, description in sorted(found, key=lambda one: (one[0], one[1].name))
        ]

    def find(self, name: str) -> Path:
        """The path of the snapshot of this name.

        Raises:
            NotFoundError: There is none.
        """
        path = self.path / name
        bare = name == os.path.basename(name) and not name.startswith(".") and "\0" not in name
        bare = bare and len(name.encode("utf-8", "replace")) <= _FILE_BYTES_MAX
        if not bare or not name.endswith(_SUFFIX) or path.is_symlink() or not path.is_file():
            raise NotFoundError(f"Snapshot `{name}` doesn't exist!")
        return path

    def describe(self, name: str) -> SnapshotDescription:
        """What is known of one."""
        path = self.find(name)
        status = path.stat()
        time = datetime.fromtimestamp(status.st_mtime, UTC)
        return SnapshotDescription(
            name=name,
            creation_time=f"{time:%Y-%m-%dT%H:%M:%S}",
            size=status.st_size,
            checksum=_checksum_beside(path),
        )

    def remove(self, name: str) -> None:
        """Removes one, durably."""
        path = self.find(name)
        path.unlink()
        _beside(path).unlink(missing_ok=True)
        sync_folder(self.path)

    def adopt(self, part: PartFile, name: str, pause: Pause) -> SnapshotDescription:
        """Gives a file that is whole its name; on another file system a copy of it."""
        os.fsync(part.fd)
        self.path.mkdir(parents=True, exist_ok=True)
        if os.stat(self.path).st_dev == os.fstat(part.fd).st_dev:
            self._name(part, name, part.checksum)
            return self.describe(name)
        check_space(self.path, part.size_bytes)
        with PartFile(self.path) as copy:
            while chunk := os.pread(part.fd, PART_BYTES, copy.size_bytes):
                pause()
                copy.write(chunk)
            os.fsync(copy.fd)
            # That of what was written: should the disk have given back something else, it tells.
            self._name(copy, name, part.checksum)
        return self.describe(name)

    def _name(self, part: PartFile, name: str, checksum: str) -> None:
        path = self.path / name
        beside = _beside(path)
        with beside.open("w") as file:  # as sha256sum writes it, so that it can check it
            file.write(f"{checksum}  {name}\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(part.path, path)
        sync_folder(self.path)


def clean_up(root: Path, temp: Path | None) -> None:
    """Removes what processes left that died, where snapshots lie and where they are made."""
    folders = [
        root,
        *(entry for entry in _listed(root) if entry.is_dir() and not entry.is_symlink()),
    ]
    for folder in [*folders, *([temp] if temp is not None else [])]:
        for path in _listed(folder):
            if path.name.startswith(_PART_PREFIX) and path.name.endswith(_PART_SUFFIX):
                _remove_unless_locked(path)
            elif path.name.endswith(_SUFFIX + _CHECKSUM_SUFFIX):
                _remove_if_alone(path)


def sha256_of(fd: int, pause: Pause) -> str:
    """Of a whole file."""
    digest = hashlib.sha256()
    offset = 0
    while chunk := os.pread(fd, PART_BYTES, offset):
        pause()
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_unless_locked(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return
        raise
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:  # another process is at it
        pass
    finally:
        os.close(fd)


def _remove_if_alone(beside: Path) -> None:
    if not beside.with_name(beside.name.removesuffix(_CHECKSUM_SUFFIX)).exists():
        beside.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _CHECKSUM_SUFFIX)


def _checksum_beside(path: Path) -> str | None:
    try:
        found = _CHECKSUM.match(_beside(path).read_text())
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return found[1] if found else None


def _time_of(path: Path) -> float:
    return path.stat().st_mtime
