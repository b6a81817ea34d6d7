"""Bounds of numbers, of points in time, and of how many values there are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from asyncstore.engine import parse_datetime
from asyncstore.errors import InvalidArgumentError
from asyncstore.members import finite, leaf_of, shown, struct_of, text_of
from asyncstore.models import DatetimeRange, Range, ValuesCount

if TYPE_CHECKING:
    from asyncstore.engine import NativeTest

_BOUNDS = ("gt", "gte", "lt", "lte")  # in the core's order
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def range_test(value: object, path: str) -> NativeTest:
    """The test of a ``Range`` or a ``DatetimeRange``; a dict is what its bounds are.

    Raises:
        InvalidArgumentError: A bound is neither number nor point in time, or they are mixed.
    """
    is_time = isinstance(value, DatetimeRange) or (
        isinstance(value, Mapping)
        and any(isinstance(bound, str | date) for bound in value.values())
    )
    if is_time:
        given = struct_of(value, DatetimeRange, path)
        return "datetime_range", *(
            microseconds(getattr(given, name), f"{path}.{name}") for name in _BOUNDS
        )
    if not isinstance(value, Range | Mapping):
        raise InvalidArgumentError(
            f"{path}: must be a Range, a DatetimeRange or the dict of one, got {shown(value)}"
        )
    numbers = leaf_of(value, Range, path)
    return "range", *(core_number(getattr(numbers, name), f"{path}.{name}") for name in _BOUNDS)


def count_test(value: object, path: str) -> NativeTest:
    """The test of a ``ValuesCount``."""
    counts = leaf_of(value, ValuesCount, path)
    # No array is that long, whatever is above it.
    bounds = (
        None if bound is None else min(bound, _INT64_MAX)
        for bound in (getattr(counts, name) for name in _BOUNDS)
    )
    return "values_count", *bounds


def core_number(value: int | float | None, path: str) -> int | float | None:
    """A bound as the core compares it: an integer of 64 bits, or the nearest float."""
    if value is None or (isinstance(value, int) and _INT64_MIN <= value <= _INT64_MAX):
        return value
    if isinstance(value, float):
        return finite(value, path)
    try:
        return float(value)
    except OverflowError as error:
        raise InvalidArgumentError(f"{path}: value {value} is beyond every float") from error


def microseconds(value: object, path: str) -> int | None:
    """Since 1970, as the core counts them; what has no zone is UTC."""
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // _MICROSECOND
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{path}: must be a date and time, got {shown(value)}")
    parsed = parse_datetime(text_of(value, path))
    if parsed is None:
        raise InvalidArgumentError(
            f"{path}: {value!r} is no date and time, must be as 2024-02-29, 2024-02-29 13:30, "
            "2024-02-29T13:30:59.25 or 2024-02-29T13:30:59+01:00"
        )
    return parsed
