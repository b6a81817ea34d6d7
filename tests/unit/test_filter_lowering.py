"""Filters in the core's form, and what is said of wrong ones."""

import math
import uuid
from datetime import UTC, date, datetime, timedelta, timezone

import anyio.lowlevel
import msgspec
import numpy as np
import pytest

from asyncstore import InvalidArgumentError
from asyncstore import models as m
from asyncstore.engine import LongConditions, LongFilter
from asyncstore.filter import long, lower, lower_reading
from asyncstore.filter.long import PARTS_MAX, VALUES_MAX, VALUES_OF_A_PART
from asyncstore.filter.lowering import CONDITIONS_MAX, FILTER_DEPTH_MAX
from asyncstore.pace import Pace
from asyncstore.vectors import SparseField, VectorField

pytestmark = pytest.mark.anyio

FIELDS = {
    "": VectorField("docs", 0, "", 4),
    "image": VectorField("docs", 1, "image", 2),
    "words": SparseField("docs", 2, "words"),
}
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
A_UUID = "550e8400-e29b-41d4-a716-446655440000"
NOON_US = 1709208000_000_000  # 2024-02-29T12:00Z
HERE, CORNER = {"lon": 9.99, "lat": 48.4}, {"lon": 180, "lat": -90}
RING = [{"lon": 0, "lat": 0}, {"lon": 1, "lat": 0}, {"lon": 1, "lat": 1}, {"lon": 0, "lat": 0}]
RING_LOWERED = [(0, 0), (1, 0), (1, 1), (0, 0)]


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def lowered(filter):
    return await lower(filter, FIELDS, Pace())


async def condition(given):
    """A condition that must hold, in the core's form."""
    ((one,), should, must_not, min_should) = await lowered({"must": [given]})
    assert (should, must_not, min_should) == ([], [], None)
    return one


async def field_test(**asked):
    """The only test of a field condition."""
    kind, path, (test,) = await condition({"key": "a.b", **asked})
    assert (kind, path) == ("field", "a.b")
    assert await condition(m.FieldCondition(key="a.b", **asked)) == (kind, path, [test])
    return test


async def sentence_about(given, **arguments):
    with pytest.raises(InvalidArgumentError) as caught:
        await lower(given, FIELDS, Pace(), **arguments)
    return str(caught.value)


# ---- filters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "empty",
    [
        {},
        m.Filter(),
        {"must": None, "should": [], "must_not": (), "min_should": None},
        m.Filter(must=[], should=[], must_not=[]),
    ],
)
async def test_a_filter_without_conditions(empty):
    assert await lowered(empty) == ([], [], [], None)
    assert await lower_reading(empty, FIELDS, Pace()) is None


async def test_no_filter():
    assert await lowered(None) is None
    assert await lower_reading(None, FIELDS, Pace()) is None


async def test_every_clause():
    a, b = (m.IsNullCondition(is_null=m.PayloadField(key=key)) for key in "ab")
    low_a, low_b = (("field", key, [("is_null", True)]) for key in "ab")
    least = m.MinShould(conditions=[a, b], min_count=1)
    given = m.Filter(must=[a], should=[a, b], must_not=[b], min_should=least)
    expected = ([low_a], [low_a, low_b], [low_b], ([low_a, low_b], 1))
    assert await lowered(given) == expected
    assert await lower_reading(given, FIELDS, Pace()) == expected
    assert await lowered(msgspec.json.decode(msgspec.json.encode(given))) == expected


@pytest.mark.parametrize(("given", "reachable"), [(0, 0), (2, 2), (3, 3), (4, 3), (10**30, 3)])
async def test_more_than_all_of_min_should_is_as_unreachable(given, reachable):
    conditions = [{"has_vector": ""}] * 2
    least = {"min_should": {"conditions": conditions, "min_count": given}}
    assert (await lowered(least))[3] == ([("has_vector", 0)] * 2, reachable)


async def test_a_single_condition_stands_for_a_list():
    one, low = m.HasVectorCondition(has_vector=""), [("has_vector", 0)]
    least = m.MinShould(conditions=one, min_count=1)
    for single in (one, {"has_vector": ""}):
        given = m.Filter(must=single, should=single, must_not=single, min_should=least)
        assert await lowered(given) == (low, low, low, (low, 1))


