"""Groups, orders and facets, by brute force over payloads as dicts.

Written from what they mean alone. `payloads` are those of the points that pass the filter, by id.
"""

from filter_model import flattened, moment_of, number_of, values_at
from filter_strategies import UUIDS


def groups(ranked, payloads, path, limit, size):
    """Keys with the ids of their best points; `ranked` are all ids, best first."""
    found = {}
    for point in ranked:
        for key in dict.fromkeys(filter(is_key, at(payloads[point], path))):
            group = found.setdefault(key, [])
            if len(group) < size:
                group.append(point)
    return list(found.items())[:limit]


def is_key(value):
    return isinstance(value, str) or integer(value) is not None


def order(payloads, path, kind, start=None, *, is_descending=False):
    """All (value, id) in the order of the values; equal ones in any."""
    pairs = {
        (value, point)
        for point, payload in payloads.items()
        for value in of_kind(payload, path, kind)
    }
    start = None if start is None else VALUES[kind](start)
    if start is not None:
        pairs = {one for one in pairs if (one[0] <= start if is_descending else one[0] >= start)}
    return sorted(pairs, key=lambda one: one[0], reverse=is_descending)


def facet(payloads, path, kind, limit):
    """Values and how many points have them, most first, then by value."""
    counts = {}
    for payload in payloads.values():
        for value in set(of_kind(payload, path, kind)):
            counts[value] = counts.get(value, 0) + 1
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:limit]


def of_kind(payload, path, kind):
    """The values there that an index of this kind holds."""
    values = map(VALUES[kind], at(payload, path))
    return [value for value in values if value is not None]


def at(payload, path):
    return flattened(values_at(payload, path))


def integer(value):
    is_one = isinstance(value, int) and not isinstance(value, bool)
    return value if is_one and -(2**63) <= value < 2**63 else None


def real(value):
    number = number_of(value)
    return None if number is None else float(number) + 0.0  # without the sign of -0.0


def text(value):
    return value if isinstance(value, str) else None


VALUES = {
    "integer": integer,
    "float": real,
    "datetime": lambda value: moment_of(value) if isinstance(value, str) else None,
    "keyword": text,
    "bool": lambda value: value if isinstance(value, bool) else None,
    "uuid": lambda value: value if value in UUIDS else None,
}
ORDERED = ["integer", "float", "datetime"]
COUNTED = ["integer", "keyword", "bool", "uuid"]
