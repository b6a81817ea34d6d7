"""Rows of a Parquet file: a column of lists of numbers, one of ids, the others payload."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet, types

from asyncstore.cli.importing.arrow_values import UUID_BYTES, is_list, values_of
from asyncstore.cli.importing.columns import Columns
from asyncstore.cli.importing.source import (
    BLOCK_BYTES,
    BLOCK_ROWS_MAX,
    Block,
    Payload,
    RowError,
    joined,
    numbered,
)
from asyncstore.errors import InvalidArgumentError
from asyncstore.ids import IdsInput

# Read of a column at a time: what is not asked for yet stays on disk, however large a row group is.
_BUFFER_BYTES = 1 << 20
# Converted at once: the values of so many rows become objects within a millisecond or so, in which
# other threads wait for the interpreter.
_BATCH_ROWS_MAX = 1024
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


class ParquetSource:
    """A file of columns."""

    def __init__(self, path: Path, columns: Columns) -> None:
        """Looks at the columns' names and types.

        Raises:
            InvalidArgumentError: It is no Parquet file, or has no such columns.
        """
        self.path = path
        self.beside: Sequence[Path] = ()
        with self._opened() as file:
            schema = file.schema_arrow
            names: list[str] = schema.names
            if len(set(names)) != len(names):
                raise InvalidArgumentError(f"{path}: has two columns of the same name")
            floats = [field.name for field in schema if _is_floats(field.type)]
            self._vectors = columns.vectors_among(path, floats)
            self._ids = columns.ids_among(names)
            taken = [*self._vectors.values(), self._ids]
            own = [name for name in names if not _PANDAS_INDEX.fullmatch(name)]
            self._payload = columns.payload_among(own, taken)
            for name in (*taken, *self._payload):
                if name is not None and name not in names:
                    raise InvalidArgumentError(
                        f"{path}: has no column '{name}'; there is: {', '.join(names[:20])}"
                    )
            self.rows: int = file.metadata.num_rows
            self.dims = {
                name: self._dim(file, schema.field(column))
                for name, column in self._vectors.items()
                if self.rows
            }

    def blocks(self, start: int, first_id: int) -> Iterator[Block]:
        """As of every source."""
        with self._opened() as file:
            groups, skipped = _groups_from(file.metadata, start)
            row, parts, size_bytes = start, [], 0
            for batch in file.iter_batches(
                batch_size=self._batch_rows, row_groups=groups, columns=self._columns
            ):
                passed = min(skipped, batch.num_rows)
                skipped -= passed
                if passed == batch.num_rows:
                    continue
                parts.append(self._block(batch.slice(passed), row, first_id))
                row += len(parts[-1])
                size_bytes += batch.nbytes
                if size_bytes >= BLOCK_BYTES or row - start >= BLOCK_ROWS_MAX:
                    yield joined(parts)
                    start, parts, size_bytes = row, [], 0
            if parts:
                yield joined(parts)
            if row != self.rows:
                raise InvalidArgumentError(
                    f"{self.path}: ends after {row} rows, and says it has {self.rows}"
                )

    @contextmanager
    def _opened(self) -> Iterator[parquet.ParquetFile]:
        try:
            with parquet.ParquetFile(
                self.path,
                buffer_size=_BUFFER_BYTES,
                pre_buffer=False,  # else all of a row group is kept in memory
                page_checksum_verification=True,
            ) as file:
                yield file
        except InvalidArgumentError:
            raise
        except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
            what = f"{self.path}: cannot be read as Parquet: {error}"
            raise InvalidArgumentError(what) from error

    def _dim(self, file: parquet.ParquetFile, field: pa.Field) -> int:
        """That of the type, or of the first row."""
        kind = _storage(field.type)
        if not is_list(kind) or not _is_number(kind.value_type):
            raise InvalidArgumentError(
                f"{self.path}: column '{field.name}' has values of the type {field.type}, vectors "
                "must be lists of numbers"
            )
        if types.is_fixed_size_list(kind):
            return int(kind.list_size)
        for batch in file.iter_batches(batch_size=1, columns=[field.name]):
            if batch.num_rows:
                dim = pc.list_value_length(_stored(batch.column(field.name)))[0].as_py()
                if dim is None:
                    raise RowError(self.path, 0, f"'{field.name}' is null, must be a vector")
                return int(dim)
        raise InvalidArgumentError(f"{self.path}: has no rows, and says it has {self.rows}")

    @property
    def _columns(self) -> list[str]:
        """What is read."""
        ids = [] if self._ids is None else [self._ids]
        return list(dict.fromkeys([*self._vectors.values(), *ids, *self._payload]))

    @property
    def _batch_rows(self) -> int:
        dims = sum(self.dims.values())
        return max(1, min(_BATCH_ROWS_MAX, BLOCK_BYTES // max(1, 4 * dims)))

    def _block(self, batch: pa.RecordBatch, row: int, first_id: int) -> Block:
        """``row``: the first of the batch in the file."""
        vectors = {
            name: self._matrix(batch.column(column), column, self.dims[name], row)
            for name, column in self._vectors.items()
        }
        return Block(self._ids_of(batch, row, first_id), vectors, self._payloads(batch))

    def _ids_of(self, batch: pa.RecordBatch, row: int, first_id: int) -> IdsInput:
        if self._ids is None:
            return numbered(first_id, row, row + batch.num_rows)
        ids = batch.column(self._ids)
        if ids.null_count:
            raise RowError(
                self.path, row + _first(ids.is_null()), f"'{self._ids}' is null, must be a point id"
            )
        if types.is_integer(ids.type):
            return cast("NDArray[np.integer]", ids.to_numpy(zero_copy_only=False))
        return [_point_id(value) for value in values_of(ids)]

    def _matrix(self, vectors: pa.Array, column: str, dim: int, row: int) -> NDArray[np.generic]:
        vectors = _stored(vectors)
        if vectors.null_count:
            at = row + _first(vectors.is_null())
            raise RowError(self.path, at, f"'{column}' is null, must be a vector")
        dims = pc.list_value_length(vectors)
        wrong = pc.not_equal(dims, dim)
        if pc.any(wrong).as_py():
            at = _first(wrong)
            raise RowError(
                self.path, row + at, f"'{column}' has {dims[at]} dimensions, row 1 has {dim}"
            )
        numbers = vectors.flatten()
        if numbers.null_count:
            at, place = divmod(_first(numbers.is_null()), dim)
            rule = f"'{column}' has null at dimension {place}, must be a number"
            raise RowError(self.path, row + at, rule)
        matrix: NDArray[np.generic] = numbers.to_numpy(zero_copy_only=False)
        return matrix.reshape(len(vectors), dim)

    def _payloads(self, batch: pa.RecordBatch) -> list[Payload] | None:
        if not self._payload:
            return None
        columns = [values_of(batch.column(name)) for name in self._payload]
        return [
            dict(zip(self._payload, values, strict=True)) for values in zip(*columns, strict=True)
        ]


def _groups_from(metadata: parquet.FileMetaData, start: int) -> tuple[list[int], int]:
    """The row groups from that of row ``start`` on, and how many rows of the first come before."""
    first, before = 0, start
    while first < metadata.num_row_groups:
        rows = metadata.row_group(first).num_rows
        if before < rows:
            break
        first, before = first + 1, before - rows
    return list(range(first, metadata.num_row_groups)), before


def _is_floats(kind: pa.DataType) -> bool:
    """Whether values could be vectors without anyone saying so."""
    kind = _storage(kind)
    return is_list(kind) and types.is_floating(kind.value_type)


def _is_number(kind: pa.DataType) -> bool:
    return bool(types.is_floating(kind) or types.is_integer(kind))


def _storage(kind: pa.DataType) -> pa.DataType:
    """Of a tensor the list that it is kept as."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _stored(array: pa.Array) -> pa.Array:
    return array.storage if isinstance(array.type, pa.BaseExtensionType) else array


def _first(mask: pa.BooleanArray) -> int:
    """The place of the first that is true."""
    return int(pc.index(mask, True).as_py())


def _point_id(value: object) -> str:
    """A text, or the bytes of a UUID; whatever else it is, the writer refuses."""
    if isinstance(value, bytes) and len(value) == UUID_BYTES:
        return str(uuid.UUID(bytes=value))
    return cast(str, value)