async def test_models_and_dicts_may_be_mixed():
    inner = {"should": [m.HasIdCondition(has_id=[1]), {"has_vector": "image"}]}
    kind, (must, should, must_not, least) = await condition(m.Filter(must_not=[inner]))
    assert (kind, must, should, least) == ("filter", [], [], None)
    ((_, (_, ((_, ids), image), _, _)),) = must_not
    assert (ids.tolist(), image) == ([1], ("has_vector", 1))


# ---- conditions ---------------------------------------------------------------------------------


async def test_conditions_on_a_path():
    null = ("field", "a[].b", [("is_null", True)])
    empty = ("field", "a[].b", [("is_empty", True)])
    assert await condition({"is_null": {"key": "a[].b"}}) == null
    assert await condition({"is_empty": {"key": "a[].b"}}) == empty
    path = m.PayloadField(key="a[].b")
    assert await condition(m.IsNullCondition(is_null=path)) == null
    assert await condition(m.IsEmptyCondition(is_empty=path)) == empty


async def test_has_id():
    kind, ids = await condition({"has_id": [3, 2**64 - 1]})
    assert (kind, ids.dtype, ids.tolist()) == ("has_id", np.uint64, [3, 2**64 - 1])
    _, mixed = await condition(m.HasIdCondition(has_id=[3, A_UUID.upper(), uuid.UUID(A_UUID)]))
    assert mixed == [3, A_UUID, A_UUID]
    array = np.arange(5, dtype=np.uint64)
    _, same = await condition(m.HasIdCondition(has_id=array))
    assert np.shares_memory(same, array)
    _, none = await condition({"has_id": []})
    assert len(none) == 0


async def test_has_vector_and_slice():
    for name, number in (("", 0), ("image", 1), ("words", 2)):
        assert await condition({"has_vector": name}) == ("has_vector", number)
    assert await condition({"slice": {"total": 3, "index": 2}}) == ("slice", 3, 2)
    given = m.SliceCondition(slice=m.Slice(total=np.int64(1), index=0))
    assert await condition(given) == ("slice", 1, 0)


async def test_nested():
    inner = m.Filter(must_not=m.IsNullCondition(is_null=m.PayloadField(key="c")))
    inside = ([], [], [("field", "c", [("is_null", True)])], None)
    expected = ("nested", "a[].b", inside)
    nested = m.NestedCondition(nested=m.Nested(key="a[].b", filter=inner))
    assert await condition(nested) == expected
    assert await condition(msgspec.to_builtins(nested)) == expected
    twice = {"nested": {"key": "x", "filter": {"must": [nested]}}}
    assert await condition(twice) == ("nested", "x", ([expected], [], [], None))


# ---- tests of values ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"value": "x"}, ("any", ["x"])),
        ({"value": INT64_MIN}, ("any", [INT64_MIN])),
        ({"value": np.int32(7)}, ("any", [7])),
        ({"value": True}, ("any", [True])),
        ({"value": np.bool_(False)}, ("any", [False])),
        ({"any": ["x", "y"]}, ("any", ["x", "y"])),
        ({"any": (1, np.int64(2))}, ("any", [1, 2])),
        ({"any": np.arange(3)}, ("any", [0, 1, 2])),
        ({"any": []}, ("any", [])),
        ({"except": [INT64_MAX]}, ("except", [INT64_MAX])),
        ({"except": []}, ("except", [])),
        ({"text": "x y"}, ("text", "x y")),
        ({"text_any": "x y"}, ("text_any", "x y")),
        ({"phrase": ""}, ("phrase", "")),
        ({"prefix": "x"}, ("prefix", "x")),
        (m.MatchValue(value=5), ("any", [5])),
        (m.MatchAny(any=["x"]), ("any", ["x"])),
        (m.MatchExcept(except_=["x"]), ("except", ["x"])),
        (m.MatchText(text="x"), ("text", "x")),
        (m.MatchTextAny(text_any="x"), ("text_any", "x")),
        (m.MatchPhrase(phrase="x"), ("phrase", "x")),
        (m.MatchPrefix(prefix="x"), ("prefix", "x")),
    ],
    ids=str,
)
async def test_matches(given, expected):
    found = await field_test(match=given)
    assert found == expected
    assert repr(found) == repr(expected)  # True is not 1


