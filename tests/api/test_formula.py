"""Scores by formulas of what prefetches found; what is wrong in one is named by its path."""

import math
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
import pytest

from asyncstore import InvalidArgumentError
from asyncstore import models as m
from inside import inside

pytestmark = pytest.mark.asyncio

PAYLOADS = {
    1: {"n": 2, "list": [5], "at": "2024-01-01T00:00:01.5Z", "place": {"lon": 0, "lat": 1}},
    2: {"n": 0.5, "list": [5, 6], "deep": [{"x": 7}], "text": "x", "yes": True, "null": None},
    3: {"n": -4, "list": [], "place": [{"lon": 0, "lat": 0}], "large": 10**400},
    4: {"n": 10},
}


@asynccontextmanager
async def a_line(open_store):
    """Points at 1, 2, 3 and 4 of a line."""
    async with open_store() as store:
        rows = await store.create_collection(
            "line", vectors={"at": m.VectorParams(size=2, distance=m.Distance.EUCLID)}
        )
        await rows.upsert(
            [
                m.PointStruct(id=at, vector={"at": [at, 0]}, payload=payload)
                for at, payload in PAYLOADS.items()
            ]
        )
        yield rows


async def scores(rows, formula, *, defaults=None, prefetch=None, **how):
    found = await rows.query(
        {"formula": formula, "defaults": defaults},
        prefetch=prefetch or {"query": [0, 0], "using": "at", "limit": 3},
        **how,
    )
    return {hit.id: hit.score for hit in found}


@inside(a_line)
async def test_scores_and_their_order(rows):
    assert list((await scores(rows, "$score")).items()) == [(3, 3.0), (2, 2.0), (1, 1.0)]
    assert await scores(rows, {"neg": "$score[0]"}, limit=1, offset=1) == {2: -2.0}
    two = [
        {"query": [0, 0], "using": "at", "limit": 2},
        {"query": [4, 0], "using": "at", "limit": 3},
    ]
    both = {"sum": ["$score", {"mult": [100, "$score[1]"]}]}
    assert await scores(rows, both, prefetch=two) == {1: 1, 2: 202, 3: 100, 4: 0}
    defaults = {"$score": 5, "$score[1]": 7}
    assert await scores(rows, both, prefetch=two, defaults=defaults) == {
        1: 701,
        2: 202,
        3: 105,
        4: 5,
    }
    assert await scores(rows, "$score", score_threshold=2) == {3: 3, 2: 2}
    assert await scores(rows, 0.1) == dict.fromkeys([1, 2, 3], pytest.approx(0.1))


@inside(a_line)
async def test_payload(rows):
    assert await scores(rows, "n") == {1: 2, 2: 0.5, 3: -4}
    await rows.create_payload_index("n", "float")
    assert await scores(rows, "n") == {1: 2, 2: 0.5, 3: -4}
    assert await scores(rows, "deep[0].x", defaults={"deep[0].x": 1}) == {1: 1, 2: 7, 3: 1}
    assert await scores(rows, "deep[].x", defaults={"deep[].x": 1}) == {1: 1, 2: 7, 3: 1}
    assert await scores(rows, '"n"') == {1: 2, 2: 0.5, 3: -4}
    # What is behind a factor of 0 is not looked at, and neither is what divides 0.
    only_one = {"key": "n", "match": {"value": 2}}
    assert await scores(rows, {"mult": [only_one, "list"]}) == {1: 5, 2: 0, 3: 0}
    assert await scores(rows, {"div": {"left": only_one, "right": "list"}}) == {
        1: pytest.approx(0.2),
        2: 0,
        3: 0,
    }


@inside(a_line)
async def test_conditions_are_1_or_0(rows):
    high = m.FieldCondition(key="n", range=m.Range(gte=0))
    assert await scores(rows, high) == {1: 1, 2: 1, 3: 0}
    assert await scores(rows, m.Filter(must_not=high)) == {1: 0, 2: 0, 3: 1}
    assert await scores(rows, {"has_id": [1]}) == {1: 1, 2: 0, 3: 0}
    nested = {"nested": {"key": "deep", "filter": {"must": {"key": "x", "match": {"value": 7}}}}}
    assert await scores(rows, {"sum": [nested, {"is_empty": {"key": "list"}}]}) == {
        1: 0,
        2: 1,
        3: 1,
    }
    assert await scores(rows, m.Filter()) == {1: 1, 2: 1, 3: 1}


