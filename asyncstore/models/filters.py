"""What points must be like: filters and their conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from asyncstore.bounds import Bounds
from asyncstore.models.geo import GeoBoundingBox, GeoPolygon, GeoRadius
from asyncstore.models.points import PointIdInput

# What a value is compared with for equality.
ValueVariants: TypeAlias = bool | int | str
AnyVariants: TypeAlias = Sequence[str] | Sequence[int]


class MatchValue(msgspec.Struct, frozen=True, kw_only=True):
    """The value is this one; 1, 1.0, true and "1" are four values."""

    value: ValueVariants


class MatchAny(msgspec.Struct, frozen=True, kw_only=True):
    """The value is one of these: all strings or all integers; of none, no value is."""

    any: AnyVariants


class MatchExcept(msgspec.Struct, frozen=True, kw_only=True, rename={"except_": "except"}):
    """The value is none of these, and not null.

    Attributes:
        except_: All strings or all integers; a value of another type is none of them. In JSON it is
            ``except``.
    """

    except_: AnyVariants


class MatchText(msgspec.Struct, frozen=True, kw_only=True):
    """The value is a string that holds this text, in the same case.

    With an index of text: all of its tokens are in the text of the field.
    """

    text: str


class MatchTextAny(msgspec.Struct, frozen=True, kw_only=True):
    """The value is a string that holds at least one of the words of this text.

    With an index of text: at least one of its tokens is in the text of the field.
    """

    text_any: str


class MatchPhrase(msgspec.Struct, frozen=True, kw_only=True):
    """The value is a string that holds this phrase, in the same case.

    With an index of text: its tokens are in the text of the field, one behind the other.
    """

    phrase: str


class MatchPrefix(msgspec.Struct, frozen=True, kw_only=True):
    """The value is a string that begins with this one."""

    prefix: str


Match: TypeAlias = (
    MatchValue | MatchAny | MatchExcept | MatchText | MatchTextAny | MatchPhrase | MatchPrefix
)


class Range(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The value is a number between bounds; those that are None do not bind.

    Integers of 64 bits are compared exactly, larger ones as the nearest float.
    """

    gt: Annotated[int | float, Bounds()] | None = None
    gte: Annotated[int | float, Bounds()] | None = None
    lt: Annotated[int | float, Bounds()] | None = None
    lte: Annotated[int | float, Bounds()] | None = None


class DatetimeRange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The value is a string that is a point in time between bounds.

    Strings, in a payload and here, are RFC 3339, ``YYYY-MM-DD``, or ``YYYY-MM-DD HH:MM``, then
    seconds, a fraction of them and a zone if there are any; the T may stand for the space. What has
    no zone is UTC, also a ``datetime`` without one.
    """

    gt: datetime | date | str | None = None
    gte: datetime | date | str | None = None
    lt: datetime | date | str | None = None
    lte: datetime | date | str | None = None


RangeInterface: TypeAlias = Range | DatetimeRange


class ValuesCount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many values there are: an array's length; 0 for null and where nothing is; else 1."""

    gt: Annotated[int, Bounds(0)] | None = None
    gte: Annotated[int, Bounds(0)] | None = None
    lt: Annotated[int, Bounds(0)] | None = None
    lte: Annotated[int, Bounds(0)] | None = None


class FieldCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked of the values that a JSON path names; of several tests one must hold.

    A test holds if it does for any of the values; in place of an array stand its elements.

    Attributes:
        key: The path: ``a.b``, ``a[].b``, ``a[0].b``, ``"quoted.key"``.
        geo_bounding_box: Of objects with ``lon`` and ``lat``, as are the next two.
        is_empty: Whether all values there are null or ``[]``, or none is there.
        is_null: Whether a value there is null; one that is not there is not.
    """

    key: str
    match: Match | None = None
    range: RangeInterface | None = None
    geo_bounding_box: GeoBoundingBox | None = None
    geo_radius: GeoRadius | None = None
    geo_polygon: GeoPolygon | None = None
    values_count: ValuesCount | None = None
    is_empty: bool | None = None
    is_null: bool | None = None


class PayloadField(msgspec.Struct, frozen=True, kw_only=True):
    """The values that a JSON path names."""

    key: str


class IsEmptyCondition(msgspec.Struct, frozen=True, kw_only=True):
    """All values there are null or ``[]``, or none is there."""

    is_empty: PayloadField


class IsNullCondition(msgspec.Struct, frozen=True, kw_only=True):
    """A value there is null."""

    is_null: PayloadField


class HasIdCondition(msgspec.Struct, frozen=True, kw_only=True):
    """The point is one of these."""

    has_id: Sequence[PointIdInput] | NDArray[np.integer]


class HasVectorCondition(msgspec.Struct, frozen=True, kw_only=True):
    """The point has a vector of this name; "" is the unnamed one."""

    has_vector: str


class Nested(msgspec.Struct, frozen=True, kw_only=True):
    """Objects in an array, and what one of them must be like.

    Attributes:
        key: The path of the array (``a``, ``a[]``, ``a[].b``); a single object counts as one of
            one element.
        filter: Its keys begin at the element. Of what is asked of points, not of their payload
            (``has_id``, ``has_vector``, ``slice``), nothing may be in it.
    """

    key: str
    filter: Filter


class NestedCondition(msgspec.Struct, frozen=True, kw_only=True):
    """One and the same element of an array passes a filter."""

    nested: Nested


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Which of how many parts.

    Attributes:
        total: How many parts, at least 1.
        index: Which one, from 0 to total - 1.
    """

    total: Annotated[int, Bounds(1, 2**64 - 1)]
    index: Annotated[int, Bounds(0)]


class SliceCondition(msgspec.Struct, frozen=True, kw_only=True):
    """The point is in one of so many parts of about the same size; its id says in which."""

    slice: Slice


class MinShould(msgspec.Struct, frozen=True, kw_only=True):
    """At least so many of these conditions hold."""

    conditions: Sequence[Condition] | Condition
    min_count: int


class Filter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What points must be like. All that is said must hold; ``Filter()`` is true of every point.

    A filter is a condition itself. Where a list of conditions stands, a single one may.

    Attributes:
        must: Each of them holds.
        should: At least one of them holds, if there are any.
        must_not: None of them holds.
        min_should: At least so many of them hold.

    Example:
        >>> cheap = FieldCondition(key="price", range=Range(lt=10))
        >>> msgspec.json.encode(Filter(must=[cheap]))
        b'{"must":[{"key":"price","range":{"lt":10}}]}'
    """

    must: Sequence[Condition] | Condition | None = None
    should: Sequence[Condition] | Condition | None = None
    must_not: Sequence[Condition] | Condition | None = None
    min_should: MinShould | None = None


Condition: TypeAlias = (
    FieldCondition
    | IsEmptyCondition
    | IsNullCondition
    | HasIdCondition
    | HasVectorCondition
    | NestedCondition
    | SliceCondition
    | Filter
)

# A filter, or the dicts and lists that it is in JSON.
FilterInput: TypeAlias = Filter | Mapping[str, object]


class FilterSelector(msgspec.Struct, frozen=True, kw_only=True):
    """Points selected by a filter."""

    filter: FilterInput