@pytest.mark.parametrize("count", [1, VALUES_MAX, VALUES_MAX + 1, 2047, 2048, 2049, 10_000])
async def test_many_values(count):
    words = [str(number) for number in range(count)]
    if count <= VALUES_MAX:
        assert (await field_test(match={"any": list(range(count))}))[1] == list(range(count))
        assert (await field_test(match={"except": words}))[1] == words
    else:
        for match in ({"any": list(range(count))}, {"except": words}, {"any": np.arange(count)}):
            given = {"must": {"key": "a", "match": match}}
            assert isinstance(await lowered(given), LongFilter)
    for wrong in (2**63, "x", True):
        given = {"must": {"key": "a", "match": {"any": [*range(count), wrong]}}}
        assert f"filter.must.match.any[{count}]: " in await sentence_about(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"gt": 1, "lte": 2.5}, ("range", 1, None, None, 2.5)),
        ({"gte": INT64_MIN, "lt": INT64_MAX}, ("range", None, INT64_MIN, INT64_MAX, None)),
        ({"gte": np.float32(0.5)}, ("range", None, 0.5, None, None)),
        ({"gt": 2**63}, ("range", 2.0**63, None, None, None)),
        ({"gt": None}, ("range", None, None, None, None)),
        ({}, ("range", None, None, None, None)),
        (m.Range(lt=-0.0), ("range", None, None, -0.0, None)),
        (m.DatetimeRange(), ("datetime_range", None, None, None, None)),
        ({"gt": "2024-02-29T12:00Z"}, ("datetime_range", NOON_US, None, None, None)),
        (
            m.DatetimeRange(gte="2024-02-29T13:00:00+01:00", lt="2024-02-29 12:00:00.000001"),
            ("datetime_range", None, NOON_US, NOON_US + 1, None),
        ),
        (
            {"gt": datetime(2024, 2, 29, 12), "lte": datetime(2024, 2, 29, 12, tzinfo=UTC)},
            ("datetime_range", NOON_US, None, None, NOON_US),
        ),
        (
            m.DatetimeRange(
                lt=datetime(2024, 2, 29, 7, tzinfo=timezone(timedelta(hours=-5))),
                lte=date(2024, 2, 29),
            ),
            ("datetime_range", None, None, NOON_US, NOON_US - 12 * 3600 * 1_000_000),
        ),
        (
            m.DatetimeRange(
                gt=datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), lt=datetime.max
            ),
            (
                "datetime_range",
                -62_135_596_800_000_000 - 14 * 3600 * 1_000_000,
                None,
                253_402_300_799_999_999,
                None,
            ),
        ),
    ],
    ids=str,
)
async def test_ranges(given, expected):
    found = await field_test(range=given)
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"gt": 1, "gte": 2, "lt": 3, "lte": 4}, ("values_count", 1, 2, 3, 4)),
        ({"gte": 2**64}, ("values_count", None, INT64_MAX, None, None)),
        (m.ValuesCount(lt=0), ("values_count", None, None, 0, None)),
        ({}, ("values_count", None, None, None, None)),
    ],
)
async def test_values_counts(given, expected):
    assert await field_test(values_count=given) == expected


async def test_shapes():
    here, corner = m.GeoPoint(lon=9.99, lat=48.4), m.GeoPoint(lon=180, lat=-90)
    for box in (
        {"top_left": HERE, "bottom_right": CORNER},
        m.GeoBoundingBox(top_left=here, bottom_right=CORNER),
        m.GeoBoundingBox(top_left=here, bottom_right=corner),
    ):
        assert await field_test(geo_bounding_box=box) == ("geo_box", 9.99, 48.4, 180, -90)
    for circle in (
        {"center": HERE, "radius": 5},
        m.GeoRadius(center=here, radius=np.float64(5)),
    ):
        assert await field_test(geo_radius=circle) == ("geo_radius", 9.99, 48.4, 5.0)
    ring = m.GeoLineString(points=[m.GeoPoint(**point) for point in RING])
    for polygon, holes in (
        ({"exterior": {"points": RING}}, []),
        ({"exterior": {"points": RING}, "interiors": [{"points": RING}]}, [RING_LOWERED]),
        (m.GeoPolygon(exterior=ring), []),
        (m.GeoPolygon(exterior=ring, interiors=[ring, ring]), [RING_LOWERED] * 2),
    ):
        assert await field_test(geo_polygon=polygon) == ("geo_polygon", RING_LOWERED, holes)


async def test_flags():
    for wanted in (True, False):
        assert await field_test(is_empty=wanted) == ("is_empty", wanted)
        assert await field_test(is_null=np.bool_(wanted)) == ("is_null", wanted)


