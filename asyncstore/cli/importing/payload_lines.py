"""Payloads of a JSON Lines file, one object a row."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import msgspec

from asyncstore.cli.importing.source import Payload, RowError

# Twice what a payload may have, for spaces; a file without line ends is not read into memory.
LINE_BYTES_MAX = 32 << 20
_CHUNK_BYTES = 1 << 20


def count_rows(file: Path) -> int:
    """The file's lines; the last one need not end."""
    rows, last = 0, b"\n"
    with file.open("rb") as lines:
        while chunk := lines.read(_CHUNK_BYTES):
            rows += chunk.count(b"\n")
            last = chunk[-1:]
    return rows + (last != b"\n")


def payloads(file: Path, start: int) -> Generator[Payload, None, None]:
    """The payloads from row ``start`` on.

    Raises:
        RowError: A row is no JSON object.
    """
    decoder = msgspec.json.Decoder(Payload)
    with file.open("rb") as lines:
        row = 0
        while line := lines.readline(LINE_BYTES_MAX + 1):
            if len(line) > LINE_BYTES_MAX:
                raise RowError(file, row, f"has more than {LINE_BYTES_MAX >> 20} MiB")
            if row >= start:
                try:
                    yield decoder.decode(line)
                except msgspec.DecodeError as error:
                    raise RowError(file, row, f"is no JSON object: {error}") from error
            row += 1
