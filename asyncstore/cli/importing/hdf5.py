"""Rows of an HDF5 file: datasets of the same length, as those of ann-benchmarks.

Nothing but the file itself is read: links that lead elsewhere, and datasets whose values lie in
other files, are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import h5py
import numpy as np
from numpy.typing import NDArray

from asyncstore.cli.importing.columns import Columns
from asyncstore.cli.importing.source import (
    BLOCK_BYTES,
    Block,
    Payload,
    block_rows,
    numbered,
)
from asyncstore.errors import InvalidArgumentError
from asyncstore.ids import IdsInput

_CACHE_BYTES = 64 << 20  # of a dataset's chunks, each of which is decompressed as a whole
_CHUNK_BYTES_MAX = 1 << 30
# gzip makes no more than 1,032 bytes of one; a dataset that has fewer was never written.
_COMPRESSION_MAX = 1100
_STRING_BYTES = 256  # what a text is taken for, whose length its dataset does not tell


class Hdf5Source:
    """A file of datasets."""

    def __init__(self, path: Path, columns: Columns) -> None:
        """Looks at the datasets' names, types and shapes.

        Raises:
            InvalidArgumentError: It is no HDF5 file, or has no such datasets.
        """
        self.path = path
        self.beside: Sequence[Path] = ()
        with self._opened() as file:
            here = {name: one for name in file if (one := _own_dataset(file, name)) is not None}
            floats = [name for name, one in here.items() if _shape(one)[1:] and _kind(one) == "f"]
            self._vectors = columns.vectors_among(path, floats)
            vectors = {name: self._dataset(file, one) for name, one in self._vectors.items()}
            self.rows = self._checked_vectors(vectors)
            flat = [name for name, one in here.items() if _shape(one) == (self.rows,)]
            self._ids = columns.ids_among(flat)
            taken = [*self._vectors.values(), self._ids]
            self._payload = columns.payload_among(flat, taken)
            if self._ids is not None:
                self._check_column(self._dataset(file, self._ids), self._ids, "ius")
            for name in self._payload:
                self._check_column(self._dataset(file, name), name, "biufs")
            self.dims = {name: one.shape[1] for name, one in vectors.items() if self.rows}
            self._block_rows = block_rows(
                sum(_row_bytes(self._dataset(file, name)) for name in taken if name is not None)
                + sum(_row_bytes(self._dataset(file, name)) for name in self._payload)
            )

    def blocks(self, start: int, first_id: int) -> Iterator[Block]:
        """As of every source."""
        with self._opened() as file:
            vectors = {name: self._dataset(file, one) for name, one in self._vectors.items()}
            ids = None if self._ids is None else self._dataset(file, self._ids)
            payload = [self._dataset(file, name) for name in self._payload]
            for first in range(start, self.rows, self._block_rows):
                last = min(first + self._block_rows, self.rows)
                yield Block(
                    numbered(first_id, first, last) if ids is None else _ids(ids, first, last),
                    {name: one[first:last] for name, one in vectors.items()},
                    self._payloads(payload, first, last) if payload else None,
                )

    @contextmanager
    def _opened(self) -> Iterator[h5py.File]:
        try:
            with h5py.File(self.path, "r", rdcc_nbytes=_CACHE_BYTES) as file:
                yield file
        except InvalidArgumentError:
            raise
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, MemoryError) as error:
            raise InvalidArgumentError(f"{self.path}: cannot be read as HDF5: {error}") from error

    def _dataset(self, file: h5py.File, name: str) -> h5py.Dataset:
        """The dataset of a name, which may be in groups; its values are in this file."""
        found = _own_dataset(file, name)
        if found is None:
            raise InvalidArgumentError(
                f"{self.path}: has no dataset '{name}' of its own; links are not followed"
            )
        if found.is_virtual or found.external:
            raise InvalidArgumentError(
                f"{self.path}: the values of '{name}' are in other files, which are not read"
            )
        claimed_bytes = math.prod(_shape(found)) * found.dtype.itemsize
        held_bytes = found.id.get_storage_size()
        if claimed_bytes > max(BLOCK_BYTES, _COMPRESSION_MAX * held_bytes):
            raise InvalidArgumentError(
                f"{self.path}: '{name}' says it has {claimed_bytes} bytes, but the file has only "
                f"{held_bytes} of them"
            )
        chunk_bytes = math.prod(found.chunks or ()) * found.dtype.itemsize
        if chunk_bytes > _CHUNK_BYTES_MAX or _row_bytes(found) > BLOCK_BYTES:
            raise InvalidArgumentError(
                f"{self.path}: '{name}' has a chunk of {chunk_bytes} bytes and rows of "
                f"{_row_bytes(found)}, at most {_CHUNK_BYTES_MAX} and {BLOCK_BYTES} are read"
            )
        return found

    def _checked_vectors(self, vectors: dict[str, h5py.Dataset]) -> int:
        """How many rows they have."""
        rows = {len(one) for one in vectors.values() if _shape(one)}
        for name, one in vectors.items():
            if len(_shape(one)) != 2 or _kind(one) not in "fiu" or len(rows) != 1:
                raise InvalidArgumentError(
                    f"{self.path}: '{self._vectors[name]}' must have numbers of the "
                    f"shape (n, dim), with the same n for all vectors; has {one.dtype} of the "
                    f"shape {one.shape}"
                )
        return rows.pop()

    def _check_column(self, column: h5py.Dataset, name: str, kinds: str) -> None:
        """Raises unless it has a value of such a kind for each row."""
        shape = _shape(column)
        if shape[:1] != (self.rows,) or _kind(column) not in kinds:
            what = "texts or numbers" if "f" in kinds else "integers or texts"
            raise InvalidArgumentError(
                f"{self.path}: '{name}' must have {what}, for each of {self.rows} rows; has "
                f"{column.dtype} of the shape {shape}"
            )

    def _payloads(self, columns: Sequence[h5py.Dataset], first: int, last: int) -> list[Payload]:
        values = [_values(column, first, last).tolist() for column in columns]
        return [dict(zip(self._payload, row, strict=True)) for row in zip(*values, strict=True)]


def _own_dataset(file: h5py.File, name: str) -> h5py.Dataset | None:
    """The dataset that hard links alone lead to: others may lead out of the file."""
    place = file
    for part in name.strip("/").split("/"):
        if not isinstance(place, h5py.Group) or not part or part == ".":
            return None
        links, encoded = place.id.links, part.encode()
        if not links.exists(encoded) or links.get_info(encoded).type != h5py.h5l.TYPE_HARD:
            return None
        place = place[part]
    return place if isinstance(place, h5py.Dataset) else None


def _shape(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Of one without a shape that of a single value."""
    return tuple(dataset.shape or ())


def _kind(dataset: h5py.Dataset) -> str:
    """The letter of numpy; "s" for texts, and none for what cannot be read."""
    try:
        kind = dataset.dtype
    except TypeError:  # it is of a type that numpy has no word for
        return "?"
    return "s" if h5py.check_string_dtype(kind) is not None else str(kind.kind)


def _row_bytes(dataset: h5py.Dataset) -> int:
    values = math.prod(_shape(dataset)[1:])
    return values * (_STRING_BYTES if _kind(dataset) == "s" else int(dataset.dtype.itemsize))


def _ids(dataset: h5py.Dataset, first: int, last: int) -> IdsInput:
    values = _values(dataset, first, last)
    if values.dtype.kind in "iu":
        return cast("NDArray[np.integer]", values)
    return cast("list[int | str]", values.tolist())


def _values(dataset: h5py.Dataset, first: int, last: int) -> NDArray[np.generic]:
    read = dataset.asstr() if _kind(dataset) == "s" else dataset
    values: NDArray[np.generic] = read[first:last]
    return values
