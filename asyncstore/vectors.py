"""Vectors as callers give them, turned into the float32 matrices that the core takes.

A C-contiguous float32 array is passed on as it is. Everything else is converted slice by slice;
every converted number is checked on the way, as float32 cannot hold all that float64 can.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from asyncstore.bounds import OutOfBoundsError
from asyncstore.errors import DimensionMismatchError, InvalidArgumentError
from asyncstore.models import SparseVector
from asyncstore.pace import ARRAY_ELEMENTS_MAX, LIST_ELEMENTS_MAX, Pace

Matrix: TypeAlias = NDArray[np.float32]
NumericArray: TypeAlias = NDArray[np.number]


@dataclass(frozen=True)
class _SizedField:
    """A vector of a collection whose rows all have the same number of dimensions."""

    collection: str
    number: int
    name: str  # "" for the unnamed one
    dim: int

    @property
    def path(self) -> str:
        """The name of an argument that holds vectors for this field."""
        return f"vectors.{self.name}" if self.name else "vectors"

    def check_dim(self, dim: int, where: str) -> None:
        """Raises unless a vector has as many dimensions as the collection's."""
        if dim == 0:
            raise OutOfBoundsError((where.removesuffix(": "), "dense vector must not be empty"))
        if dim != self.dim:
            vector = f"vector '{self.name}'" if self.name else "vector"
            raise DimensionMismatchError(
                f"{where}{vector} has {dim} dimensions, "
                f"collection '{self.collection}' has {self.dim}",
                expected=self.dim,
                got=dim,
            )


class VectorField(_SizedField):
    """A vector of a collection: its number in the core, and what messages say about it."""


class MultivectorField(_SizedField):
    """A vector of a collection that is a list of rows; numbered behind the sparse ones."""


@dataclass(frozen=True)
class SparseField:
    """A sparse vector of a collection.

    Attributes:
        number: Dense vectors come first.
        idf: Whether queries count rare indices for more.
    """

    collection: str
    number: int
    name: str
    idf: bool = False

    @property
    def path(self) -> str:
        """The name of an argument that holds vectors for this field."""
        return f"vectors.{self.name}"


AnyField: TypeAlias = VectorField | SparseField | MultivectorField


def find_field(fields: Mapping[str, AnyField], name: object, path: str = "") -> AnyField:
    """The field with this name.

    Raises:
        InvalidArgumentError: The collection has no vector of this name; the message begins with the
            path to it, where one is given.
    """
    found = fields.get(name) if isinstance(name, str) else None
    if found is None:
        where = f"{path}: " if path else ""
        raise InvalidArgumentError(f"{where}Not existing vector name error: {name}")
    return found


