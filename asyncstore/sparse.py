"""Sparse vectors as callers give them, turned into the arrays that the core takes.

The vectors of one name of a batch are three arrays, as in a CSR matrix: the elements of point i are
``indices[offsets[i]:offsets[i + 1]]`` and ``values[...]``. Indices ascend, each there once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from asyncstore.bounds import OutOfBoundsError
from asyncstore.errors import InvalidArgumentError
from asyncstore.models import SparseVector
from asyncstore.pace import LIST_ELEMENTS_MAX, Pace
from asyncstore.ragged import RaggedBuilder, RaggedColumn

if TYPE_CHECKING:
    from asyncstore.vectors import SparseField

Indices: TypeAlias = NDArray[np.uint32]
Values: TypeAlias = NDArray[np.float32]
# offsets (n + 1,), indices and values: what the core takes for n points.
SparseArrays: TypeAlias = tuple[NDArray[np.uint64], Indices, Values]

# Elements of one vector.
ELEMENTS_MAX = 1 << 20
_INDEX_MAX = 2**32 - 1
# Elements that are sorted in about 0.2 ms; longer vectors are sorted on a thread.
_SORTED_INLINE = 4096


async def sparse_column(vectors: object, field: SparseField, pace: Pace) -> RaggedColumn:
    """Takes a sequence of vectors and None, or a matrix in SciPy's CSR form.

    Raises:
        InvalidArgumentError: It is none, or an element is wrong.
    """
    if all(hasattr(vectors, name) for name in ("indptr", "indices", "data")):
        arrays = await anyio.to_thread.run_sync(_checked_csr, vectors, field.path)
        return RaggedColumn(arrays, np.ones(len(arrays[0]) - 1, np.bool_))
    if isinstance(vectors, str | bytes | Mapping) or not isinstance(vectors, Sequence):
        raise InvalidArgumentError(
            f"{field.path}: must be a sequence of SparseVector and None, or a CSR matrix, got "
            f"{type(vectors).__name__}"
        )
    builder = sparse_builder(len(vectors))
    for row, vector in enumerate(vectors):
        if vector is not None:
            builder.put(row, await elements_of(vector, f"{field.path}[{row}]", pace))
        await pace.breathe()
    return await builder.column(pace)


def sparse_builder(points: int) -> RaggedBuilder:
    """Collects the vectors of n points; one without elements is a vector."""
    return RaggedBuilder(points, (np.empty(0, np.uint32), np.empty(0, np.float32)))


async def sparse_query(vector: object) -> SparseArrays:
    """The query of a search.

    Raises:
        InvalidArgumentError: It is no sparse vector.
    """
    return queries_of([await elements_of(vector, "query", Pace())])


def queries_of(vectors: Sequence[tuple[Indices, Values]]) -> SparseArrays:
    """At least one vector, the indices of each ascend, as the core takes queries."""
    offsets = np.cumsum([0, *(len(indices) for indices, _ in vectors)], dtype=np.uint64)
    indices = np.concatenate([indices for indices, _ in vectors])
    return offsets, indices, np.concatenate([values for _, values in vectors])


async def sparse_queries(vectors: object, field: SparseField) -> SparseArrays:
    """The queries of a batch.

    Raises:
        InvalidArgumentError: They are no sparse vectors, or there is none.
    """
    column = await sparse_column(vectors, field, Pace())
    return cast(SparseArrays, column.queries(field.path))


def weighted_sum(
    vectors: Sequence[tuple[Indices, Values]], weights: Sequence[float]
) -> tuple[Indices, Values]:
    """The sum of some vectors, each times its weight; an index that one lacks is 0 in it."""
    every = np.concatenate([indices for indices, _ in vectors])
    indices, places = np.unique(every, return_inverse=True)
    products = [
        values.astype(np.float64) * weight
        for (_, values), weight in zip(vectors, weights, strict=True)
    ]
    sums = np.bincount(places, np.concatenate(products), len(indices))
    return indices, sums.astype(np.float32)


async def elements_of(vector: object, where: str, pace: Pace) -> tuple[Indices, Values]:
    """Indices, ascending, and values of one vector.

    Raises:
        InvalidArgumentError: It is no sparse vector; the message begins with ``where``.
    """
    if isinstance(vector, SparseVector):
        given: tuple[object, object] = vector.indices, vector.values
    elif isinstance(vector, Mapping) and set(vector) == {"indices", "values"}:
        given = vector["indices"], vector["values"]
    else:
        raise InvalidArgumentError(
            f"{where}: the vector is sparse, must be a SparseVector or a dict of indices and "
            f"values, got {type(vector).__name__}"
        )
    indices = _checked_indices(await _array_of(given[0], f"{where}.indices", pace), where)
    values = _checked_values(await _array_of(given[1], f"{where}.values", pace), where)
    if len(values) != len(indices):
        what = f"must be the same length as indices, {len(indices)}, got {len(values)}"
        raise OutOfBoundsError((f"{where}.values", what))
    if len(indices) > ELEMENTS_MAX:
        raise InvalidArgumentError(
            f"{where}: has {len(indices)} elements, at most {ELEMENTS_MAX} are possible"
        )
    if len(indices) <= _SORTED_INLINE:
        return _sorted(indices, values, where)
    return await anyio.to_thread.run_sync(_sorted, indices, values, where)


async def _array_of(numbers: object, where: str, pace: Pace) -> NDArray[np.generic]:
    """A flat array of numbers, made of long lists in slices."""
    if isinstance(numbers, Sequence) and len(numbers) > LIST_ELEMENTS_MAX:
        parts = []
        for start in range(0, len(numbers), LIST_ELEMENTS_MAX):
            parts.append(_flat(numbers[start : start + LIST_ELEMENTS_MAX], where))
            await pace.breathe()
        return np.concatenate(parts)
    return _flat(numbers, where)


def _flat(numbers: object, where: str) -> NDArray[np.generic]:
    try:
        array = np.asarray(numbers)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidArgumentError(f"{where}: must be a flat list of numbers") from error
    if array.ndim != 1 or (array.size > 0 and array.dtype.kind not in "fiu"):
        raise InvalidArgumentError(f"{where}: must be a flat list of numbers")
    return array


def _checked_indices(array: NDArray[np.generic], where: str) -> Indices:
    if array.size == 0:
        return np.empty(0, np.uint32)
    if array.dtype.kind == "f" or array.min() < 0 or array.max() > _INDEX_MAX:
        raise InvalidArgumentError(f"{where}.indices: must be whole numbers from 0 to {_INDEX_MAX}")
    return array.astype(np.uint32)


def _checked_values(array: NDArray[np.generic], where: str) -> Values:
    with np.errstate(over="ignore", invalid="ignore"):
        values = array.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        at = int(np.argmin(finite))
        raise InvalidArgumentError(
            f"{where}.values: has {array[at]!s} at position {at}, must be finite in float32"
        )
    return values


def _sorted(indices: Indices, values: Values, where: str) -> tuple[Indices, Values]:
    """By index.

    Raises:
        InvalidArgumentError: An index is there twice.
    """
    if (indices[1:] > indices[:-1]).all():
        return indices, values
    order = np.argsort(indices)
    indices, values = indices[order], values[order]
    same = indices[1:] == indices[:-1]
    if same.any():
        what = f"must be unique, {indices[int(np.argmax(same))]} is there twice"
        raise OutOfBoundsError((f"{where}.indices", what))
    return indices, values


def _checked_csr(matrix: object, path: str) -> SparseArrays:
    """The three arrays of a CSR matrix, its rows sorted; runs on a thread."""
    if getattr(matrix, "format", "csr") != "csr":
        raise InvalidArgumentError(f"{path}: a sparse matrix must have the CSR form: call tocsr()")
    offsets = _flat(getattr(matrix, "indptr", None), f"{path}.indptr")
    indices = _checked_indices(_flat(getattr(matrix, "indices", None), f"{path}.indices"), path)
    values = _checked_values(_flat(getattr(matrix, "data", None), f"{path}.data"), path)
    is_csr = (
        offsets.size > 0
        and offsets.dtype.kind in "iu"
        and offsets[0] == 0
        and (np.diff(offsets.astype(np.int64)) >= 0).all()
        and offsets[-1] <= len(indices)
        and len(indices) == len(values)
    )
    if not is_csr:
        raise InvalidArgumentError(f"{path}: indptr, indices and data do not fit each other")
    longest = int(np.diff(offsets).max(initial=0))
    if longest > ELEMENTS_MAX:
        raise InvalidArgumentError(
            f"{path}: a row has {longest} elements, at most {ELEMENTS_MAX} are possible"
        )
    # Where an index does not ascend, and no row begins, the row must be sorted.
    falls = indices[1:] <= indices[:-1]
    begins = offsets[1:-1].astype(np.int64)
    falls[begins[(begins > 0) & (begins <= falls.size)] - 1] = False
    for row in np.unique(np.searchsorted(offsets, np.flatnonzero(falls), side="right") - 1):
        cut = slice(int(offsets[row]), int(offsets[row + 1]))
        indices[cut], values[cut] = _sorted(indices[cut], values[cut], f"{path}[{row}]")
    return offsets.astype(np.uint64), indices, values
