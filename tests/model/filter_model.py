"""Which points pass a filter, by brute force over payloads as dicts.

Written from what filters mean alone, with nothing of asyncstore but its models. A point is its id,
the names of its vectors, and its payload. Slices are not here: which point is in which is the
store's own business.
"""

import functools
import itertools
import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import msgspec

from asyncstore import models as m

EARTH_RADIUS_M = 6_371_008.8
STEP = re.compile(r'\.?(?:"([^"]*)"|([^."\[\]]+))|\[(\d*)\]')
DATETIME = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:([Zz])|([+-])(\d\d):(\d\d))?)?",
    re.ASCII,
)


@dataclass(frozen=True, eq=False)
class Point:
    id: int | str
    vectors: frozenset
    payload: dict


def passes(filter, point, texts=(), root=None, place=()):
    """Whether the point passes; paths begin at ``root``, an element, or at the payload.

    Fields with an index of text are among ``texts``, pairs of their path and its TextRules; the
    steps to ``root`` are ``place``.
    """
    root = point.payload if root is None else root

    def holds(condition):
        return condition_holds(condition, point, texts, root, place)

    if not all(map(holds, conditions_of(filter.must))):
        return False
    if any(map(holds, conditions_of(filter.must_not))):
        return False
    should = conditions_of(filter.should)
    if should and not any(map(holds, should)):
        return False
    least = filter.min_should
    return least is None or sum(map(holds, conditions_of(least.conditions))) >= least.min_count


def conditions_of(clause):
    if clause is None:
        return []
    return list(clause) if isinstance(clause, list | tuple) else [clause]


def parts(filter):
    """Each condition in a filter, also in those inside of it, but not in a nested one."""
    least = filter.min_should
    clauses = [filter.must, filter.should, filter.must_not, least and least.conditions]
    for condition in itertools.chain.from_iterable(map(conditions_of, clauses)):
        yield condition
        if isinstance(condition, m.Filter):
            yield from parts(condition)


def condition_holds(condition, point, texts, root, place):
    match condition:
        case m.Filter():
            return passes(condition, point, texts, root, place)
        case m.HasIdCondition(has_id=ids):
            return any(point.id == (one if isinstance(one, int) else str(one)) for one in ids)
        case m.HasVectorCondition(has_vector=name):
            return name in point.vectors
        case m.IsEmptyCondition(is_empty=field):
            return is_empty(values_at(root, field.key))
        case m.IsNullCondition(is_null=field):
            return is_null(values_at(root, field.key))
        case m.NestedCondition(nested=nested):
            elements = flattened(values_at(root, nested.key))
            steps = (*place, *steps_of(nested.key))
            inside = steps if steps[-1][1] is not None else (*steps, (None, ""))
            return any(
                passes(nested.filter, point, texts, element, inside)
                for element in elements
                if isinstance(element, dict)
            )
        case m.FieldCondition():
            steps = [*place, *steps_of(condition.key)]
            rules = [rules for path, rules in texts if steps_of(path) == steps]
            return field_holds(condition, values_at(root, condition.key), *rules)
    raise NotImplementedError(condition)


def field_holds(condition, found, rules=None):
    tests = []
    if rules and isinstance(condition.match, m.MatchText | m.MatchTextAny | m.MatchPhrase):
        strings = [value for value in flattened(found) if isinstance(value, str)]
        tests.append(rules.holds(condition.match, strings))
        condition = msgspec.structs.replace(condition, match=None)
    for name, test in (
        ("match", match_holds),
        ("range", range_holds),
        ("geo_bounding_box", box_holds),
        ("geo_radius", radius_holds),
        ("geo_polygon", polygon_holds),
    ):
        asked = getattr(condition, name)
        if asked is not None:
            tests.append(any(test(asked, value) for value in flattened(found)))
    if condition.values_count is not None:
        counts = [count_of(value) for value in found] or [0]
        tests.append(any(within(condition.values_count, count) for count in counts))
    if condition.is_empty is not None:
        tests.append(is_empty(found) == condition.is_empty)
    if condition.is_null is not None:
        tests.append(is_null(found) == condition.is_null)
    return any(tests)


# ---- values at a path ---------------------------------------------------------------------------


def values_at(root, path):
    found = [root]
    for key, index in steps_of(path):
        if index is None:
            found = [value[key] for value in found if isinstance(value, dict) and key in value]
        else:
            lists = [value for value in found if isinstance(value, list)]
            found = [
                element
                for value in lists
                for number, element in enumerate(value)
                if index in ("", str(number))
            ]
    return found


@functools.cache
def steps_of(path):
    """Keys, and indexes of arrays, "" for all; the other one is None."""
    steps, position = [], 0
    while position < len(path):
        step = STEP.match(path, position)
        position = step.end()
        quoted, bare, index = step.groups()
        steps.append((bare if quoted is None else quoted, index))
    return steps


