"""Every error that asyncstore raises.

::

    AsyncStoreError
    ├── InvalidArgumentError (ValueError)
    │   └── DimensionMismatchError   .expected, .got
    ├── NotFoundError (LookupError)
    │   ├── CollectionNotFoundError
    │   └── PointNotFoundError
    ├── AlreadyExistsError
    ├── StoreClosedError
    ├── StoreFailedError
    ├── StoreLockedError
    ├── CorruptionError              .file, .offset_bytes
    ├── StorageIOError (OSError)     .errno, .filename
    └── UnsupportedError

Messages are whole sentences that give the value and the limit; those of the native core are passed
on unchanged. Besides these, ``TypeError`` is raised where a call does not fit its signature.
"""

from __future__ import annotations

import os

__all__ = [
    "AlreadyExistsError",
    "AsyncStoreError",
    "CollectionNotFoundError",
    "CorruptionError",
    "DimensionMismatchError",
    "InvalidArgumentError",
    "NotFoundError",
    "PointNotFoundError",
    "StorageIOError",
    "StoreClosedError",
    "StoreFailedError",
    "StoreLockedError",
    "UnsupportedError",
    "error_from_native",
]


class AsyncStoreError(Exception):
    """The root of the tree: whatever asyncstore raises on purpose is one of these."""


class InvalidArgumentError(AsyncStoreError, ValueError):
    """An argument or a setting is out of its bounds; nothing was changed."""


class DimensionMismatchError(InvalidArgumentError):
    """A vector has another number of dimensions than the collection's.

    Attributes:
        expected: Dimensions of the collection's vectors; None where that is not known.
        got: Dimensions of the vector.
    """

    def __init__(
        self, message: str, *, expected: int | None = None, got: int | None = None
    ) -> None:
        """Keeps both numbers beside the message."""
        super().__init__(message)
        self.expected = expected
        self.got = got


class NotFoundError(AsyncStoreError, LookupError):
    """Something that was asked for by name or id is not there."""


class CollectionNotFoundError(NotFoundError):
    """There is no collection of this name, or it has been deleted meanwhile."""


class PointNotFoundError(NotFoundError):
    """There is no point with this id, where one is needed."""


class AlreadyExistsError(AsyncStoreError):
    """A collection of this name exists."""


class StoreClosedError(AsyncStoreError):
    """The store was closed, is being closed, or belongs to another process (after a fork)."""


class StoreFailedError(AsyncStoreError):
    """An earlier write could not be made durable: reopen the store before writing again."""


class StoreLockedError(AsyncStoreError):
    """Another process, or another ``open_store`` in this one, holds the store."""


class CorruptionError(AsyncStoreError):
    """A checksum does not match what is on disk, and what is damaged cannot be rebuilt.

    Attributes:
        file: The damaged file's path.
        offset_bytes: Where in the file the damaged part begins.
    """

    def __init__(self, message: str, file: str = "", offset_bytes: int = 0) -> None:
        """Keeps the place of the damage beside the message."""
        super().__init__(message, file, offset_bytes)
        self.file = file
        self.offset_bytes = offset_bytes

    def __str__(self) -> str:
        """The message alone; it names file and offset already."""
        return str(self.args[0])


class StorageIOError(AsyncStoreError, OSError):
    """The operating system refused a read or a write.

    Attributes:
        errno: The error number, as in the ``errno`` module.
        filename: The file's path.
    """

    def __init__(self, message: str, errno: int = 0, filename: str = "") -> None:
        """Keeps error number and file where ``OSError`` has them."""
        super().__init__(message, errno, filename)
        self.errno = errno
        self.strerror = os.strerror(errno) if errno else message
        self.filename = filename

    def __str__(self) -> str:
        """The message alone; it names file and reason already."""
        return str(self.args[0])


class UnsupportedError(AsyncStoreError):
    """The call is legal but asks for what this version or this machine cannot do."""


# The one place where a code of the native core becomes a class.
_CLASS_BY_CODE: dict[str, type[AsyncStoreError]] = {
    "invalid_argument": InvalidArgumentError,
    "dimension_mismatch": DimensionMismatchError,
    "collection_not_found": CollectionNotFoundError,
    "point_not_found": PointNotFoundError,
    "already_exists": AlreadyExistsError,
    "closed": StoreClosedError,
    "failed": StoreFailedError,
    "locked": StoreLockedError,
    "corruption": CorruptionError,
    "io": StorageIOError,
    "unsupported": UnsupportedError,
}


def error_from_native(
    code: str, message: str, *, file: str = "", offset_bytes: int = 0, os_errno: int = 0
) -> AsyncStoreError:
    """Makes the error that stands for a native ``code``; the message stays as it is.

    Raises:
        KeyError: The native core has a code that the table lacks, which is a bug.
    """
    error_class = _CLASS_BY_CODE[code]
    if error_class is CorruptionError:
        return CorruptionError(message, file, offset_bytes)
    if error_class is StorageIOError:
        return StorageIOError(message, os_errno, file)
    return error_class(message)
