"""Multivectors as callers give them, turned into the arrays that the core takes.

Those of one name of a batch are two arrays: the rows of point i are
``rows[offsets[i]:offsets[i + 1]]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from asyncstore.bounds import OutOfBoundsError
from asyncstore.errors import InvalidArgumentError
from asyncstore.models import SparseVector
from asyncstore.pace import Pace
from asyncstore.ragged import RaggedArrays, RaggedBuilder, RaggedColumn
from asyncstore.vectors import Matrix, NumericArray, VectorColumn, fill_row, is_array

if TYPE_CHECKING:
    from asyncstore.vectors import MultivectorField

# offsets (n + 1,) and rows (m, dim): what the core takes for n points.
MultivectorArrays: TypeAlias = tuple[NDArray[np.uint64], Matrix]

# Numbers of one multivector.
ELEMENTS_MAX = 1 << 20


async def multivector_column(vectors: object, field: MultivectorField, pace: Pace) -> RaggedColumn:
    """Takes an array (n, rows, dim), or one of (n, dim): a row each; or a sequence.

    A sequence has what :func:`rows_of` takes, or None.

    Raises:
        InvalidArgumentError: It is none, or a row is wrong.
        DimensionMismatchError: Rows have another number of dimensions.
    """
    if is_array(vectors):
        numbers = np.asarray(vectors)
        if numbers.dtype.kind in "fiu" and numbers.ndim in (2, 3):
            cube = numbers[:, np.newaxis] if numbers.ndim == 2 else numbers
            return await _of_equal_sizes(cube, field, pace)
        vectors = list(numbers) if numbers.dtype.kind == "O" else None
    if isinstance(vectors, str | bytes | Mapping) or not isinstance(vectors, Sequence):
        raise InvalidArgumentError(
            f"{field.path}: must be an array of the shape (n, rows, dim) or a sequence of "
            "multivectors and None"
        )
    builder = multivector_builder(len(vectors), field)
    for row, vector in enumerate(vectors):
        if vector is not None:
            builder.put(row, (await rows_of(vector, field, f"{field.path}[{row}]", pace),))
        await pace.breathe()
    return await builder.column(pace)


def multivector_builder(points: int, field: MultivectorField) -> RaggedBuilder:
    """Collects the multivectors of n points."""
    return RaggedBuilder(points, (np.empty((0, field.dim), np.float32),))


async def multivector_query(vector: object, field: MultivectorField) -> MultivectorArrays:
    """The query of a search.

    Raises:
        InvalidArgumentError: It is no multivector.
        DimensionMismatchError: It has another number of dimensions.
    """
    return examples_of([await rows_of(vector, field, "query", Pace())])


async def multivector_queries(vectors: object, field: MultivectorField) -> MultivectorArrays:
    """The queries of a batch.

    Raises:
        InvalidArgumentError: They are no multivectors, or there is none.
        DimensionMismatchError: One has another number of dimensions.
    """
    column = await multivector_column(vectors, field, Pace())
    return cast(MultivectorArrays, column.queries(field.path))


def examples_of(matrices: Sequence[Matrix]) -> MultivectorArrays:
    """Several multivectors as the core takes them."""
    sizes = [len(matrix) for matrix in matrices]
    return np.cumsum([0, *sizes], dtype=np.uint64), np.concatenate(matrices)


async def rows_of(vector: object, field: MultivectorField, where: str, pace: Pace) -> Matrix:
    """(rows, dim) float32, finite, C-contiguous, of a list of vectors; a flat one is one row.

    Raises:
        InvalidArgumentError: It is no multivector; the message begins with ``where``.
        DimensionMismatchError: It has another number of dimensions.
    """
    if is_array(vector):
        numbers = np.asarray(vector)
        if numbers.dtype.kind in "fiu":
            matrix = numbers[np.newaxis] if numbers.ndim == 1 else numbers
            _check_shape(matrix.shape, field, where)
            return await _float32(matrix, where, pace)
        vector = numbers.tolist()
    if isinstance(vector, str | bytes | SparseVector) or not isinstance(vector, Sequence):
        raise InvalidArgumentError(
            f"{where}: the vector is a multivector, must be a list of vectors, got "
            f"{type(vector).__name__}"
        )
    rows: Sequence[object] = vector
    is_flat = len(vector) > 0 and not (isinstance(vector[0], Sequence) or is_array(vector[0]))
    if is_flat:
        rows = [vector]
    sizes = [len(row) for row in rows if isinstance(row, Sequence | np.ndarray)]
    if sizes and sizes != [sizes[0]] * len(sizes) and 0 not in sizes:
        other = next(size for size in sizes if size != sizes[0])
        what = f"all vectors must have the same dimension, found vector with dimension {other}"
        raise OutOfBoundsError((where, what))
    _check_shape((len(rows), min(sizes, default=field.dim)), field, where)
    matrix = np.empty((len(rows), field.dim), np.float32)
    for number, row in enumerate(rows):
        place = where if is_flat else f"{where}[{number}]"
        await fill_row(matrix[number], row, field, f"{place}: ", pace)
        await pace.breathe()
    return matrix


def _check_shape(shape: tuple[int, ...], field: MultivectorField, where: str) -> None:
    if len(shape) != 2:
        raise InvalidArgumentError(f"{where}: must have the shape (rows, dim), got {shape}")
    rows, dim = shape
    if rows == 0:
        raise OutOfBoundsError((where, "multi vector must not be empty"))
    if dim == 0:
        raise OutOfBoundsError((where, "all vectors must be non-empty"))
    field.check_dim(dim, f"{where}: ")
    if rows * dim > ELEMENTS_MAX:
        raise InvalidArgumentError(
            f"{where}: total size of all vectors, {rows * dim}, is too large, at most "
            f"{ELEMENTS_MAX} numbers are possible"
        )


async def _of_equal_sizes(cube: NumericArray, field: MultivectorField, pace: Pace) -> RaggedColumn:
    points, rows, dim = cube.shape
    _check_shape((rows, dim), field, field.path)
    flat = await _float32(
        cube.reshape(points * rows, dim), f"{field.path}.reshape(-1, {dim})", pace
    )
    offsets = np.arange(points + 1, dtype=np.uint64) * np.uint64(rows)
    arrays: RaggedArrays = (offsets, flat)
    return RaggedColumn(arrays, np.ones(points, np.bool_))


async def _float32(matrix: NumericArray, where: str, pace: Pace) -> Matrix:
    """A view where that is possible."""
    column = VectorColumn(matrix, where)
    if column.is_float32:
        await column.check(pace)
    return await column.float32_rows(0, len(column), pace)
