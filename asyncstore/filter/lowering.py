"""Filters and their conditions.

The core's form, in nested tuples, is in ``_native.pyi``. A filter that was lowered has nothing left
that can be wrong but for what depends on points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from asyncstore.bounds import Bounds, check_number
from asyncstore.engine import LongFilter, LongIds, LongValues
from asyncstore.errors import InvalidArgumentError
from asyncstore.filter.fields import field_tests
from asyncstore.filter.long import PARTS_MAX, VALUES_OF_A_PART, Conditions, ids_part
from asyncstore.ids import Ids, point_ids
from asyncstore.members import leaf_of, list_of, shown, struct_of
from asyncstore.models import (
    Condition,
    FieldCondition,
    Filter,
    HasIdCondition,
    HasVectorCondition,
    IsEmptyCondition,
    IsNullCondition,
    MinShould,
    Nested,
    NestedCondition,
    PayloadField,
    Slice,
    SliceCondition,
)
from asyncstore.pace import Pace
from asyncstore.payload import check_path
from asyncstore.vectors import AnyField, find_field

if TYPE_CHECKING:
    from asyncstore.engine import (
        NativeCondition,
        NativeConditions,
        NativeFilter,
        NativeParts,
        NativeTest,
    )

# Filters inside of filters, the outermost being the first, and conditions in all of them: the core
# walks over the former by recursion, and over the latter for every point.
FILTER_DEPTH_MAX = 32
CONDITIONS_MAX = 65536

# Conditions by the key that is in their dict and in no other's.
_KINDS: dict[str, type[msgspec.Struct]] = {
    "key": FieldCondition,
    "is_empty": IsEmptyCondition,
    "is_null": IsNullCondition,
    "has_id": HasIdCondition,
    "has_vector": HasVectorCondition,
    "nested": NestedCondition,
    "slice": SliceCondition,
}
_CLAUSES = ("must", "should", "must_not", "min_should")
# Conditions, of which a filter is one; and the keys of which one is in each of their dicts, but for
# that of an empty filter.
CONDITIONS: tuple[type[msgspec.Struct], ...] = (*_KINDS.values(), Filter)
CONDITION_KEYS = (*_KINDS, *_CLAUSES)


async def lower(
    filter: object, fields: Mapping[str, AnyField], pace: Pace, path: str = "filter"
) -> NativeFilter | None:
    """Checks a filter and brings it into the core's form; None stays None.

    Args:
        filter: A ``Filter``, the dict that one is in JSON, or None.
        fields: The vectors of the collection by their names.
        pace: Lets other tasks run in between.
        path: What messages call the filter.

    Raises:
        InvalidArgumentError: Something is wrong; the message begins with the path to it, as in
            ``filter.must[0].range.gte: …``.
    """
    if filter is None:
        return None
    lowering = _Lowering(fields, pace)
    return lowering.whole(await lowering.filter(filter, path, depth=1, is_nested=False))


async def lower_reading(
    filter: object, fields: Mapping[str, AnyField], pace: Pace, path: str = "filter"
) -> NativeFilter | None:
    """As :func:`lower`; None also where there is nothing in the filter, which all points pass."""
    lowered = await lower(filter, fields, pace, path)
    return None if lowered == ([], [], [], None) else lowered


async def lower_condition(
    condition: object, fields: Mapping[str, AnyField], pace: Pace, path: str
) -> NativeFilter:
    """As :func:`lower`, of a single condition."""
    lowering = _Lowering(fields, pace)
    one = await lowering.condition(condition, path, depth=1, is_nested=False)
    return lowering.whole(([one], [], [], None))


async def having_ids(ids: Ids, pace: Pace) -> NativeFilter:
    """A filter that passes the points with these ids; a long list of them is empty then."""
    part = await ids_part(ids, pace)
    filter: NativeParts = [("has_id", part)], [], [], None
    return LongFilter(filter) if isinstance(part, LongIds) else filter


class _Lowering:
    """One filter on its way."""

    def __init__(self, fields: Mapping[str, AnyField], pace: Pace) -> None:
        self._fields = fields
        self._pace = pace
        self._conditions = 0
        self._pending = 0  # parts that are not the core's yet
        self._is_long = False

    def whole(self, filter: NativeParts) -> NativeFilter:
        """What the outermost filter is to the core."""
        return LongFilter(filter) if self._is_long else filter

    async def filter(self, value: object, path: str, *, depth: int, is_nested: bool) -> NativeParts:
        """A filter; inside of a nested condition it is about an element instead of a point."""
        if depth > FILTER_DEPTH_MAX:
            raise InvalidArgumentError(
                f"{path}: filters are nested too deeply, at most {FILTER_DEPTH_MAX} levels"
            )
        given = struct_of(value, Filter, path)

        async def clause(conditions: object, where: str) -> NativeConditions:
            return await self._clause(conditions, where, depth=depth, is_nested=is_nested)

        must = await clause(given.must, f"{path}.must")
        should = await clause(given.should, f"{path}.should")
        must_not = await clause(given.must_not, f"{path}.must_not")
        if given.min_should is None:
            return must, should, must_not, None
        least = struct_of(given.min_should, MinShould, f"{path}.min_should")
        check_number(least.min_count, Bounds(0), f"{path}.min_should.min_count")
        conditions = await clause(least.conditions, f"{path}.min_should.conditions")
        # A number above this is as unreachable.
        min_count = min(int(least.min_count), len(conditions) + 1)
        return must, should, must_not, (conditions, min_count)

    async def _clause(
        self, value: object, path: str, *, depth: int, is_nested: bool
    ) -> NativeConditions:
        """The conditions of a list, or a single one that stands in its place."""
        if value is None:
            return []
        if isinstance(value, (*CONDITIONS, Mapping)):
            return [await self.condition(value, path, depth=depth, is_nested=is_nested)]
        given = list_of(value, path, "conditions")
        before = self._pending
        conditions = Conditions(len(given))
        for index, one in enumerate(given):
            where = f"{path}[{index}]"
            conditions.add(await self.condition(one, where, depth=depth, is_nested=is_nested))
            if self._pending - before > PARTS_MAX:
                conditions.hand_over()
                self._pending = before
                self._is_long = True
        return conditions.done()

    async def condition(
        self, value: object, path: str, *, depth: int, is_nested: bool
    ) -> NativeCondition:
        """A condition, in a filter of this depth."""
        self._conditions += 1
        self._pending += 1
        if self._conditions > CONDITIONS_MAX:
            raise InvalidArgumentError(
                f"{path}: the filter has more than {CONDITIONS_MAX} conditions"
            )
        await self._pace.breathe()
        match condition_of(value, path):
            case FieldCondition() as field:
                key = _key(field.key, f"{path}.key")
                tests = await field_tests(field, path, self._pace)
                self._note(tests)
                return "field", key, tests
            case IsEmptyCondition(is_empty=field):
                return "field", _field_key(field, f"{path}.is_empty"), [("is_empty", True)]
            case IsNullCondition(is_null=field):
                return "field", _field_key(field, f"{path}.is_null"), [("is_null", True)]
            case NestedCondition(nested=nested):
                inside = struct_of(nested, Nested, f"{path}.nested")
                key = _key(inside.key, f"{path}.nested.key")
                where = f"{path}.nested.filter"
                return (
                    "nested",
                    key,
                    await self.filter(inside.filter, where, depth=depth + 1, is_nested=True),
                )
            case Filter() as inner:
                return (
                    "filter",
                    await self.filter(inner, path, depth=depth + 1, is_nested=is_nested),
                )
            case of_point if is_nested:
                name = of_point.__struct_fields__[0]
                raise InvalidArgumentError(
                    f"{path}.{name}: is about points, inside of nested there are elements of them"
                )
            case HasIdCondition(has_id=ids):
                return "has_id", await self._ids(ids, f"{path}.has_id")
            case HasVectorCondition(has_vector=name):
                return "has_vector", self._number(name, f"{path}.has_vector")
            case SliceCondition(slice=part):
                return _slice(part, f"{path}.slice")

    async def _ids(self, ids: object, path: str) -> Ids | LongIds:
        checked = await point_ids(ids, self._pace, path + "[{}]")  # type: ignore[arg-type]
        part = await ids_part(checked, self._pace)
        if isinstance(part, LongIds):
            self._is_long = True
        else:
            self._pending += len(part) // VALUES_OF_A_PART
        return part

    def _note(self, tests: list[NativeTest]) -> None:
        """Counts the values of tests, or the points of polygons."""
        for _, value, *_ in tests:
            if isinstance(value, list):
                self._pending += len(value) // VALUES_OF_A_PART
            elif isinstance(value, LongValues):
                self._is_long = True

    def _number(self, name: object, path: str) -> int:
        try:
            return find_field(self._fields, name).number
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"{path}: {error}") from error


def condition_of(value: object, path: str) -> Condition:
    """Returns ``value`` if it is a condition, made one if it is a dict.

    Raises:
        InvalidArgumentError: It is none of them.
    """
    if isinstance(value, CONDITIONS):
        return value  # type: ignore[return-value]
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(f"{path}: must be a condition or a filter, got {shown(value)}")
    for key, kind in _KINDS.items():
        if key in value:
            return struct_of(value, kind, path)  # type: ignore[return-value]
    if value and not any(key in value for key in _CLAUSES):
        raise InvalidArgumentError(
            f"{path}: the keys {', '.join(map(str, value))} make no condition, one of "
            f"{', '.join(_KINDS)} must be there; or, for a filter, of {', '.join(_CLAUSES)}"
        )
    return struct_of(value, Filter, path)


def _field_key(value: object, path: str) -> str:
    return _key(struct_of(value, PayloadField, path).key, f"{path}.key")


def _key(value: object, path: str) -> str:
    check_path(value, path)
    return str(value)


def _slice(value: object, path: str) -> NativeCondition:
    part = leaf_of(value, Slice, path)
    check_number(part.index, Bounds(0, part.total - 1), f"{path}.index")
    return "slice", part.total, part.index
