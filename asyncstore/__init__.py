"""An embedded, asynchronous, disk-backed vector store.

Open a folder, write points, search them with ``await``: codes in memory preselect, the original
vectors of the preselected are read from disk, many at a time, and rescored as they arrive.

Example:
    >>> import asyncstore
    >>> sorted(name for name in asyncstore.__all__ if name.startswith("open"))
    ['open_store']
"""

from asyncstore import models
from asyncstore.collection import Collection
from asyncstore.config import Config
from asyncstore.errors import (
    AlreadyExistsError,
    AsyncStoreError,
    CollectionNotFoundError,
    CorruptionError,
    DimensionMismatchError,
    InvalidArgumentError,
    NotFoundError,
    PointNotFoundError,
    StorageIOError,
    StoreClosedError,
    StoreFailedError,
    StoreLockedError,
    UnsupportedError,
)
from asyncstore.store import Store, open_store
from asyncstore.version import __version__

__all__ = [
    "AlreadyExistsError",
    "AsyncStoreError",
    "Collection",
    "CollectionNotFoundError",
    "Config",
    "CorruptionError",
    "DimensionMismatchError",
    "InvalidArgumentError",
    "NotFoundError",
    "PointNotFoundError",
    "StorageIOError",
    "Store",
    "StoreClosedError",
    "StoreFailedError",
    "StoreLockedError",
    "UnsupportedError",
    "__version__",
    "models",
    "open_store",
]
