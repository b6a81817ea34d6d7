"""What an import reads: a file whose rows become points, a block at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asyncstore.errors import InvalidArgumentError
from asyncstore.ids import IdsInput

# Of a block: enough for the writer to sync seldom, few enough to keep a bar moving.
BLOCK_BYTES = 32 << 20
BLOCK_ROWS_MAX = 16_384

Payload = dict[str, object]


class RowError(InvalidArgumentError):
    """A row that cannot become a point: its file, its number from 1, and the rule."""

    def __init__(self, path: Path, row: int, rule: str) -> None:
        """``row`` counts from 0, as everywhere but in messages."""
        super().__init__(f"{path}, row {row + 1}: {rule}")


@dataclass(frozen=True)
class Block:
    """Rows that follow each other.

    Attributes:
        ids: Of n points.
        vectors: (n, dim) numbers by the vector's name, "" for the unnamed one.
        payloads: n of them; None: no row has any.
    """

    ids: IdsInput
    vectors: dict[str, NDArray[np.generic]]
    payloads: list[Payload] | None

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, stop: int) -> Block:
        """Some of the rows; arrays are views."""
        return Block(
            self.ids[start:stop],
            {name: matrix[start:stop] for name, matrix in self.vectors.items()},
            None if self.payloads is None else self.payloads[start:stop],
        )


class Source(Protocol):
    """A file, looked at once; it is opened again when its blocks are asked for, and only then."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def rows(self) -> int:
        """How many rows it says it has."""

    @property
    def dims(self) -> dict[str, int]:
        """Dimensions by the vector's name; of a file without rows nothing."""

    @property
    def beside(self) -> Sequence[Path]:
        """Other files that belong to it."""

    def blocks(self, start: int, first_id: int) -> Iterator[Block]:
        """The rows from ``start`` on; reads, so it is for a thread.

        Args:
            start: The first row that is wanted, from 0.
            first_id: The id of row 0, where rows are numbered.

        Raises:
            InvalidArgumentError: The file is damaged, or says what it does not have.
            RowError: A row cannot become a point.
        """


def block_rows(row_bytes: int) -> int:
    """How many rows of a size make a block."""
    return max(1, min(BLOCK_ROWS_MAX, BLOCK_BYTES // max(1, row_bytes)))


def joined(blocks: Sequence[Block]) -> Block:
    """One block of several that follow each other, at least one."""
    if len(blocks) == 1:
        return blocks[0]
    payloads = [block.payloads for block in blocks if block.payloads is not None]
    return Block(
        _joined_ids([block.ids for block in blocks]),
        {
            name: np.concatenate([block.vectors[name] for block in blocks])
            for name in blocks[0].vectors
        },
        list(itertools.chain.from_iterable(payloads)) if payloads else None,
    )


def _joined_ids(parts: Sequence[IdsInput]) -> IdsInput:
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    if len(arrays) == len(parts):
        return np.concatenate(arrays)
    return list(itertools.chain.from_iterable(parts))


def numbered(first_id: int, start: int, stop: int) -> NDArray[np.uint64]:
    """The ids of rows that have none of their own."""
    return np.arange(first_id + start, first_id + stop, dtype=np.uint64)
