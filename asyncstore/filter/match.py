"""Values compared with others for equality, and texts looked for in strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np

from asyncstore.bounds import Bounds, OutOfBoundsError
from asyncstore.errors import InvalidArgumentError
from asyncstore.filter.long import Values
from asyncstore.members import list_of, shown, struct_of, text_of
from asyncstore.models import (
    MatchAny,
    MatchExcept,
    MatchPhrase,
    MatchPrefix,
    MatchText,
    MatchTextAny,
    MatchValue,
)
from asyncstore.pace import Pace, listed

if TYPE_CHECKING:
    from asyncstore.engine import LongValues, NativeTest

_INT64 = Bounds(-(2**63), 2**63 - 1)
# Values that are checked in about 0.2 ms.
_SLICE_VALUES = 2048

# Each kind by its only key.
_KINDS: dict[str, type[msgspec.Struct]] = {
    "value": MatchValue,
    "any": MatchAny,
    "except": MatchExcept,
    "text": MatchText,
    "text_any": MatchTextAny,
    "phrase": MatchPhrase,
    "prefix": MatchPrefix,
}
_MATCHES = tuple(_KINDS.values())


async def match_test(value: object, path: str, pace: Pace) -> NativeTest:
    """The test of a ``Match…``, or of its dict.

    Raises:
        InvalidArgumentError: It is none of them, or what it compares with is of the wrong type.
    """
    match _match_of(value, path):
        case MatchValue(value=one):
            return "any", [_scalar(one, f"{path}.value")]
        case MatchAny(any=values):
            return "any", await _values(values, f"{path}.any", pace)
        case MatchExcept(except_=values):
            return "except", await _values(values, f"{path}.except", pace)
        case given:
            (name,) = given.__struct_fields__
            return name, text_of(getattr(given, name), f"{path}.{name}")


def _match_of(value: object, path: str) -> msgspec.Struct:
    if isinstance(value, _MATCHES):
        return value
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(f"{path}: must be one of the matches, got {shown(value)}")
    keys = list(value)
    if len(keys) != 1 or keys[0] not in _KINDS:
        given = ", ".join(map(str, keys)) or "none"
        raise InvalidArgumentError(
            f"{path}: must have exactly one of the keys {', '.join(_KINDS)}, got {given}"
        )
    return struct_of(value, _KINDS[keys[0]], path)


def _scalar(value: object, path: str) -> bool | int | str:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, str):
        return text_of(value, path)
    if isinstance(value, int | np.integer):
        return _integer(value, path)
    raise InvalidArgumentError(
        f"{path}: must be a string, an integer or a boolean, got {shown(value)}"
    )


def _integer(value: int | np.integer, path: str) -> int:
    violation = _INT64.violation(int(value))
    if violation is not None:
        raise OutOfBoundsError((path, violation))
    return int(value)


async def _values(values: object, path: str, pace: Pace) -> list[int | str] | LongValues:
    """The values of a list, all strings or all integers."""
    if isinstance(values, np.ndarray) and values.ndim == 1:
        values = await listed(values, pace)
    given = list_of(values, path, "strings or of integers")
    taken = Values(len(given))
    for start in range(0, len(given), _SLICE_VALUES):
        await taken.add(_checked_part(given, start, path), pace)
        await pace.breathe()
    return await taken.done()


def _checked_part(listed: Sequence[object], start: int, path: str) -> Sequence[int | str]:
    is_text = isinstance(listed[0], str)
    given = listed[start : start + _SLICE_VALUES]
    if not is_text and set(map(type, given)) == {int}:  # the common case, all at once
        integers = cast("Sequence[int]", given)
        if _INT64.violation(min(integers)) is None and _INT64.violation(max(integers)) is None:
            return integers
    part: list[int | str] = []
    for index, value in enumerate(given, start):
        where = f"{path}[{index}]"
        if is_text and isinstance(value, str):
            part.append(text_of(value, where))
        elif not is_text and isinstance(value, int | np.integer) and not isinstance(value, bool):
            part.append(_integer(value, where))
        else:
            raise InvalidArgumentError(
                f"{where}: must be {'a string' if is_text else 'an integer'} "
                f"{'like those before it' if index else 'or a string'}, got {shown(value)}"
            )
    return part
