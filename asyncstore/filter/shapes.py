"""Shapes on the earth."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from asyncstore.bounds import OutOfBoundsError, checked
from asyncstore.members import finite, leaf_of, list_of, struct_of
from asyncstore.models import GeoBoundingBox, GeoLineString, GeoPoint, GeoPolygon, GeoRadius
from asyncstore.pace import Pace

if TYPE_CHECKING:
    from asyncstore.engine import NativeTest

# Longitude, latitude.
Place: TypeAlias = tuple[float, float]

# The smallest ring is a triangle whose last point is its first one again.
RING_POINTS_MIN = 4


def box_test(value: object, path: str) -> NativeTest:
    """The test of a ``GeoBoundingBox``."""
    box = struct_of(value, GeoBoundingBox, path)
    return (
        "geo_box",
        *_place(box.top_left, f"{path}.top_left"),
        *_place(box.bottom_right, f"{path}.bottom_right"),
    )


def radius_test(value: object, path: str) -> NativeTest:
    """The test of a ``GeoRadius``."""
    circle = struct_of(value, GeoRadius, path)
    center = _place(circle.center, f"{path}.center")
    return "geo_radius", *center, finite(checked(circle, GeoRadius, path).radius, f"{path}.radius")


async def polygon_test(value: object, path: str, pace: Pace) -> NativeTest:
    """The test of a ``GeoPolygon``.

    Raises:
        InvalidArgumentError: A ring is not closed or too short, or a point is no place on earth.
    """
    polygon = struct_of(value, GeoPolygon, path)
    exterior = await _ring(polygon.exterior, f"{path}.exterior", pace)
    interiors = [
        await _ring(ring, f"{path}.interiors[{index}]", pace)
        for index, ring in enumerate(list_of(polygon.interiors or (), f"{path}.interiors", "rings"))
    ]
    return "geo_polygon", exterior, interiors


async def _ring(value: object, path: str, pace: Pace) -> list[Place]:
    points = list_of(struct_of(value, GeoLineString, path).points, f"{path}.points", "points")
    if len(points) < RING_POINTS_MIN:
        what = f"a ring has at least {RING_POINTS_MIN} points, got {len(points)}"
        raise OutOfBoundsError((f"{path}.points", what))
    ring: list[Place] = []
    for index, point in enumerate(points):
        ring.append(_place(point, f"{path}.points[{index}]"))
        await pace.breathe()
    if ring[0] != ring[-1]:
        what = f"the last point of a ring must be its first one, {ring[0]}, got {ring[-1]}"
        raise OutOfBoundsError((f"{path}.points", what))
    return ring


def _place(value: object, path: str) -> Place:
    point = leaf_of(value, GeoPoint, path)
    return float(point.lon), float(point.lat)
