"""The write-ahead log's settings: what a collection has of its own, and what is in force."""

from __future__ import annotations

import msgspec

from asyncstore.bounds import checked
from asyncstore.errors import UnsupportedError
from asyncstore.models import WalConfig, WalConfigDiff


def checked_log(value: object, path: str) -> WalConfigDiff | None:
    """What a collection is given of its own; None: nothing.

    Raises:
        InvalidArgumentError: A value has the wrong type or is out of bounds.
        UnsupportedError: A setting would have no effect.
    """
    if value is None:
        return None
    own = checked(value, WalConfigDiff, path)
    if own.wal_segments_ahead:
        raise UnsupportedError(
            f"{path}.wal_segments_ahead: not supported yet, files that have been used are used "
            "again, and no others are made ahead"
        )
    if own.wal_retain_closed not in (None, 1):
        raise UnsupportedError(
            f"{path}.wal_retain_closed: not supported yet, a file is kept as long as its "
            "operations are needed"
        )
    return own


def log_in_force(own: WalConfigDiff | None) -> WalConfig:
    """The default's, but for what a collection has of its own."""
    given = {} if own is None else msgspec.structs.asdict(own)
    return WalConfig(**{name: value for name, value in given.items() if value is not None})


def log_file_bytes(own: WalConfigDiff | None) -> int:
    """What a collection has of its own, in the words of the core; 0: nothing."""
    return ((own and own.wal_capacity_mb) or 0) << 20
