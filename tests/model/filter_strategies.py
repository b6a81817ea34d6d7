"""Payloads and filters that have much to do with one another: few keys, few values."""

import uuid
from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import strategies as st

from asyncstore import models as m

UUIDS = [str(uuid.UUID(int=number << 64 | 7)) for number in range(1, 4)]
IDS = [*range(150), 2**63, 2**64 - 1, *(str(uuid.UUID(int=n << 70 | n)) for n in range(1, 49))]
KEYS = ["a", "b", "a.b", "ö"]
COMMON_PATHS = ["a", "b", "a[]", "a.b", "a[].b", '"a.b"', "a[].a"]
PATHS = [
    *("c", "ö", "b.a", "a.b.c", '"a.b".c', "missing", "a.missing"),
    *("a[]", "b[]", "a[0]", "a[1]", "b[0].a", "a[].b", "a[].b.c", "a[].b[]", "a[].b[].c"),
    *("a[][]", "a[][].b", "a[].ö", "b.a[]", "a[99]", "a.b[1]"),
]
NESTED_PATHS = ["a", "b", "a", "c", "a[]", "b[]", "a.b", "a[].b", "a[].b[]", "c", "missing", "a[0]"]

INTEGERS = [-1, 0, 1, 2, 3, 10, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
LARGE = [2**63, -(2**63) - 1, 2**64, 10**20, 10**300, 10**400]
FLOATS = [-1.0, -0.0, 0.5, 1.0, 2.0, 2.5, 2.0**53, 2.0**63, -(2.0**63), 1e20, 1e300, 5e-324]
WORDS = ["", "red", "Red", "blue", "red blue", "x red", "ö", "öl", 'a"b\\c', "null", "1", "🜁"]
DATES = [
    *("2024-02-29", "2023-02-29", "2024-02-29T12:00:00Z", "2024-02-29 12:00", "2024-02-29t12:00z"),
    *("2024-02-29T13:00:00+01:00", "2024-02-29T12:00:00.0000019Z", "2024-02-29T12:00:00.000001"),
    *("2024-02-29 07:00:00.5-05:00", "1969-12-31T23:59:59.999999Z", "0001-01-01", "9999-12-31"),
    *("2024-13-01", "2024-2-9", "2024-02-29T24:00:00Z", "2024-02-29T12:00:60Z", "1709208000"),
    *("20240229T120000Z", "2024-02-29T12", "2024-02-29T12:00 Z", "2024-02-29T12:00+0100"),
]
VALID_DATES = [DATES[0], *DATES[2:12]]

coordinates = st.tuples(
    st.sampled_from([0, 1, 2, 3]) | st.sampled_from([-180, -179, -2, 10, 179, 180]),
    st.sampled_from([0, 1, 2]) | st.sampled_from([-90, -1, 89, 90]),
)
places = coordinates.map(lambda pair: {"lon": pair[0], "lat": pair[1]})
odd_places = st.sampled_from(
    [
        {"lon": 181, "lat": 0},
        {"lon": 0, "lat": -91},
        {"lon": "1", "lat": 2},
        {"lon": True, "lat": 1},
        {"lon": 1},
        {"lat": 1, "lon": 2, "name": "x"},
        {"lat": 1.5, "lon": None},
        [2, 1],
    ]
)
scalars = st.one_of(
    st.sampled_from([None, True, False, 1, 2, "red", "red blue"]),
    st.sampled_from(INTEGERS),
    st.sampled_from([*FLOATS, *LARGE]),
    st.sampled_from(WORDS),
    st.sampled_from([*VALID_DATES[:4], *DATES, *UUIDS]),
)
keys = st.sampled_from(KEYS)
values = st.recursive(
    st.one_of(scalars, scalars, places, odd_places),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
# An array of objects is what nested conditions are about.
rows = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(["a", "b"], scalars | values)), max_size=3
)
payloads = st.fixed_dictionaries(
    {"a": st.one_of(scalars, values, rows, st.lists(scalars, max_size=3))},
    optional={
        "b": scalars | rows,
        "a.b": values,
        "c": rows,
        "ö": st.one_of(places, st.lists(places, max_size=3), scalars),
    },
) | st.dictionaries(keys, values, max_size=2)