@inside(a_line)
async def test_operations(rows):
    for formula, value in [
        ({"mult": [2, 3.5]}, 7),
        ({"mult": []}, 1),
        ({"sum": [1, 2, -4]}, -1),
        ({"sum": []}, 0),
        ({"abs": {"neg": 3}}, 3),
        ({"sqrt": 9}, 3),
        ({"pow": {"base": -2, "exponent": 3}}, -8),
        ({"exp": 1}, math.e),
        ({"ln": {"exp": 3}}, 3),
        ({"log10": 1000}, 3),
        ({"div": {"left": 1, "right": 4}}, 0.25),
        ({"div": {"left": 0, "right": 0}}, 0),
        ({"div": {"left": 1, "right": 0, "by_zero_default": 8}}, 8),
        ({"datetime": "1970-01-01T00:00:02.25Z"}, 2.25),
        ({"datetime": datetime(1970, 1, 2, tzinfo=UTC)}, 86400),
        ({"lin_decay": {"x": 1}}, 0.5),
        ({"lin_decay": {"x": 3}}, 0),
        ({"exp_decay": {"x": 3}}, 0.125),
        ({"gauss_decay": {"x": 2}}, 1 / 16),
        ({"exp_decay": {"x": 5, "target": 1, "scale": 2, "midpoint": 0.1}}, 0.01),
        ({"gauss_decay": {"x": 5, "target": {"neg": -1}, "scale": 4, "midpoint": 0.3}}, 0.3),
        ({"lin_decay": {"x": 5, "target": 1, "scale": 8, "midpoint": 0}}, 0.5),
    ]:
        found = await scores(rows, formula)
        assert found == dict.fromkeys([1, 2, 3], pytest.approx(value, abs=1e-7)), formula


@inside(a_line)
async def test_times_and_places(rows):
    ago = {"sum": [{"datetime_key": "at"}, {"neg": {"datetime": "2024-01-01"}}]}
    assert await scores(rows, ago, defaults={"at": "2024-01-01 00:00:03"}) == {1: 1.5, 2: 3, 3: 3}
    degree = {"geo_distance": {"origin": {"lon": 0, "lat": 0}, "to": "place"}}
    far = await scores(rows, degree, defaults={"place": {"lon": 2, "lat": 0}})
    assert far == {1: pytest.approx(111_195, abs=1), 2: pytest.approx(222_390, abs=1), 3: 0}


@inside(a_line)
async def test_payload_and_vectors_are_not_in_the_reply_unless_asked_for(rows):
    query, prefetch = {"formula": "n"}, {"query": [0, 0], "using": "at", "limit": 1}
    (hit,) = await rows.query(query, prefetch=prefetch)
    assert (hit.payload, hit.vector, hit.version > 0) == (None, None, True)
    (hit,) = await rows.query(query, prefetch=prefetch, with_payload=["list"], with_vectors=True)
    assert (hit.payload, hit.vector) == ({"list": [5]}, {"at": [1.0, 0.0]})


@inside(a_line)
async def test_in_prefetches_and_groups(rows):
    inner = {"query": {"formula": {"neg": "n"}}, "prefetch": NEAR_OF_LINE, "limit": 2}
    assert await scores(rows, "$score", prefetch=inner) == {3: 4, 2: -0.5}
    assert await scores(rows, "$score", prefetch=inner, filter={"must": {"has_id": [2]}}) == {
        2: -0.5
    }
    groups = await rows.query_groups({"formula": "n"}, prefetch=NEAR_OF_LINE, group_by="list")
    assert [(group.id, [hit.id for hit in group.hits]) for group in groups] == [
        (5, [1, 2]),
        (6, [2]),
    ]


NEAR_OF_LINE = {"query": [0, 0], "using": "at", "limit": 3}