async def test_several_tests_of_one_field():
    given = m.FieldCondition(
        key="a", match=m.MatchText(text="x"), range=m.Range(gt=1), is_null=False
    )
    tests = [("text", "x"), ("range", 1, None, None, None), ("is_null", False)]
    assert await condition(given) == ("field", "a", tests)


# ---- what is wrong ------------------------------------------------------------------------------


def must(**condition):
    return {"must": [condition]}


def field(**asked):
    return must(key="a", **asked)


WRONG = [
    (5, "filter: must be a Filter or the dict of one, got 5"),
    ([], "filter: must be a Filter or the dict of one, got list"),
    (m.IsNullCondition(is_null=m.PayloadField(key="a")), "filter: must be a Filter"),
    ({"musst": []}, "filter: unknown key 'musst', did you mean must?"),
    ({"x": 1}, "filter: unknown key 'x', known are must, should, must_not, min_should"),
    ({"must": 5}, "filter.must: must be a list of conditions, got 5"),
    ({"should": "abc"}, "filter.should: must be a list of conditions, got 'abc'"),
    ({"must_not": [[]]}, "filter.must_not[0]: must be a condition or a filter, got list"),
    (must(kay="a"), "filter.must[0]: the keys kay make no condition, one of key, is_empty, "),
    (must(has_id=[1], has_vector=""), "filter.must[0]: unknown key 'has_vector'"),
    ({"min_should": {"conditions": []}}, "filter.min_should.min_count: is missing"),
    ({"min_should": {"min_count": 1}}, "filter.min_should.conditions: is missing"),
    ({"min_should": [1]}, "filter.min_should: must be a MinShould or the dict of one, got list"),
    (
        {"min_should": {"conditions": [], "min_count": -1}},
        "filter.min_should.min_count: value -1 invalid, must be 0 or larger",
    ),
    (
        m.Filter(min_should=m.MinShould(conditions=[], min_count=1.5)),
        "filter.min_should.min_count: must be an integer, got 1.5",
    ),
    ({"must": [{}, {"must": {"key": "a"}}]}, "filter.must[1].must: At least one field condition"),
    (field(), "filter.must[0]: At least one field condition must be specified"),
    (field(match=None, range=None), "filter.must[0]: At least one field condition must be"),
    (field(rage={}), "filter.must[0]: unknown key 'rage', did you mean range?"),
    (must(key="a..b", is_null=True), "filter.must[0].key: "),
    (must(key=5, is_null=True), "filter.must[0].key: "),
    (must(is_null={"key": ""}), "filter.must[0].is_null.key: "),
    (must(is_empty="a"), "filter.must[0].is_empty: must be a PayloadField or the dict of one"),
    (must(nested={"key": "a"}), "filter.must[0].nested.filter: is missing"),
    (must(nested={"key": "..", "filter": {}}), "filter.must[0].nested.key: "),
    *(
        (
            must(nested={"key": "a", "filter": {"should": {"must_not": given}}}),
            f"filter.must[0].nested.filter.should.must_not.{name}: is about points, inside of",
        )
        for name, given in {
            "has_id": {"has_id": [1]},
            "has_vector": m.HasVectorCondition(has_vector=""),
            "slice": {"slice": {"total": 1, "index": 0}},
        }.items()
    ),
    (must(has_id=5), "filter.must[0].has_id: must be a sequence of point ids or an array, got int"),
    (must(has_id="5"), "filter.must[0].has_id: must be a sequence of point ids"),
    (must(has_id=[1, -1]), "filter.must[0].has_id[1]: value -1 invalid, must be from 0 to"),
    (must(has_id=np.array([1, -1])), "filter.must[0].has_id[1]: value -1 invalid"),
    (must(has_id=np.zeros((1, 1), np.uint64)), "filter.must[0].has_id: must have the shape (n,)"),
    (must(has_id=["x"]), 'filter.must[0].has_id[0]: Can not recognize "x" as point id'),
    (must(has_vector="x"), "filter.must[0].has_vector: Not existing vector name error: x"),
    (must(has_vector=None), "filter.must[0].has_vector: "),
    (must(slice={"total": 0, "index": 0}), "filter.must[0].slice.total: value 0 invalid"),
    (must(slice={"total": 2, "index": 2}), "filter.must[0].slice.index: value 2 invalid, must be "),
    (must(slice={"total": 2, "index": -1}), "filter.must[0].slice.index: value -1 invalid"),
    (must(slice={"total": "2", "index": 0}), "filter.must[0].slice.total: expected `int`"),
    (must(slice={"total": 2}), "filter.must[0].slice.index: is missing"),
    (field(match=5), "filter.must[0].match: must be one of the matches, got 5"),
    (field(match={}), "filter.must[0].match: must have exactly one of the keys value, any, "),
    (field(match={"value": 1, "any": []}), "filter.must[0].match: must have exactly one of the"),
    (field(match={"valu": 1}), "filter.must[0].match: must have exactly one of the keys"),
    (field(match={"value": None}), "filter.must[0].match.value: is missing"),
    (field(match={"value": 1.0}), "filter.must[0].match.value: must be a string, an integer or"),
    (field(match={"value": [1]}), "filter.must[0].match.value: must be a string, an integer or"),
    (field(match={"value": 2**63}), "filter.must[0].match.value: value 9223372036854775808 inv"),
    (
        field(match={"value": "\ud800"}),
        "filter.must[0].match.value: '\\ud800' is not valid Unicode",
    ),
    (
        field(match={"any": "x"}),
        "filter.must[0].match.any: must be a list of strings or of integers",
    ),
    (field(match={"any": ["x", 1]}), "filter.must[0].match.any[1]: must be a string like those"),
    (field(match={"any": [1, "x"]}), "filter.must[0].match.any[1]: must be an integer like those"),
    (field(match={"any": [1, True]}), "filter.must[0].match.any[1]: must be an integer like"),
    (field(match={"except": [None]}), "filter.must[0].match.except[0]: must be an integer or a"),
    (field(match={"except": [1.0]}), "filter.must[0].match.except[0]: must be an integer or a"),
    (field(match={"except": [-(2**63) - 1]}), "filter.must[0].match.except[0]: value -92233720"),
    (field(match={"text": 5}), "filter.must[0].match.text: must be text, got 5"),
    (field(match=m.MatchPrefix(prefix=None)), "filter.must[0].match.prefix: must be text, got Non"),
    (field(range=5), "filter.must[0].range: must be a Range, a DatetimeRange or the dict of one"),
    (field(range={"gt": math.nan}), "filter.must[0].range.gt: value nan invalid, must be a number"),
    (field(range={"lt": -math.inf}), "filter.must[0].range.lt: value -inf invalid, must be finite"),
    (field(range={"gt": 10**400}), "filter.must[0].range.gt: value 1000"),
    (field(range={"gt": True}), "filter.must[0].range.gt: expected `int | float | null`, got `boo"),
    (field(range=m.Range(lt="5")), "filter.must[0].range.lt: expected `int | float | null`"),
    (field(range={"above": 5}), "filter.must[0].range: unknown key 'above', known are gt, gte,"),
    (field(range={"gt": "1709208000"}), "filter.must[0].range.gt: '1709208000' is no date and"),
    (field(range={"gte": "2024-01-01", "lt": 5}), "filter.must[0].range.lt: must be a date and"),
    (field(range=m.DatetimeRange(lt=5)), "filter.must[0].range.lt: must be a date and time, got 5"),
    (field(range={"gt": "2024-01-01\ud800"}), "filter.must[0].range.gt: "),
    (field(values_count={"gt": -1}), "filter.must[0].values_count.gt: value -1 invalid, must be 0"),
    (field(values_count={"gt": 1.5}), "filter.must[0].values_count.gt: expected `int"),
    (field(values_count={"gt": 1, "x": 2}), "filter.must[0].values_count: unknown key 'x'"),
    (field(is_empty=1), "filter.must[0].is_empty: must be a boolean, got 1"),
    (field(is_null="true"), "filter.must[0].is_null: must be a boolean, got 'true'"),
    (
        field(geo_bounding_box={"top_left": HERE}),
        "filter.must[0].geo_bounding_box.bottom_right: is missing",
    ),
    (
        field(geo_bounding_box={"top_left": HERE, "bottom_right": {"lon": 0, "lat": -90.5}}),
        "filter.must[0].geo_bounding_box.bottom_right.lat: value -90.5 invalid, must be from -90",
    ),
    (
        field(geo_bounding_box={"top_left": {"lon": "0", "lat": 0}, "bottom_right": HERE}),
        "filter.must[0].geo_bounding_box.top_left.lon: expected `float`, got `str`",
    ),
    (
        field(geo_radius={"center": {"lon": 180.1, "lat": 0}, "radius": 1}),
        "filter.must[0].geo_radius.center.lon: value 180.1 invalid, must be from -180 to 180",
    ),
    (
        field(geo_radius={"center": {"lon": math.nan, "lat": 0}, "radius": 1}),
        "filter.must[0].geo_radius.center.lon: value nan invalid",
    ),
    (
        field(geo_radius={"center": HERE, "radius": -1}),
        "filter.must[0].geo_radius.radius: value -1.0 invalid, must be 0 or larger",
    ),
    (
        field(geo_radius={"center": HERE, "radius": math.inf}),
        "filter.must[0].geo_radius.radius: value inf invalid, must be finite",
    ),
    (
        field(geo_radius={"center": {**HERE, "height": 1}, "radius": 1}),
        "filter.must[0].geo_radius.center: unknown key 'height', known are lon, lat",
    ),
    (
        field(geo_polygon={"exterior": {"points": RING[:3]}}),
        "filter.must[0].geo_polygon.exterior.points: a ring has at least 4 points, got 3",
    ),
    (
        field(geo_polygon={"exterior": {"points": [*RING[:3], HERE]}}),
        "filter.must[0].geo_polygon.exterior.points: the last point of a ring must be its first",
    ),
    (
        field(geo_polygon={"exterior": {"points": RING}, "interiors": [{"points": []}]}),
        "filter.must[0].geo_polygon.interiors[0].points: a ring has at least 4 points, got 0",
    ),
    (
        field(geo_polygon={"exterior": {"points": [*RING[:2], {"lon": 0, "lat": 91}, RING[0]]}}),
        "filter.must[0].geo_polygon.exterior.points[2].lat: value 91.0 invalid",
    ),
    (field(geo_polygon={"exterior": RING}), "filter.must[0].geo_polygon.exterior: must be a Geo"),
]