# ---- filters ------------------------------------------------------------------------------------

some = st.lists(st.sampled_from(INTEGERS), max_size=6) | st.lists(
    st.sampled_from([*WORDS, *UUIDS, *DATES[:3]]), max_size=8
)
matches = st.one_of(
    st.sampled_from([True, False, *INTEGERS]).map(lambda value: m.MatchValue(value=value)),
    st.sampled_from([*WORDS, *UUIDS, *DATES[:3]]).map(lambda value: m.MatchValue(value=value)),
    some.map(lambda listed: m.MatchAny(any=listed)),
    some.map(lambda listed: m.MatchExcept(except_=listed)),
    st.sampled_from([*WORDS, "ed", "e", "2024"]).map(lambda text: m.MatchText(text=text)),
    st.sampled_from([*WORDS, "ed zz", " ", "ö 2024"]).map(
        lambda text: m.MatchTextAny(text_any=text)
    ),
    st.sampled_from(WORDS).map(lambda text: m.MatchPhrase(phrase=text)),
    st.sampled_from([*WORDS, "2024-02", "r"]).map(lambda text: m.MatchPrefix(prefix=text)),
)


def bounds_of(kind, limits, min_size=0):
    """One to four bounds; now and then those that nothing lies between."""
    names = st.sampled_from(["gt", "gte", "lt", "lte"])
    return st.dictionaries(names, limits, min_size=min_size, max_size=2).map(lambda b: kind(**b))


ranges = bounds_of(m.Range, st.sampled_from([*INTEGERS, *FLOATS, *LARGE[:-1]]))
moments = st.one_of(
    st.sampled_from(VALID_DATES),
    st.sampled_from(
        [
            date(2024, 2, 29),
            datetime(2024, 2, 29, 12),
            datetime(2024, 2, 29, 12, tzinfo=UTC),
            datetime(2024, 2, 29, 7, 0, 0, 1, tzinfo=timezone(timedelta(hours=-5))),
        ]
    ),
)
# Without a bound its JSON would be that of a Range.
datetime_ranges = bounds_of(m.DatetimeRange, moments, min_size=1)
counts = bounds_of(m.ValuesCount, st.sampled_from([0, 1, 2, 3, 2**64]))
geo_points = coordinates.map(lambda pair: m.GeoPoint(lon=pair[0], lat=pair[1]))
boxes = st.builds(m.GeoBoundingBox, top_left=geo_points, bottom_right=geo_points)
# No two places are that far from one another, but for those that are one.
radii = st.sampled_from([0, 1.5, 1e5, 1.2e5, 5e5, 5.1e6, 1.9e7, 2.1e7])
circles = st.builds(m.GeoRadius, center=geo_points, radius=radii)
# Corners so that no edge goes through one of the places.
corners = st.tuples(
    st.sampled_from([-170, -3, 0, 1, 2, 4, 170]), st.sampled_from([-80, -3, 0, 1, 3, 80])
).map(lambda pair: m.GeoPoint(lon=pair[0] + 0.37, lat=pair[1] + 0.21))
rings = st.lists(corners, min_size=3, max_size=6).map(
    lambda points: m.GeoLineString(points=[*points, points[0]])
)
polygons = st.builds(
    m.GeoPolygon, exterior=rings, interiors=st.none() | st.lists(rings, max_size=2)
)
paths = st.sampled_from([*COMMON_PATHS, "a"]) | st.sampled_from([*COMMON_PATHS, *PATHS])
places_paths = st.sampled_from(["ö", "ö", "ö[]", "ö[0]"]) | paths
TESTS = {
    "match": matches,
    "range": ranges | datetime_ranges,
    "geo_bounding_box": boxes,
    "geo_radius": circles,
    "geo_polygon": polygons,
    "values_count": counts,
    "is_empty": st.booleans(),
    "is_null": st.booleans(),
}


def field_conditions(*names):
    tests = st.fixed_dictionaries({name: TESTS[name] for name in names})
    keys = places_paths if names[0].startswith("geo") else paths
    return st.builds(lambda key, asked: m.FieldCondition(key=key, **asked), keys, tests)


