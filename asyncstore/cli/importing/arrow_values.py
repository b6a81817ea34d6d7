"""Values of Arrow's columns as what payload is made of.

Structs become objects, lists arrays, maps objects, timestamps RFC 3339 with all their digits (those
without a zone are taken for UTC), decimals numbers, binary values base64, UUIDs their text. Nulls
stay.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

UUID_BYTES = 16


def values_of(array: pa.Array) -> list[object]:
    """One value for each element.

    Raises:
        pa.ArrowException: The type is none that a payload can hold.
        ValueError: A text is no UTF-8.
    """
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _of_extension(array)
    if types.is_dictionary(kind):
        return values_of(array.dictionary_decode())
    if types.is_timestamp(kind):
        return _times(array)
    if types.is_decimal(kind):
        number = int if kind.scale <= 0 else float
        return [None if value is None else number(value) for value in array.to_pylist()]
    if types.is_struct(kind):
        return _objects(array)
    if is_list(kind):
        return _lists(array)
    values: list[object] = array.to_pylist()
    if types.is_map(kind):
        return [None if pairs is None else _object_of(pairs) for pairs in values]
    return values


def is_list(kind: pa.DataType) -> bool:
    """Whether it is any of Arrow's kinds of lists, but no view of one."""
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _of_extension(array: pa.ExtensionArray) -> list[object]:
    values = values_of(array.storage)
    if array.type.extension_name == "arrow.uuid":
        return [str(uuid.UUID(bytes=one)) if isinstance(one, bytes) else one for one in values]
    return values


def _times(array: pa.Array) -> list[object]:
    counts = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    texts = np.datetime_as_string(counts.view(f"datetime64[{array.type.unit}]"), timezone="UTC")
    there = array.is_valid().to_pylist()
    return [
        _trimmed(text) if is_there else None
        for text, is_there in zip(texts.tolist(), there, strict=True)
    ]


def _trimmed(text: str) -> str:
    """Without the zeros at the end of a fraction."""
    return text[:-1].rstrip("0").rstrip(".") + "Z" if "." in text else text


def _objects(array: pa.StructArray) -> list[object]:
    names = [field.name for field in array.type]
    columns = [values_of(column) for column in array.flatten()]
    rows = zip(*columns, strict=True) if columns else itertools.repeat((), len(array))
    return [
        dict(zip(names, row, strict=True)) if is_there else None
        for row, is_there in zip(rows, array.is_valid().to_pylist(), strict=True)
    ]


def _lists(array: pa.ListArray) -> list[object]:
    """Elements of all lists at once; null ones have none among them."""
    elements = iter(values_of(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    there = array.is_valid().to_pylist()
    return [
        list(itertools.islice(elements, length)) if is_there else None
        for length, is_there in zip(lengths, there, strict=True)
    ]


def _object_of(pairs: object) -> dict[str, object]:
    """Of a map, which may have any keys; of equal ones the last counts."""
    assert isinstance(pairs, Sequence)
    return {str(key): value for key, value in pairs}
