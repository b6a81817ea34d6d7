"""Scores by a formula: of scores that prefetches gave, of payload, and of conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from datetime import datetime as _datetime
from typing import Annotated, TypeAlias

import msgspec

from asyncstore.bounds import Bounds
from asyncstore.models.filters import Condition
from asyncstore.models.geo import GeoPoint


class GeoDistanceParams(msgspec.Struct, frozen=True, kw_only=True):
    """Two places.

    Attributes:
        origin: One of them.
        to: The JSON path of the other one.
    """

    origin: GeoPoint
    to: str


class GeoDistance(msgspec.Struct, frozen=True, kw_only=True):
    """Meters over the sphere between two places."""

    geo_distance: GeoDistanceParams


class DatetimeExpression(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from 1970 in UTC to a date and time."""

    datetime: _datetime | date | str


class DatetimeKeyExpression(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from 1970 in UTC to the date and time that a JSON path names."""

    datetime_key: str


class MultExpression(msgspec.Struct, frozen=True, kw_only=True):
    """A product. What stands behind a factor of 0 is not looked at."""

    mult: Sequence[Expression]


class SumExpression(msgspec.Struct, frozen=True, kw_only=True):
    """A sum."""

    sum: Sequence[Expression]


class NegExpression(msgspec.Struct, frozen=True, kw_only=True):
    """The same with the other sign."""

    neg: Expression


class AbsExpression(msgspec.Struct, frozen=True, kw_only=True):
    """The same without a sign."""

    abs: Expression


class DivParams(msgspec.Struct, frozen=True, kw_only=True):
    """A numerator and a denominator.

    Attributes:
        left: The numerator; where it is 0, so is the quotient.
        right: The denominator.
        by_zero_default: The quotient where the denominator is 0; None: that is an error.
    """

    left: Expression
    right: Expression
    by_zero_default: float | None = None


class DivExpression(msgspec.Struct, frozen=True, kw_only=True):
    """A quotient."""

    div: DivParams


class SqrtExpression(msgspec.Struct, frozen=True, kw_only=True):
    """The square root."""

    sqrt: Expression


class PowParams(msgspec.Struct, frozen=True, kw_only=True):
    """What is raised to which power."""

    base: Expression
    exponent: Expression


class PowExpression(msgspec.Struct, frozen=True, kw_only=True):
    """A power."""

    pow: PowParams


class ExpExpression(msgspec.Struct, frozen=True, kw_only=True):
    """A power of e."""

    exp: Expression


class Log10Expression(msgspec.Struct, frozen=True, kw_only=True):
    """The logarithm to the base of 10."""

    log10: Expression


class LnExpression(msgspec.Struct, frozen=True, kw_only=True):
    """The logarithm to the base of e."""

    ln: Expression


class DecayParamsExpression(msgspec.Struct, frozen=True, kw_only=True):
    """How something becomes less with the distance between a value and a target.

    Attributes:
        x: The value.
        target: Where the decay is 1; None means 0.
        scale: At this distance the decay is ``midpoint``; above 0, None means 1.
        midpoint: Between 0 and 1; None means 0.5.
    """

    x: Expression
    target: Expression | None = None
    scale: Annotated[float, Bounds()] | None = None
    midpoint: Annotated[float, Bounds(0, 1)] | None = None


class LinDecayExpression(msgspec.Struct, frozen=True, kw_only=True):
    """From 1 at the target in a straight line down to 0."""

    lin_decay: DecayParamsExpression


class ExpDecayExpression(msgspec.Struct, frozen=True, kw_only=True):
    """From 1 at the target, at first quickly and then ever more slowly, towards 0."""

    exp_decay: DecayParamsExpression


class GaussDecayExpression(msgspec.Struct, frozen=True, kw_only=True):
    """From 1 at the target, at first slowly, along a bell towards 0."""

    gauss_decay: DecayParamsExpression


# A number; "$score" or "$score[n]", the score of the first or the nth prefetch, from 0 on; the JSON
# path of a number; a condition, 1 where it holds and 0 where it does not; or an operation. Each may
# be the dict that it is in JSON.
Expression: TypeAlias = (
    float
    | str
    | Condition
    | GeoDistance
    | DatetimeExpression
    | DatetimeKeyExpression
    | MultExpression
    | SumExpression
    | NegExpression
    | AbsExpression
    | DivExpression
    | SqrtExpression
    | PowExpression
    | ExpExpression
    | Log10Expression
    | LnExpression
    | LinDecayExpression
    | ExpDecayExpression
    | GaussDecayExpression
    | Mapping[str, object]
)


class FormulaQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What prefetches found, with the score that a formula gives, the greatest first.

    Attributes:
        formula: The formula.
        defaults: For a point that lacks what the formula names: values by the names there. Without
            one a missing score is 0, and a missing value of payload an error.

    Example:
        >>> recent = ExpDecayExpression(
        ...     exp_decay=DecayParamsExpression(
        ...         x=DatetimeKeyExpression(datetime_key="changed"),
        ...         target=DatetimeExpression(datetime="2026-01-01"),
        ...         scale=30 * 86400,
        ...     )
        ... )
        >>> query = FormulaQuery(
        ...     formula=SumExpression(sum=["$score", recent]), defaults={"changed": "1970-01-01"}
        ... )
    """

    formula: Expression
    defaults: Mapping[str, object] | None = None
