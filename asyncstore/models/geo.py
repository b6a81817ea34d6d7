"""Places on the earth and shapes; in a payload a place is ``{"lon": 9.99, "lat": 48.4}``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from asyncstore.bounds import Bounds


class GeoPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A place, in degrees."""

    lon: Annotated[float, Bounds(-180, 180)]
    lat: Annotated[float, Bounds(-90, 90)]


class GeoBoundingBox(msgspec.Struct, frozen=True, kw_only=True):
    """The place is between two meridians and two parallels, or on one of them.

    Attributes:
        top_left: The corner in the north-west.
        bottom_right: The corner in the south-east; if it is west of the other one, the box crosses
            the antimeridian.
    """

    top_left: GeoPoint
    bottom_right: GeoPoint


class GeoRadius(msgspec.Struct, frozen=True, kw_only=True):
    """The place is no farther from another one than so many metres.

    Distances are along great circles, of a sphere with the earth's mean radius.
    """

    center: GeoPoint
    radius: Annotated[float, Bounds(0)]


class GeoLineString(msgspec.Struct, frozen=True, kw_only=True):
    """Places joined by straight lines on the map, where longitude and latitude are the axes."""

    points: Sequence[GeoPoint]


class GeoPolygon(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The place is inside a ring and outside other ones.

    A ring has at least 4 points, of which the last is the first one again.

    Attributes:
        exterior: The ring around it.
        interiors: Holes.
    """

    exterior: GeoLineString
    interiors: Sequence[GeoLineString] | None = None