@pytest.mark.parametrize(
    ("formula", "defaults", "message"),
    [
        # what is no formula
        (None, None, "query.formula: is missing"),
        (True, None, "query.formula: must be a number, a variable, a condition or an operation"),
        ([1], None, "query.formula: must be a number"),
        ({}, None, "query.formula: an empty dict makes no expression, one of mult"),
        ({"mul": [1]}, None, "keys mul make no expression, one of mult, sum, .* condition, of key"),
        ({"mult": 1}, None, r"query.formula.mult: must be a list of expressions, got 1"),
        ({"mult": [1, {"sum": [None]}]}, None, r"formula.mult\[1\].sum\[0\]: must be a number"),
        ({"neg": 1, "abs": 1}, None, "query.formula: unknown key 'abs'"),
        ({"div": {"left": 1}}, None, "query.formula.div.right: is missing"),
        ({"div": {"left": 1, "right": 1, "by_zero_default": "x"}}, None, "div.by_zero_default"),
        ({"key": "n", "matsch": 1}, None, "query.formula: unknown key 'matsch'"),
        ({"sum": [{"key": "n", "range": {"gt": "x"}}]}, None, r"formula.sum\[0\].range.gt"),
        ({"datetime": "soon"}, None, "formula.datetime: 'soon' is no date and time"),
        ({"datetime": None}, None, "formula.datetime: is missing"),
        ({"datetime_key": 5}, None, "formula.datetime_key"),
        (
            {"geo_distance": {"origin": {"lon": 190, "lat": 0}, "to": "p"}},
            None,
            "origin.lon: value 190",
        ),
        ({"geo_distance": {"origin": {"lon": 0, "lat": 0}}}, None, "geo_distance.to: is missing"),
        (
            {"exp_decay": {"x": 1, "scale": 0}},
            None,
            "exp_decay.scale: value 0 invalid, must be above",
        ),
        ({"exp_decay": {"x": 1, "midpoint": 1}}, None, "exp_decay.midpoint: value 1 invalid"),
        ({"lin_decay": {"x": 1, "midpoint": -0.1}}, None, "lin_decay.midpoint: value -0.1 invalid"),
        ({"lin_decay": {}}, None, "lin_decay.x: is missing"),
        (float("nan"), None, "query.formula: value nan invalid"),
        (float("inf"), None, "query.formula: value inf invalid"),
        ("", None, "query.formula"),
        ("a..b", None, "query.formula"),
        ("$scores", None, r"'\$scores' is no variable, must be \$score, \$score\[n\] or a path"),
        ("$score[x]", None, "is no variable"),
        ("$score[1]", None, "there is no prefetch 1, the last is 0"),
        # defaults
        ("n", [1], "query.defaults: must be a dict"),
        ("n", {"nix": 1}, "query.defaults.nix: is not in the formula"),
        ("n", {"$score": 1}, r"query.defaults.\$score: is not in the formula"),
        ("n", {"n": "x"}, "query.defaults.n: must be a number"),
        ("n", {"a..b": 1}, "query.defaults.a..b"),
        ("$score", {"$score": None}, r"query.defaults.\$score: must be a number"),
        ({"datetime_key": "n"}, {"n": 5}, "query.defaults.n: must be a date and time"),
        # what points lack
        ("nix", None, "query.formula: point 1 has nothing at 'nix', must be one number"),
        ("list", {"list": 1}, "point 2 has 5, 6 at 'list', must be one number"),
        ({"neg": "text"}, {"text": 1}, "query.formula.neg: point 2 has 'x' at 'text'"),
        ("yes", {"yes": 1}, "point 2 has True at 'yes'"),
        ("null", {"null": 1}, "point 2 has None at 'null'"),
        ("large", {"large": 1}, "point 3 has 1000"),
        ({"datetime_key": "n"}, None, "point 1 has 2 at 'n', must be one date and time"),
        ({"geo_distance": {"origin": {"lon": 0, "lat": 0}, "to": "n"}}, None, "must be one place"),
        # what has no number
        ({"div": {"left": 1, "right": 0}}, None, "formula.div: is no finite number of 1.0, 0.0"),
        ({"sqrt": "n"}, None, "formula.sqrt: is no finite number of -4.0, for point 3"),
        ({"ln": 0}, None, "formula.ln: is no finite number of 0.0, for point 1"),
        ({"exp": 1000}, None, "formula.exp: is no finite"),
        (
            {"pow": {"base": -1, "exponent": 0.5}},
            None,
            "formula.pow: is no finite number of -1.0, 0.5",
        ),
        (
            {"mult": [1e30, 1e30]},
            None,
            r"query.formula: is 1\.0*1?e\+60 for point 1, must be a finite float",
        ),
    ],
)
@inside(a_line)
async def test_what_is_wrong_is_named(rows, formula, defaults, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await scores(rows, formula, defaults=defaults)


@inside(a_line)
async def test_formulas_that_are_too_large(rows):
    deep = 1
    for _ in range(100):
        deep = {"neg": deep}
    with pytest.raises(InvalidArgumentError, match="nested too deeply, at most 64 levels"):
        await scores(rows, deep)
    with pytest.raises(InvalidArgumentError, match="more than 1000 expressions"):
        await scores(rows, {"sum": [1] * 1000})
    assert await scores(rows, {"sum": [1] * 999}) == dict.fromkeys([1, 2, 3], 999)


@inside(a_line)
async def test_a_cancelled_query_leaves_nothing_behind(rows):
    with anyio.move_on_after(0):
        await scores(rows, {"sum": ["n", {"has_id": [1]}]})
    assert await scores(rows, {"sum": ["n", {"has_id": [1]}]}) == {1: 3, 2: 0.5, 3: -4}
