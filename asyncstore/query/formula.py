"""Formulas: checked, and turned into functions of a point.

A formula is evaluated point by point, so that what a point does not come to, behind a factor of 0,
may be missing from it. Its conditions are asked of the core, for all points at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec
import numpy as np

from asyncstore.bounds import Bounds, OutOfBoundsError, check_number
from asyncstore.errors import InvalidArgumentError
from asyncstore.filter import CONDITION_KEYS, CONDITIONS, lower_condition
from asyncstore.filter.ranges import microseconds
from asyncstore.members import finite, leaf_of, list_of, shown, struct_of
from asyncstore.models import (
    AbsExpression,
    DatetimeExpression,
    DatetimeKeyExpression,
    DecayParamsExpression,
    DivExpression,
    DivParams,
    ExpDecayExpression,
    ExpExpression,
    FormulaQuery,
    GaussDecayExpression,
    GeoDistance,
    GeoDistanceParams,
    GeoPoint,
    LinDecayExpression,
    LnExpression,
    Log10Expression,
    MultExpression,
    NegExpression,
    PointId,
    PowExpression,
    PowParams,
    SqrtExpression,
    SumExpression,
)
from asyncstore.pace import Pace
from asyncstore.payload import PayloadSelection
from asyncstore.query import evaluation
from asyncstore.query.evaluation import Candidate, Evaluate
from asyncstore.query.fusion import best_first
from asyncstore.query.path import Path
from asyncstore.vectors import AnyField

if TYPE_CHECKING:
    from asyncstore.engine import NativeFilter

T = TypeVar("T")

# The expressions of a formula are evaluated for a point in one go, in well below a millisecond.
_EXPRESSIONS_MAX = 1000
_DEPTH_MAX = 64
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_SCORE = re.compile(r"\$score(?:\[(\d{1,9})\])?")

# Operations by their only key.
_OPERATIONS: dict[str, type[msgspec.Struct]] = {
    "mult": MultExpression,
    "sum": SumExpression,
    "neg": NegExpression,
    "abs": AbsExpression,
    "div": DivExpression,
    "sqrt": SqrtExpression,
    "pow": PowExpression,
    "exp": ExpExpression,
    "log10": Log10Expression,
    "ln": LnExpression,
    "geo_distance": GeoDistance,
    "datetime": DatetimeExpression,
    "datetime_key": DatetimeKeyExpression,
    "lin_decay": LinDecayExpression,
    "exp_decay": ExpDecayExpression,
    "gauss_decay": GaussDecayExpression,
}


@dataclass(frozen=True, eq=False)
class Formula:
    """A score for each point that prefetches found.

    Attributes:
        selection: What of their payload it must be given.
        conditions: Which points pass it must be told of each.
    """

    selection: PayloadSelection
    conditions: list[NativeFilter]
    path: str
    evaluate: Evaluate

    async def ranked(self, candidates: Iterable[Candidate]) -> list[tuple[PointId, float]]:
        """Ids with their scores, the greatest first.

        Raises:
            InvalidArgumentError: A point lacks a value, or the formula has none for it.
        """
        scores: dict[PointId, float] = {}
        pace = Pace()
        for one in candidates:
            score = self.evaluate(one)
            if not abs(score) <= _FLOAT32_MAX:
                raise InvalidArgumentError(
                    f"{self.path}: is {score} for point {one.id}, must be a finite float32"
                )
            scores[one.id] = float(np.float32(score))
            await pace.breathe()
        return best_first(scores)


async def lower_formula(
    query: FormulaQuery,
    prefetches: int,
    fields: Mapping[str, AnyField],
    pace: Pace,
    path: str = "query",
) -> Formula:
    """Checks a formula of what so many prefetches find.

    Raises:
        InvalidArgumentError: Something is wrong; the message begins with the path to it.
    """
    lowering = _Lowering(query.defaults, prefetches, fields, pace, f"{path}.defaults")
    where = f"{path}.formula"
    evaluate = await lowering.expression(query.formula, where, depth=1)
    lowering.check_defaults()
    paths = sorted({at.outer for at in lowering.paths})
    return Formula(("include", paths) if paths else False, lowering.conditions, where, evaluate)


class _Lowering:
    """One formula on its way."""

    def __init__(
        self,
        defaults: object,
        prefetches: int,
        fields: Mapping[str, AnyField],
        pace: Pace,
        path: str,
    ) -> None:
        self.paths: list[Path] = []
        self.conditions: list[NativeFilter] = []
        self._prefetches, self._fields, self._pace, self._path = prefetches, fields, pace, path
        self._expressions = 0
        # By what they stand for, the number of a prefetch or the steps of a path: as they are
        # called, and the value.
        self._defaults = self._defaults_of(defaults)
        self._used: set[object] = set()

    async def expression(self, given: object, path: str, *, depth: int) -> Evaluate:
        """One expression with all that are inside of it."""
        self._expressions += 1
        if self._expressions > _EXPRESSIONS_MAX:
            raise InvalidArgumentError(
                f"{path}: the formula has more than {_EXPRESSIONS_MAX} expressions"
            )
        if depth > _DEPTH_MAX:
            raise InvalidArgumentError(f"{path}: nested too deeply, at most {_DEPTH_MAX} levels")
        await self._pace.breathe()
        if isinstance(given, str):
            return self._variable(given, path)
        if isinstance(given, int | float | np.number) and not isinstance(given, bool):
            return evaluation.constant(_number(given, path))
        if isinstance(given, CONDITIONS) or _is_condition(given):
            self.conditions.append(await lower_condition(given, self._fields, self._pace, path))
            return evaluation.condition(len(self.conditions) - 1)
        key, inner = _operation_of(given, path)
        return await self._operation(key, inner, f"{path}.{key}", depth)

    async def _operation(self, key: str, inner: object, path: str, depth: int) -> Evaluate:
        async def part(given: object, name: str) -> Evaluate:
            return await self.expression(given, f"{path}{name}", depth=depth + 1)

        match key:
            case "mult" | "sum":
                parts = [
                    await part(one, f"[{index}]")
                    for index, one in enumerate(list_of(inner, path, "expressions"))
                ]
                return evaluation.product(parts) if key == "mult" else evaluation.total(parts)
            case "neg" | "abs":
                return _composed(evaluation.UNARY[key], await part(inner, ""))
            case "sqrt" | "exp" | "log10" | "ln":
                return evaluation.applied(evaluation.UNARY[key], [await part(inner, "")], path)
            case "pow":
                given = struct_of(inner, PowParams, path)
                parts = [await part(given.base, ".base"), await part(given.exponent, ".exponent")]
                return evaluation.applied(math.pow, parts, path)
            case "div":
                ratio = struct_of(inner, DivParams, path)
                default = ratio.by_zero_default
                if default is not None:
                    default = _number(default, f"{path}.by_zero_default")
                left, right = await part(ratio.left, ".left"), await part(ratio.right, ".right")
                return evaluation.quotient(left, right, default, path)
            case "geo_distance":
                return self._geo_distance(struct_of(inner, GeoDistanceParams, path), path)
            case "datetime":
                return evaluation.constant(_seconds(inner, path))
            case "datetime_key":
                return self._value(inner, evaluation.seconds_of, _seconds, "date and time", path)
            case _:
                fall = struct_of(inner, DecayParamsExpression, path)
                target = 0.0 if fall.target is None else fall.target
                parts = [await part(fall.x, ".x"), await part(target, ".target")]
                return evaluation.decay(key, parts, *_shape_of(fall, key, path))

    def _geo_distance(self, given: GeoDistanceParams, path: str) -> Evaluate:
        origin = leaf_of(given.origin, GeoPoint, f"{path}.origin")
        to = self._value(given.to, evaluation.place_of, _place, "place", f"{path}.to")
        return evaluation.geo_distance((origin.lon, origin.lat), to)

    def _variable(self, name: str, path: str) -> Evaluate:
        """The score of a prefetch, or a number of the payload."""
        if not name.startswith("$"):
            return self._value(name, evaluation.number_of, _number, "number", path)
        prefetch = _prefetch_of(name, path)
        if prefetch >= self._prefetches:
            raise InvalidArgumentError(
                f"{path}: there is no prefetch {prefetch}, the last is {self._prefetches - 1}"
            )
        return evaluation.score(prefetch, self._default(prefetch, _number) or 0.0)

    def _value(
        self,
        at: object,
        convert: Callable[[object], T | None],
        check: Callable[[object, str], T],
        what: str,
        path: str,
    ) -> Callable[[Candidate], T]:
        """A value of the payload; of the two functions the second is for its default."""
        named = Path.of(at, path)
        self.paths.append(named)
        default = self._default(named.steps, check)
        return evaluation.payload_value(named, convert, default, what, path)

    def _default(self, key: object, check: Callable[[object, str], T]) -> T | None:
        self._used.add(key)
        if key not in self._defaults:
            return None
        name, value = self._defaults[key]
        return check(value, f"{self._path}.{name}")

    def _defaults_of(self, given: object) -> dict[object, tuple[str, object]]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            raise InvalidArgumentError(f"{self._path}: must be a dict, got {shown(given)}")
        defaults: dict[object, tuple[str, object]] = {}
        for name, value in given.items():
            where = f"{self._path}.{name}"
            is_score = isinstance(name, str) and name.startswith("$")
            key = _prefetch_of(name, where) if is_score else Path.of(name, where).steps
            defaults[key] = name, value
        return defaults

    def check_defaults(self) -> None:
        """Raises where a default is for what the formula does not ask for."""
        for key, (name, _) in self._defaults.items():
            if key not in self._used:
                raise InvalidArgumentError(f"{self._path}.{name}: is not in the formula")


def _operation_of(given: object, path: str) -> tuple[str, object]:
    """The key and the value of an operation."""
    for key, kind in _OPERATIONS.items():
        if isinstance(given, kind) or (isinstance(given, Mapping) and key in given):
            return key, getattr(struct_of(given, kind, path), key)
    if isinstance(given, Mapping):
        keys = ", ".join(map(str, given))
        subject = f"the keys {keys} make" if keys else "an empty dict makes"
        raise InvalidArgumentError(
            f"{path}: {subject} no expression, one of {', '.join(_OPERATIONS)} must be there; or, "
            f"for a condition, of {', '.join(CONDITION_KEYS)}"
        )
    raise InvalidArgumentError(
        f"{path}: must be a number, a variable, a condition or an operation, got {shown(given)}"
    )


def _is_condition(given: object) -> bool:
    return isinstance(given, Mapping) and any(key in given for key in CONDITION_KEYS)


def _composed(function: Callable[[float], float], part: Evaluate) -> Evaluate:
    return lambda one: function(part(one))


def _prefetch_of(name: str, path: str) -> int:
    match = _SCORE.fullmatch(name)
    if match is None:
        raise InvalidArgumentError(
            f"{path}: {name!r} is no variable, must be $score, $score[n] or a path of the payload"
        )
    return int(match.group(1) or 0)


def _shape_of(fall: DecayParamsExpression, key: str, path: str) -> tuple[float, float]:
    """The scale and the midpoint of a decay."""
    scale = 1.0 if fall.scale is None else _number(fall.scale, f"{path}.scale")
    if scale <= 0:
        raise OutOfBoundsError((f"{path}.scale", f"value {fall.scale} invalid, must be above 0"))
    midpoint = 0.5 if fall.midpoint is None else _number(fall.midpoint, f"{path}.midpoint")
    check_number(midpoint, Bounds(0, 1), f"{path}.midpoint", integer=False)
    if key != "lin_decay" and midpoint in (0, 1):
        what = f"value {fall.midpoint} invalid, must be above 0 and below 1"
        raise OutOfBoundsError((f"{path}.midpoint", what))
    return scale, midpoint


def _number(given: object, path: str) -> float:
    check_number(given, Bounds(), path, integer=False)
    try:
        return finite(float(cast("float", given)), path)
    except OverflowError as error:
        raise InvalidArgumentError(f"{path}: value {given} is beyond every float") from error


def _place(given: object, path: str) -> evaluation.Place:
    place = leaf_of(given, GeoPoint, path)
    return place.lon, place.lat


def _seconds(given: object, path: str) -> float:
    moment = microseconds(given, path)
    if moment is None:
        raise InvalidArgumentError(f"{path}: must be a date and time, got None")
    return moment / 1_000_000