def flattened(found):
    return [
        element for value in found for element in (value if isinstance(value, list) else [value])
    ]


def is_empty(found):
    return all(value is None or value == [] for value in found)


def is_null(found):
    return any(value is None for value in found)


def count_of(value):
    if isinstance(value, list):
        return len(value)
    return 0 if value is None else 1


# ---- one value ----------------------------------------------------------------------------------


def match_holds(match, value):
    match match:
        case m.MatchValue(value=wanted):
            return is_same(value, wanted)
        case m.MatchAny(any=wanted):
            return any(is_same(value, one) for one in wanted)
        case m.MatchExcept(except_=unwanted):
            return value is not None and not any(is_same(value, one) for one in unwanted)
    if not isinstance(value, str):
        return False
    match match:
        case m.MatchText(text=text) | m.MatchPhrase(phrase=text):
            return text in value
        case m.MatchTextAny(text_any=text):
            return any(word in value for word in text.split())
        case m.MatchPrefix(prefix=text):
            return value.startswith(text)
    raise NotImplementedError(match)


def is_same(value, wanted):
    return type(value) is type(wanted) and value == wanted


def range_holds(bounds, value):
    if isinstance(bounds, m.Range):
        number = number_of(value)
        limits = {name: number_of(getattr(bounds, name)) for name in bounds.__struct_fields__}
        return number is not None and within(m.Range(**limits), number)
    moment = moment_of(value) if isinstance(value, str) else None
    if moment is None:
        return False
    return within(
        m.Range(
            **{
                name: moment_of(getattr(bounds, name))
                for name in bounds.__struct_fields__
                if getattr(bounds, name) is not None
            }
        ),
        moment,
    )


def number_of(value):
    """Integers beyond 64 bits are the nearest float; beyond that nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        try:
            return float(value)
        except OverflowError:
            return None
    return value


def within(bounds, value):
    return (
        (bounds.gt is None or value > bounds.gt)
        and (bounds.gte is None or value >= bounds.gte)
        and (bounds.lt is None or value < bounds.lt)
        and (bounds.lte is None or value <= bounds.lte)
    )


def moment_of(value):
    """Microseconds from 1970 in UTC; None for what is no point in time."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if isinstance(value, date):
        value = value.isoformat()
    parts = DATETIME.fullmatch(value)
    if parts is None:
        return None
    day, time, second, fraction, _, sign, hours, minutes = parts.groups()
    if hours is not None and (int(hours) > 23 or int(minutes) > 59):
        return None
    try:
        whole = datetime.strptime(
            f"{day} {time or '00:00'}:{second or '00'} +0000", "%Y-%m-%d %H:%M:%S %z"
        )
    except ValueError:
        return None
    moment = moment_of(whole) + int((fraction or "0")[:6].ljust(6, "0"))
    if sign is None:
        return moment
    offset = (int(hours) * 60 + int(minutes)) * 60_000_000
    return moment - offset if sign == "+" else moment + offset


# ---- places -------------------------------------------------------------------------------------


def place_of(value):
    """Longitude and latitude of an object that is a place on earth."""
    if not isinstance(value, dict):
        return None
    lon, lat = (number_of(value.get(name)) for name in ("lon", "lat"))
    if lon is None or lat is None or not (-180 <= lon <= 180 and -90 <= lat <= 90):
        return None
    return lon, lat


def box_holds(box, value):
    place = place_of(value)
    if place is None or not box.bottom_right.lat <= place[1] <= box.top_left.lat:
        return False
    west, east = box.top_left.lon, box.bottom_right.lon
    if west <= east:
        return west <= place[0] <= east
    return place[0] >= west or place[0] <= east


def radius_holds(circle, value):
    place = place_of(value)
    if place is None:
        return False
    lon, lat, center_lon, center_lat = map(
        math.radians, (*place, circle.center.lon, circle.center.lat)
    )
    haversine = (
        math.sin((lat - center_lat) / 2) ** 2
        + math.cos(lat) * math.cos(center_lat) * math.sin((lon - center_lon) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * math.asin(min(1, math.sqrt(haversine))) <= circle.radius


def polygon_holds(polygon, value):
    place = place_of(value)
    if place is None or not is_in_ring(polygon.exterior, place):
        return False
    return not any(is_in_ring(hole, place) for hole in polygon.interiors or ())


def is_in_ring(ring, place):
    """Whether a ray to the north meets an odd number of edges; not for places on an edge."""
    lon, lat = place
    crossed = 0
    corners = [(point.lon, point.lat) for point in ring.points]
    for (lon1, lat1), (lon2, lat2) in pairwise(corners):
        if min(lon1, lon2) <= lon < max(lon1, lon2):
            share = (lon - lon1) / (lon2 - lon1)
            crossed += lat1 + share * (lat2 - lat1) > lat
    return crossed % 2 == 1
