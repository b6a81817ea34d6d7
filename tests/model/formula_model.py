"""What formulas come to, by brute force in float64; and random ones.

Written from what formulas mean alone, with nothing of asyncstore but its models.
"""

import math

import numpy as np

from asyncstore import models as m
from filter_model import (
    EARTH_RADIUS_M,
    Point,
    condition_holds,
    flattened,
    moment_of,
    number_of,
    place_of,
    values_at,
)

DATES = ["2024-02-29", "2023-02-28T12:00:00Z", "2024-02-29T13:00:00.5+01:00"]


class Undefined(Exception):
    """A point lacks a value, or the formula has none for it."""


def scored(query, candidates, lists):
    """The score of each candidate, a ``Point``; ``lists`` have ids with scores, one a prefetch."""
    scores = [dict(one) for one in lists]
    found = {}
    for point in candidates:
        score = value_of(query.formula, point, scores, query.defaults or {})
        with np.errstate(over="ignore"):
            found[point.id] = float(np.float32(score))
        if not math.isfinite(found[point.id]):
            raise Undefined(score)
    return found


def value_of(expression, point, scores, defaults):
    def value(inner):
        return value_of(inner, point, scores, defaults)

    match expression:
        case int() | float():
            return expression
        case str() if expression.startswith("$score"):
            number = int(expression[7:-1] or 0) if expression != "$score" else 0
            return scores[number].get(point.id, defaults.get(expression, 0.0))
        case str():
            return at(point, expression, defaults, number_of)
        case m.MultExpression(mult=factors):
            product = 1.0
            for factor in factors:
                if product != 0:
                    product *= value(factor)
            return product
        case m.SumExpression(sum=terms):
            return math.fsum(value(term) for term in terms)
        case m.NegExpression(neg=inner):
            return -value(inner)
        case m.AbsExpression(abs=inner):
            return abs(value(inner))
        case m.DivExpression(div=div):
            left = value(div.left)
            right = 1.0 if left == 0 else value(div.right)
            if right == 0:
                if div.by_zero_default is None:
                    raise Undefined
                return div.by_zero_default
            return finite(left / right)
        case m.SqrtExpression(sqrt=inner):
            return real(math.sqrt, value(inner))
        case m.PowExpression(pow=power):
            return real(math.pow, value(power.base), value(power.exponent))
        case m.ExpExpression(exp=inner):
            return real(math.exp, value(inner))
        case m.Log10Expression(log10=inner):
            return real(math.log10, value(inner))
        case m.LnExpression(ln=inner):
            return real(math.log, value(inner))
        case m.GeoDistance(geo_distance=given):
            return far(
                (given.origin.lon, given.origin.lat), at(point, given.to, defaults, place_of)
            )
        case m.DatetimeExpression(datetime=text):
            return moment_of(text) / 1e6
        case m.DatetimeKeyExpression(datetime_key=key):
            return at(point, key, defaults, moment_of) / 1e6
        case m.LinDecayExpression(lin_decay=fall):
            return max(0.0, 1 - (1 - midpoint_of(fall)) * distance_of(fall, value))
        case m.ExpDecayExpression(exp_decay=fall):
            return midpoint_of(fall) ** distance_of(fall, value)
        case m.GaussDecayExpression(gauss_decay=fall):
            return midpoint_of(fall) ** distance_of(fall, value) ** 2
    return float(condition_holds(expression, point, (), point.payload, ()))


def at(point, path, defaults, convert):
    """The one value at a path."""
    found = values_at(point.payload, path)
    if not path.endswith("[]"):
        found = flattened(found)
    if not found and path in defaults:
        found = [defaults[path]]
    if len(found) != 1 or (converted := convert(found[0])) is None:
        raise Undefined(path)
    return converted


def midpoint_of(fall):
    return 0.5 if fall.midpoint is None else fall.midpoint


def distance_of(fall, value):
    target = 0 if fall.target is None else value(fall.target)
    return abs(value(fall.x) - target) / (1 if fall.scale is None else fall.scale)


def far(one, other):
    """Meters between two places, by the angle between the vectors to them."""

    def vector(place):
        lon, lat = map(math.radians, place)
        return np.array(
            [math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)]
        )

    a, b = vector(one), vector(other)
    return EARTH_RADIUS_M * math.atan2(np.linalg.norm(np.cross(a, b)), a @ b)


def real(function, *arguments):
    try:
        return finite(function(*arguments))
    except (ValueError, OverflowError) as error:
        raise Undefined from error


def finite(number):
    if not math.isfinite(number):
        raise Undefined(number)
    return number


# ---- random ones --------------------------------------------------------------------------------


