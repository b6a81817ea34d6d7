"""What is asked of the values of a field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asyncstore.bounds import OutOfBoundsError
from asyncstore.errors import InvalidArgumentError
from asyncstore.filter.match import match_test
from asyncstore.filter.ranges import count_test, range_test
from asyncstore.filter.shapes import box_test, polygon_test, radius_test
from asyncstore.members import shown
from asyncstore.models import FieldCondition
from asyncstore.pace import Pace

if TYPE_CHECKING:
    from asyncstore.engine import NativeTest


async def field_tests(condition: FieldCondition, path: str, pace: Pace) -> list[NativeTest]:
    """The tests of a condition, of which one must hold.

    Raises:
        InvalidArgumentError: There is none, or one is wrong.
    """
    tests: list[NativeTest] = []
    if condition.match is not None:
        tests.append(await match_test(condition.match, f"{path}.match", pace))
    if condition.range is not None:
        tests.append(range_test(condition.range, f"{path}.range"))
    if condition.geo_bounding_box is not None:
        tests.append(box_test(condition.geo_bounding_box, f"{path}.geo_bounding_box"))
    if condition.geo_radius is not None:
        tests.append(radius_test(condition.geo_radius, f"{path}.geo_radius"))
    if condition.geo_polygon is not None:
        tests.append(await polygon_test(condition.geo_polygon, f"{path}.geo_polygon", pace))
    if condition.values_count is not None:
        tests.append(count_test(condition.values_count, f"{path}.values_count"))
    if condition.is_empty is not None:
        tests.append(("is_empty", _flag(condition.is_empty, f"{path}.is_empty")))
    if condition.is_null is not None:
        tests.append(("is_null", _flag(condition.is_null, f"{path}.is_null")))
    if not tests:
        raise OutOfBoundsError((path, "At least one field condition must be specified"))
    return tests


def _flag(value: object, path: str) -> bool:
    """Returns ``value`` if it is a boolean; raises otherwise."""
    if not isinstance(value, bool | np.bool_):
        raise InvalidArgumentError(f"{path}: must be a boolean, got {shown(value)}")
    return bool(value)