def equally(*strategies):
    """One of them, each as often; ``one_of`` would count the choices inside of them."""
    return st.sampled_from(strategies).flatmap(lambda chosen: chosen)


of_payload = equally(
    field_conditions("match"),
    field_conditions("match"),
    field_conditions("match"),
    *(field_conditions(name) for name in TESTS),
    field_conditions("match", "range"),
    field_conditions("geo_radius", "is_null"),
    field_conditions("values_count", "is_empty"),
    paths.map(lambda key: m.IsEmptyCondition(is_empty=m.PayloadField(key=key))),
    paths.map(lambda key: m.IsNullCondition(is_null=m.PayloadField(key=key))),
)
of_points = equally(
    st.lists(st.sampled_from([*IDS, 10**6]), min_size=3, max_size=40).map(
        lambda ids: m.HasIdCondition(has_id=ids)
    ),
    st.sampled_from(["dense", "other", "words"]).map(
        lambda name: m.HasVectorCondition(has_vector=name)
    ),
)


def filters_of(conditions):
    listed = st.lists(conditions, max_size=2)
    clause = st.none() | listed | conditions
    several = st.lists(conditions, min_size=2, max_size=4)
    least = st.builds(m.MinShould, conditions=several, min_count=st.integers(0, 3))
    names = st.sampled_from(["must", "must_not"])
    return equally(
        st.builds(lambda name, one: m.Filter(**{name: one}), names, conditions),
        several.map(lambda conditions: m.Filter(should=conditions)),
        several.map(lambda conditions: m.Filter(must=conditions[0], must_not=conditions[1:])),
        st.builds(m.Filter, must=clause, should=clause, must_not=clause),
        least.map(lambda least: m.Filter(min_should=least)),
        st.builds(m.Filter, must_not=clause, should=clause, min_should=least),
    )


def nested_in(inner):
    """Of conditions on payload alone."""
    return st.builds(
        lambda key, filter: m.NestedCondition(nested=m.Nested(key=key, filter=filter)),
        st.sampled_from(NESTED_PATHS),
        filters_of(inner),
    )


inside = equally(of_payload, of_payload, nested_in(of_payload), filters_of(of_payload))
conditions = equally(
    of_payload, of_payload, of_points, nested_in(inside), filters_of(of_payload | of_points)
)
filters = filters_of(conditions)

# ---- texts, and what is looked for in them ------------------------------------------------------

VOCABULARY = ["red", "Red", "RED", "reddish", "blue", "Blue", "x", "29", "02", "ö", "Öl", "öl"]
VOCABULARY += ["don't", "ΟΔΟΣ", "οδος", "İz", "o\u0308l", "\u0301red", "½", "東京", "C++", "🜁"]
words = st.sampled_from(VOCABULARY)
texts = st.builds(
    lambda parts, between: between.join(parts),
    st.lists(words, max_size=5),
    st.sampled_from([" ", " ", "-", ", ", "\u00a0", "_"]),
)
wanted_texts = st.lists(words | st.sampled_from(["re", "RE", "d", "o", "redd"]), max_size=3).map(
    " ".join
)
text_matches = equally(
    wanted_texts.map(lambda text: m.MatchText(text=text)),
    wanted_texts.map(lambda text: m.MatchTextAny(text_any=text)),
    wanted_texts.map(lambda text: m.MatchPhrase(phrase=text)),
    wanted_texts.map(lambda text: m.MatchPrefix(prefix=text)),
)
text_values = equally(texts, texts, st.lists(texts | scalars, max_size=3), values)
text_rows = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(["a", "b"], text_values)), max_size=3
)
text_payloads = st.fixed_dictionaries(
    {"a": text_values | text_rows}, optional=dict.fromkeys(["b", "c", "a.b"], text_values)
)
of_texts = st.builds(
    lambda key, match, more: m.FieldCondition(key=key, match=match, **more),
    st.sampled_from(["a", "b", "a[]", "a[].b", "a[].a", "c"]),
    text_matches,
    st.just({}) | st.just({}) | st.fixed_dictionaries({"is_null": st.booleans()}),
)
nested_texts = nested_in(equally(of_texts, of_texts, inside))
text_filters = filters_of(equally(of_texts, of_texts, of_texts, nested_texts, conditions))
