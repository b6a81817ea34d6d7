"""What the parts of a formula come to, for one point; each part is a function of it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from asyncstore.engine import parse_datetime
from asyncstore.errors import InvalidArgumentError
from asyncstore.members import shown
from asyncstore.models import PointId
from asyncstore.query.path import Path

T = TypeVar("T")
# Longitude, latitude.
Place: TypeAlias = tuple[float, float]

_EARTH_RADIUS_M = 6_371_008.8  # as the core's filters have it
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Candidate:
    """A point that prefetches found, with all that a formula asks of it.

    Attributes:
        scores: Of each prefetch, by the ids that it found.
        payload: What the formula names of it, at least.
        passing: Of each condition the points that pass.
    """

    id: PointId
    scores: Sequence[Mapping[PointId, float]]
    payload: dict[str, object]
    passing: Sequence[Collection[PointId]]


Evaluate: TypeAlias = Callable[[Candidate], float]

# Of one number each.
UNARY: dict[str, Callable[[float], float]] = {
    "neg": operator.neg,
    "abs": abs,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log10": math.log10,
    "ln": math.log,
}


def constant(number: float) -> Evaluate:
    """The same for all points."""
    return lambda one: number


def score(prefetch: int, default: float) -> Evaluate:
    """That of a prefetch; the default where it did not find the point."""
    return lambda one: one.scores[prefetch].get(one.id, default)


def condition(number: int) -> Evaluate:
    """1 where it holds, 0 elsewhere."""
    return lambda one: 1.0 if one.id in one.passing[number] else 0.0


def total(parts: Sequence[Evaluate]) -> Evaluate:
    """The sum."""
    return lambda one: sum(part(one) for part in parts)


def product(parts: Sequence[Evaluate]) -> Evaluate:
    """What stands behind a factor of 0 is not evaluated."""

    def evaluate(one: Candidate) -> float:
        result = 1.0
        for part in parts:
            factor = part(one)
            if factor == 0:
                return 0.0
            result *= factor
        return result

    return evaluate


def quotient(left: Evaluate, right: Evaluate, default: float | None, path: str) -> Evaluate:
    """0 where the numerator is, whatever the denominator; else the default where that is 0."""

    def evaluate(one: Candidate) -> float:
        numerator = left(one)
        if numerator == 0:
            return 0.0
        denominator = right(one)
        if denominator == 0 and default is not None:
            return default
        return _finite(operator.truediv, (numerator, denominator), one, path)

    return evaluate


def applied(function: Callable[..., float], parts: Sequence[Evaluate], path: str) -> Evaluate:
    """A function of numbers, which must be finite."""
    return lambda one: _finite(function, [part(one) for part in parts], one, path)


def decay(kind: str, parts: Sequence[Evaluate], scale: float, midpoint: float) -> Evaluate:
    """Of the distance between two numbers: 1 at 0 and ``midpoint`` at ``scale``."""

    def distance(one: Candidate) -> float:
        value, target = (part(one) for part in parts)
        return abs(value - target) / scale

    if kind == "lin_decay":
        return lambda one: max(0.0, 1.0 - (1.0 - midpoint) * distance(one))
    rate = math.log(midpoint)
    if kind == "exp_decay":
        return lambda one: math.exp(rate * distance(one))
    return lambda one: math.exp(rate * _squared(distance(one)))


def _squared(number: float) -> float:
    return number * number


def payload_value(
    at: Path, convert: Callable[[object], T | None], default: T | None, what: str, path: str
) -> Callable[[Candidate], T]:
    """The one value that there is at a path; the default where there is none.

    ``convert`` gives None for a value that is of no use; ``what`` it must be and the ``path`` that
    asks for it are for messages.
    """

    def read(one: Candidate) -> T:
        values = at.values(one.payload)
        if not values and default is not None:
            return default
        value = convert(values[0]) if len(values) == 1 else None
        if value is None:
            found = "nothing" if not values else ", ".join(shown(value) for value in values[:3])
            raise InvalidArgumentError(
                f"{path}: point {one.id} has {found} at '{at.text}', must be one {what}; "
                "where nothing is, defaults may have one"
            )
        return value

    return read


def geo_distance(origin: Place, to: Callable[[Candidate], Place]) -> Evaluate:
    """Meters along a great circle."""
    lon, lat = map(math.radians, origin)

    def evaluate(one: Candidate) -> float:
        other_lon, other_lat = map(math.radians, to(one))
        haversine = (
            math.sin((other_lat - lat) / 2) ** 2
            + math.cos(lat) * math.cos(other_lat) * math.sin((other_lon - lon) / 2) ** 2
        )
        return 2 * _EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(haversine)))

    return evaluate


def number_of(value: object) -> float | None:
    """A number of JSON that float64 can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def place_of(value: object) -> Place | None:
    """An object with the longitude and latitude of a place on earth."""
    if not isinstance(value, Mapping):
        return None
    lon, lat = number_of(value.get("lon")), number_of(value.get("lat"))
    if lon is None or lat is None or not (-180 <= lon <= 180 and -90 <= lat <= 90):
        return None
    return lon, lat


def seconds_of(value: object) -> float | None:
    """From 1970 in UTC to a date and time in a text."""
    moment = parse_datetime(value) if isinstance(value, str) else None
    return None if moment is None else moment / _MICROSECONDS


def _finite(
    function: Callable[..., float], numbers: Sequence[float], one: Candidate, path: str
) -> float:
    try:
        result = function(*numbers)
    except (ValueError, OverflowError, ZeroDivisionError):
        result = math.nan
    if not math.isfinite(result):
        given = ", ".join(map(repr, numbers))
        raise InvalidArgumentError(f"{path}: is no finite number of {given}, for point {one.id}")
    return result
