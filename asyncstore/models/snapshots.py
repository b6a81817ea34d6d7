"""What is known of a snapshot."""

from __future__ import annotations

import msgspec


class SnapshotDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as it is listed.

    Attributes:
        name: Of its file.
        creation_time: In UTC, as ``2026-01-31T12:00:00``.
        size: Bytes of its file.
        checksum: SHA-256 of its file, in hexadecimal digits; None where nobody wrote it down.
    """

    name: str
    creation_time: str | None = None
    size: int
    checksum: str | None = None