@pytest.mark.parametrize(("given", "sentence"), WRONG, ids=[str(n) for n in range(len(WRONG))])
async def test_what_is_wrong_is_named(given, sentence):
    assert (await sentence_about(given)).startswith(sentence)


async def test_a_filter_of_another_name():
    sentence = await sentence_about(field(), path="update_filter")
    assert sentence.startswith("update_filter.must[0]: ")


@pytest.mark.parametrize("is_nested", [True, False])
async def test_filters_may_be_nested_so_deep(is_nested):
    def deep(levels):
        filter = {}
        for _ in range(levels - 1):
            inside = {"nested": {"key": "a", "filter": filter}} if is_nested else filter
            filter = {"must": [inside]}
        return filter

    assert await lowered(deep(FILTER_DEPTH_MAX))
    for levels in (FILTER_DEPTH_MAX + 1, 5000):
        assert "nested too deeply, at most 32 levels" in await sentence_about(deep(levels))


@pytest.mark.parametrize("levels", [1, 2, 20])
async def test_the_core_takes_conditions_over_in_slices(levels, monkeypatch):
    """However they are nested, and however many values each has."""
    slices = []

    def parts(one):
        kind, *_, last = one
        if kind == "field":
            return 1 + sum(len(values) // VALUES_OF_A_PART for _, values in last)
        few = [clause for clause in last[:3] if type(clause) is list]
        return 1 + sum(parts(inner) for clause in few for inner in clause)

    class Recorded(LongConditions):
        def extend(self, conditions):
            slices.append(sum(map(parts, conditions)))
            super().extend(conditions)

    monkeypatch.setattr(long, "LongConditions", Recorded)
    condition = {"key": "a", "match": {"any": list(range(10))}}
    filter = {"should": [condition] * 1000}
    for _ in range(levels - 1):
        filter = {"must": [condition, filter, *[{"should": [condition] * 20}] * 10]}
    assert isinstance(await lowered(filter), LongFilter)
    assert sum(slices) >= 3000
    assert max(slices) <= 3 * PARTS_MAX


async def test_so_many_conditions_and_others_get_their_turns():
    turns, done = 0, False

    async def count():
        nonlocal turns
        while not done:
            turns += 1
            await anyio.lowlevel.checkpoint()

    half = [m.HasVectorCondition(has_vector="")] * (CONDITIONS_MAX // 2)
    async with anyio.create_task_group() as group:
        group.start_soon(count)
        assert isinstance(await lowered({"must": half, "should": half}), LongFilter)
        done = True
    assert turns > 10
    sentence = await sentence_about({"must": half, "should": half, "must_not": half})
    assert sentence == "filter.must_not[0]: the filter has more than 65536 conditions"
