"""Rows of a .npy file, with ids of another one and payloads of a JSON Lines file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from asyncstore.cli.importing.columns import Columns
from asyncstore.cli.importing.payload_lines import count_rows, payloads
from asyncstore.cli.importing.source import Block, Payload, block_rows, numbered
from asyncstore.errors import InvalidArgumentError
from asyncstore.settings import UNNAMED


class NpySource:
    """An array of the shape (n, dim), mapped."""

    def __init__(
        self, path: Path, columns: Columns, ids: Path | None, payload: Path | None
    ) -> None:
        """Looks at the shapes, and counts the payloads.

        Raises:
            InvalidArgumentError: A file is none, or does not fit the others.
        """
        self.path = path
        self.beside: Sequence[Path] = [one for one in (ids, payload) if one is not None]
        self._name = _name_of_vector(path, columns)
        self._ids = ids
        self._payload = payload
        vectors = _mapped(path)
        if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
            raise InvalidArgumentError(
                f"{path}: must have numbers of the shape (n, dim), has {vectors.dtype} of the "
                f"shape {vectors.shape}"
            )
        self.rows = len(vectors)
        self.dims = {self._name: vectors.shape[1]} if self.rows else {}
        if ids is not None and _mapped(ids).shape != (self.rows,):
            raise InvalidArgumentError(
                f"{ids}: must have the shape ({self.rows},), has {_mapped(ids).shape}"
            )
        if payload is not None and (found := count_rows(payload)) != self.rows:
            raise InvalidArgumentError(
                f"{payload}: has {found} rows, must be as many as there are vectors, {self.rows}"
            )

    def blocks(self, start: int, first_id: int) -> Iterator[Block]:
        """As of every source."""
        vectors = _mapped(self.path)
        ids = None if self._ids is None else _mapped(self._ids)
        step = block_rows(vectors.shape[1] * 4)
        lines = None if self._payload is None else payloads(self._payload, start)
        with nullcontext() if lines is None else closing(lines):
            for first in range(start, self.rows, step):
                last = min(first + step, self.rows)
                # Copied here, on a thread: a page that is not there yet must not hold up the loop.
                matrix = np.array(vectors[first:last])
                yield Block(
                    numbered(first_id, first, last) if ids is None else _ids(ids, first, last),
                    {self._name: matrix},
                    None if lines is None else _next(lines, last - first),
                )


def _name_of_vector(path: Path, columns: Columns) -> str:
    """That of ``--vector NAME=``, or the unnamed one."""
    is_column = any(columns.vectors.values()) or len(columns.vectors) > 1
    if is_column or columns.ids or columns.payload is not None:
        raise InvalidArgumentError(
            f"{path}: a .npy file has no columns to name; --ids and --payload are for it, and "
            "--vector NAME= where its vectors have a name"
        )
    return next(iter(columns.vectors), UNNAMED)


def _mapped(file: Path) -> NDArray[np.generic]:
    """The array of a .npy file, mapped.

    Raises:
        InvalidArgumentError: It is no .npy file.
        OSError: It cannot be read.
    """
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OverflowError, SyntaxError) as error:
        raise InvalidArgumentError(f"{file}: is not a .npy file: {error}") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise InvalidArgumentError(f"{file}: is not a .npy file but an archive")
    return array


def _ids(ids: NDArray[np.generic], first: int, last: int) -> NDArray[np.integer]:
    """Of other types than integers they are looked at one by one, when they are written."""
    return cast("NDArray[np.integer]", np.array(ids[first:last]))


def _next(lines: Iterator[Payload], count: int) -> list[Payload]:
    """Fewer rows than were counted make a block that the writer refuses."""
    return list(itertools.islice(lines, count))