class VectorColumn:
    """The vectors of one name of a batch: (n, dim) numbers of any type, float32 by the chunk."""

    def __init__(self, numbers: NumericArray, path: str, *, is_checked: bool = False) -> None:
        """``path`` names it in messages."""
        self.numbers = numbers
        self.is_checked = is_checked
        self._path = path

    @classmethod
    async def of(cls, vectors: object, field: VectorField, pace: Pace) -> VectorColumn:
        """Takes an array, or a sequence of vectors; checks type and shape.

        Raises:
            InvalidArgumentError: It is no (n, dim) array of numbers.
            DimensionMismatchError: It has another number of dimensions.
        """
        path = field.path
        if is_array(vectors):
            numbers = np.asarray(vectors)
            if numbers.dtype.kind in "fiu":
                _check_matrix(numbers, field)
                return cls(numbers, path)
            if numbers.dtype.kind != "O":
                raise InvalidArgumentError(f"{path}: must hold numbers, got {numbers.dtype}")
            vectors = list(numbers)
        if isinstance(vectors, str | bytes) or not isinstance(vectors, Sequence):
            raise InvalidArgumentError(
                f"{path}: must be an array or a sequence of vectors, got {type(vectors).__name__}"
            )
        matrix = np.empty((len(vectors), field.dim), np.float32)
        for row, vector in enumerate(vectors):
            await fill_row(matrix[row], vector, field, f"{path}[{row}]: ", pace)
            await pace.breathe()
        return cls(matrix, path, is_checked=True)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def dim(self) -> int:
        """Dimensions."""
        return int(self.numbers.shape[1])

    @property
    def is_float32(self) -> bool:
        """Whether the core can read the numbers where they are."""
        flags = self.numbers.flags
        return self.numbers.dtype == np.float32 and flags.c_contiguous and flags.aligned

    async def check(self, pace: Pace) -> None:
        """Checks that every number is one that float32 can hold, without keeping the result.

        Raises:
            InvalidArgumentError: A number is not finite, or too large.
        """
        step = self._rows_per_slice
        scratch = np.empty((min(step, len(self)), self.dim), np.float32)
        for start in range(0, len(self), step):
            part = self.numbers[start : start + step]
            _convert(part, scratch[: len(part)], self._path, start)
            await pace.breathe()

    async def float32_rows(self, start: int, stop: int, pace: Pace) -> Matrix:
        """Rows as a C-contiguous float32 matrix: a view where that is possible."""
        if self.is_float32:
            return self.numbers[start:stop].view(np.ndarray)
        matrix = np.empty((stop - start, self.dim), np.float32)
        step = self._rows_per_slice
        for first in range(start, stop, step):
            last = min(first + step, stop)
            _convert(
                self.numbers[first:last], matrix[first - start : last - start], self._path, first
            )
            await pace.breathe()
        return matrix

    @property
    def _rows_per_slice(self) -> int:
        return max(1, ARRAY_ELEMENTS_MAX // self.dim)


async def fill_row(
    row: Matrix, vector: object, field: VectorField | MultivectorField, where: str, pace: Pace
) -> None:
    """Writes one vector, of whatever type it is, into a row of a float32 matrix.

    Raises:
        InvalidArgumentError: It is no vector of finite numbers.
        DimensionMismatchError: It has another number of dimensions.
    """
    if isinstance(vector, SparseVector | Mapping):
        name = f"vector '{field.name}'" if field.name else "the vector"
        raise InvalidArgumentError(f"{where}{name} is dense, must be a list of numbers")
    if is_array(vector):
        numbers = np.asarray(vector)
        if numbers.dtype.kind in "fiu":
            if numbers.ndim != 1:
                raise InvalidArgumentError(
                    f"{where}vector must be flat, has the shape {numbers.shape}"
                )
            field.check_dim(len(numbers), where)
            _convert(numbers, row, f"{where}vector", None)
            return
        vector = numbers.tolist()
    if isinstance(vector, str | bytes) or not isinstance(vector, Sequence):
        raise InvalidArgumentError(f"{where}{vector!r} is no vector, must be a list of numbers")
    if len(vector) > 0 and isinstance(vector[0], list | tuple | np.ndarray):
        raise InvalidArgumentError(f"{where}vector must be a flat list of numbers")
    field.check_dim(len(vector), where)
    for start in range(0, len(vector), LIST_ELEMENTS_MAX):
        part = vector[start : start + LIST_ELEMENTS_MAX]
        _convert(_numbers_of(part, where), row[start : start + len(part)], f"{where}vector", None)
        if len(vector) > LIST_ELEMENTS_MAX:
            await pace.breathe()


async def query_vector(
    vector: object, field: VectorField, where: str = "query: ", pace: Pace | None = None
) -> Matrix:
    """A vector that is searched for: (dim,) float32, finite, C-contiguous.

    Raises:
        InvalidArgumentError: It is no vector of finite numbers; the message begins with ``where``.
        DimensionMismatchError: It has another number of dimensions.
    """
    if type(vector) is np.ndarray and vector.dtype == np.float32 and vector.ndim == 1:
        # What a fast caller passes; the core copies it before the call returns.
        field.check_dim(len(vector), where)
        # A sum that is finite has finite terms; only of another the terms need to be looked at.
        if not math.isfinite(vector.dot(vector)) and not np.isfinite(vector).all():
            _refuse_number(vector, f"{where}vector", None)
        return np.ascontiguousarray(vector)
    row = np.empty(field.dim, np.float32)
    await fill_row(row, vector, field, where, pace or Pace())
    return row


async def query_matrix(vectors: object, field: VectorField) -> Matrix:
    """The queries of a batch: (q, dim) float32, finite, C-contiguous."""
    pace = Pace()
    column = await VectorColumn.of(vectors, field, pace)
    if len(column) == 0:
        raise InvalidArgumentError("vectors: the batch is empty")
    if not column.is_checked:
        await column.check(pace)
    return await column.float32_rows(0, len(column), pace)


def is_array(value: object) -> TypeGuard[np.ndarray]:
    """Whether numpy can take it as it is: its own arrays and those of others (torch, arrow)."""
    return isinstance(value, np.ndarray | memoryview) or hasattr(value, "__array__")


def _check_matrix(numbers: NumericArray, field: VectorField) -> None:
    path = field.path
    if numbers.ndim != 2:
        raise InvalidArgumentError(f"{path}: must have the shape (n, dim), got {numbers.shape}")
    field.check_dim(numbers.shape[1], f"{path}: ")


def _numbers_of(part: Sequence[object], where: str) -> NumericArray:
    try:
        numbers = np.asarray(part)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidArgumentError(f"{where}vector must be a flat list of numbers") from error
    if numbers.dtype.kind not in "fiu" or numbers.ndim != 1:
        raise InvalidArgumentError(f"{where}vector must be a flat list of numbers")
    return numbers


def _convert(source: NumericArray, target: Matrix, where: str, first_row: int | None) -> None:
    """Converts one slice and checks every number of it."""
    with np.errstate(over="ignore", invalid="ignore"):
        np.copyto(target, source, casting="unsafe")
    if not np.isfinite(target).all():
        _refuse_number(source, where, first_row)


def _refuse_number(source: NumericArray, where: str, first_row: int | None) -> NoReturn:
    """Raises with the place of the first number that float32 cannot hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        bad = ~np.isfinite(source.astype(np.float32))
    place = np.unravel_index(int(np.argmax(bad)), bad.shape)
    value = source[place]
    row = "" if first_row is None else f"[{first_row + int(place[0])}]"
    reason = (
        f"beyond float32's largest, {np.finfo(np.float32).max:g}"
        if np.isfinite(value)
        else "must be finite"
    )
    raise InvalidArgumentError(f"{where}{row} has {value!s} at dimension {place[-1]}, {reason}")