def payload(draw):
    """What the formulas below may ask for, each now and then missing or of no use."""
    drawn = {
        "weight": draw.choice([0, 0.5, 1, 2, 7, [3], [1, 2], "x"]),
        "nest": [{"n": draw.choice([-1, 0, 2.5])}],
        "place": {"lon": draw.randint(-180, 180), "lat": draw.randint(-90, 90)},
        "at": draw.choice(DATES),
    }
    return {key: value for key, value in drawn.items() if draw.random() < 0.95}


DEFAULTS = {
    "weight": 1.5,
    "nest[].n": 3,
    "nest[0].n": -2,
    "place": {"lon": 9.99, "lat": 48.4},
    "at": DATES[0],
    "$score": 0.25,
    "$score[1]": -1.0,
}


def query(draw, prefetches):
    """A formula of so many prefetches, with some of the defaults that it needs."""
    formula = expression(draw, prefetches, depth=0)
    named = set(names_in(formula))
    defaults = {name: value for name, value in DEFAULTS.items() if name in named}
    if draw.random() < 0.3:
        defaults = None
    return m.FormulaQuery(formula=formula, defaults=defaults)


def expression(draw, prefetches, depth):
    def inner():
        return expression(draw, prefetches, depth + 1)

    leaves = ["score"] * 4 + ["number", "number", "path", "condition", "place", "at"]
    kinds = leaves if depth > 3 else [*leaves, *OPERATIONS]
    kind = draw.choice(OPERATIONS if depth == 0 else kinds)
    match kind:
        case "score":
            number = draw.randrange(prefetches)
            return "$score" if number == 0 else f"$score[{number}]"
        case "number":
            return draw.choice([0, 1, -2, 0.5, 3.25])
        case "path":
            return draw.choice(["weight", "nest[].n", "nest[0].n"])
        case "condition":
            test = draw.choice([m.MatchValue(value=1), m.MatchExcept(except_=[0, 2])])
            return draw.choice(
                [
                    m.FieldCondition(key="part", match=test),
                    m.Filter(should=[m.FieldCondition(key="part", match=test)]),
                    m.HasIdCondition(has_id=draw.sample(range(300), 150)),
                ]
            )
        case "place":
            origin = m.GeoPoint(lon=draw.randint(-180, 180), lat=draw.randint(-90, 90))
            given = m.GeoDistanceParams(origin=origin, to="place")
            return scaled(m.GeoDistance(geo_distance=given), 1e6)
        case "at":
            then = m.DatetimeExpression(datetime=draw.choice(DATES))
            ago = m.NegExpression(neg=m.DatetimeKeyExpression(datetime_key="at"))
            return scaled(m.SumExpression(sum=[then, ago]), 1e7)
        case "mult":
            return m.MultExpression(mult=[inner() for _ in range(draw.randrange(4))])
        case "sum":
            return m.SumExpression(sum=[inner() for _ in range(draw.randrange(4))])
        case "div":
            default = draw.choice([None, 1.0])
            return m.DivExpression(
                div=m.DivParams(left=inner(), right=inner(), by_zero_default=default)
            )
        case "pow":
            return m.PowExpression(pow=m.PowParams(base=inner(), exponent=draw.choice([2, 0.5])))
        case "sqrt":
            return m.SqrtExpression(sqrt=m.AbsExpression(abs=inner()))
        case "log10" | "ln" as name:
            kind = m.LnExpression if name == "ln" else m.Log10Expression
            positive = m.SumExpression(sum=[m.AbsExpression(abs=inner()), 0.125])
            return kind(**{name: positive})
        case "exp":
            return m.ExpExpression(exp=scaled(inner(), 100))
        case name:
            fall = m.DecayParamsExpression(
                x=inner(),
                target=draw.choice([None, inner()]),
                scale=draw.choice([None, 2.5]),
                midpoint=draw.choice([None, 0.2]),
            )
            return DECAYS[name](**{name: fall})


OPERATIONS = "mult sum sum div pow sqrt log10 ln exp lin_decay exp_decay gauss_decay".split()
DECAYS = {
    "lin_decay": m.LinDecayExpression,
    "exp_decay": m.ExpDecayExpression,
    "gauss_decay": m.GaussDecayExpression,
}


def scaled(inner, by):
    return m.DivExpression(div=m.DivParams(left=inner, right=by))


def names_in(expression):
    """The variables and paths of a formula."""
    if isinstance(expression, str):
        yield expression
    elif isinstance(expression, list):
        for one in expression:
            yield from names_in(one)
    elif isinstance(expression, m.GeoDistance):
        yield expression.geo_distance.to
    elif isinstance(expression, m.DatetimeKeyExpression):
        yield expression.datetime_key
    elif type(expression).__name__.endswith(("Expression", "Params")) and not isinstance(
        expression, m.DatetimeExpression
    ):
        for name in expression.__struct_fields__:
            yield from names_in(getattr(expression, name))


def point_of(one, payload):
    return Point(one, frozenset(), payload)
