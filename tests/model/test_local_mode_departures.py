"""Where the official client's local mode answers in another way than the interface asks for.

Each is a line of one of two tables, and is checked to be a departure still: what the interface says
is what the store does. Local mode is that of version 1.18.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import msgspec
import pytest
from qdrant_client import models as qm

import asyncstore
from asyncstore import models as m
from local_mode import LocalMode, peer
from local_mode_data import UUIDS


@dataclass(frozen=True)
class Judged:
    """A payload, and a condition that it passes here and not there, or the other way round."""

    why: str
    payload: dict
    condition: dict
    here: bool
    there: bool | type[Exception] = None

    def __str__(self):
        return self.why


def field(key, **test):
    return {"key": key, **test}


IN_BOX = {"top_left": {"lon": 1, "lat": 3}, "bottom_right": {"lon": 3, "lat": 1}}
SQUARE = [{"lon": lon, "lat": lat} for lon, lat in [(0, 0), (0, 2), (2, 2), (2, 0), (0, 0)]]
JUDGED = [
    # What is asked.
    Judged(
        "of several tests in one condition one must hold; there all but the first are left out",
        {"a": 1},
        field("a", match={"value": 2}, range={"gte": 1}),
        True,
    ),
    Judged(
        "is_empty as a test of a field is left out there",
        {"a": []},
        field("a", is_empty=True),
        True,
    ),
    Judged(
        "is_null as a test of a field is left out there",
        {"a": None},
        field("a", is_null=True),
        True,
    ),
    Judged("an empty should is no clause; there nothing passes it", {"a": 1}, {"should": []}, True),
    Judged(
        "phrases are unknown there",
        {"a": "x y"},
        field("a", match={"phrase": "x y"}),
        True,
        ValueError,
    ),
    # Values at a path.
    Judged(
        "in place of an array stand its elements, also of one that a path with [] names",
        {"a": [[1], 2]},
        field("a[]", match={"value": 1}),
        True,
    ),
    Judged(
        "also of one that a path with an index names",
        {"a": [[1], 2]},
        field("a[0]", match={"value": 1}),
        True,
    ),
    # Types.
    Judged("true is not 1", {"a": True}, field("a", match={"value": 1}), False),
    Judged("1.0 is not the integer 1", {"a": 1.0}, field("a", match={"value": 1}), False),
    Judged("1 is not true", {"a": 1}, field("a", match={"value": True}), False),
    Judged(
        "1.0 is not the integer 1 in a list either",
        {"a": 1.0},
        field("a", match={"any": [1]}),
        False,
    ),
    Judged(
        "except: true is another value than 1", {"a": True}, field("a", match={"except": [1]}), True
    ),
    Judged("true lies in no range of numbers", {"a": True}, field("a", range={"gte": 0}), False),
    Judged("except never holds of null", {"a": None}, field("a", match={"except": ["x"]}), False),
    Judged("a number holds no text", {"a": 1}, field("a", match={"text": "1"}), False, TypeError),
    Judged("an object holds no text", {"a": {"x": 1}}, field("a", match={"text": "x"}), False),
    # Counts.
    Judged("of a missing field there are 0 values", {}, field("a", values_count={"lt": 1}), True),
    Judged(
        "of several values at a path one must have a count within all bounds",
        {"a": [{"b": []}, {"b": [1, 2]}]},
        field("a[].b", values_count={"gte": 1, "lt": 2}),
        False,
    ),
    # Times.
    Judged(
        "seconds may be left out behind a T",
        {"a": "2024-02-29T12:00Z"},
        field("a", range={"gte": "2024-01-01T00:00:00Z"}),
        True,
    ),
    Judged(
        "a t may stand for the T",
        {"a": "2024-02-29t12:00:00z"},
        field("a", range={"gte": "2024-01-01T00:00:00Z"}),
        True,
    ),
    Judged(
        "more than six digits of a second are cut",
        {"a": "2024-02-29T12:00:00.0000019Z"},
        field("a", range={"gte": "2024-01-01T00:00:00Z"}),
        True,
    ),
    Judged(
        "a zone has minutes",
        {"a": "2024-02-29 12:00:00+01"},
        field("a", range={"gte": "2024-01-01T00:00:00Z"}),
        False,
    ),
    # Places.
    Judged(
        "edges of a box are within",
        {"a": {"lon": 1, "lat": 2}},
        field("a", geo_bounding_box=IN_BOX),
        True,
    ),
    Judged(
        "what is as far as the radius is within",
        {"a": {"lon": 1, "lat": 2}},
        field("a", geo_radius={"center": {"lon": 1, "lat": 2}, "radius": 0}),
        True,
    ),
    Judged(
        "there is no place beyond 180 degrees",
        {"a": {"lon": 181, "lat": 0}},
        field("a", geo_radius={"center": {"lon": 180, "lat": 0}, "radius": 1e6}),
        False,
    ),
    Judged(
        "a place has numbers",
        {"a": {"lon": "1", "lat": 2}},
        field("a", geo_bounding_box=IN_BOX),
        False,
        TypeError,
    ),
    # Elements.
    Judged(
        "only objects are elements that a nested filter may hold of",
        {"a": [1]},
        {"nested": {"key": "a", "filter": {"must_not": field("x", match={"value": 1})}}},
        False,
    ),
]


@pytest.mark.parametrize("case", JUDGED, ids=str)
def test_judged_otherwise(tmp_path, case):
    async def judged():
        async with asyncstore.open_store(tmp_path / "store") as store:
            vectors = m.VectorParams(size=1, distance=m.Distance.DOT)
            rows, theirs = await store.create_collection("rows", vectors=vectors), peer()
            await rows.upsert([m.PointStruct(id=1, vector=[1.0], payload=case.payload)])
            assert await rows.count(filter={"must": case.condition}) == case.here
            collection = LocalMode(theirs, "rows", vectors)
            collection.upsert([m.PointStruct(id=1, vector=[1.0], payload=case.payload)])
            filter = qm.Filter.model_validate_json(msgspec.json.encode({"must": case.condition}))
            if case.there is None:
                assert theirs.count("rows", filter).count != case.here
            else:
                with pytest.raises(case.there):
                    theirs.count("rows", filter)

    anyio.run(judged)


@dataclass(frozen=True)
class Answered:
    """A call with its answer here and there."""

    why: str
    ask_here: Callable
    ask_there: Callable
    here: object
    there: object

    def __str__(self):
        return self.why


def queried(why, query, here, there, **how):
    return Answered(
        why,
        lambda rows: rows.query(query, **how),
        lambda theirs: theirs.query(query, **how),
        here,
        there,
    )


def grouped(why, query, here, there, **how):
    return Answered(
        why,
        lambda rows: rows.query_groups(query, group_size=8, **how),
        lambda theirs: theirs.query_groups(query, group_size=8, **how),
        here,
        there,
    )


def nearest(at):
    return m.NearestQuery(nearest=[float(at), 0.0])


def first(at, count, **how):
    return m.Prefetch(query=nearest(at), limit=count, **how)


def only(path, value):
    return m.Filter(must=m.FieldCondition(key=path, match=m.MatchValue(value=value)))


async def removed_here(rows):
    await rows.delete_payload(["deep.x"], points=[1])
    return [record.payload["deep"] for record in await rows.retrieve([1])]


def removed_there(theirs):
    theirs.change("delete_payload", ["deep.x"], points=[1])
    return [theirs.scroll()[0][0].payload["deep"]]


FAR = m.DiscoverQuery(discover=m.DiscoverInput(target=[1.0, 0.0], context=[]))


async def shared_here(rows):
    await rows.set_payload({"deep": {}}, points=[1, 2])
    await rows.set_payload({"x": 9}, points=[1], key="deep")
    return [record.payload["deep"] for record in await rows.retrieve([1, 2])]


def shared_there(theirs):
    theirs.change("set_payload", {"deep": {}}, points=[1, 2])
    theirs.change("set_payload", {"x": 9}, points=[1], key="deep")
    return [record.payload["deep"] for record in theirs.scroll()[0][:2]]


def scored(formula, defaults=None):
    return m.FormulaQuery(formula=formula, defaults=defaults)


def falling(midpoint):
    return m.LinDecayExpression(
        lin_decay=m.DecayParamsExpression(x="$score", midpoint=midpoint, scale=2.0)
    )


DIVERSE = m.NearestQuery(nearest=[1.2, 0.0], mmr=m.Mmr(candidates_limit=8))
RRF = m.FusionQuery(fusion=m.Fusion.RRF)
DAY = m.OrderBy(key="day", start_from="2024-01-04")
# Of the points 1 to 8, which lie on a line at the places 1 to 8, by Euclid's distance.
ANSWERED = [
    queried(
        "the filter of a query is also that of its prefetches",
        nearest(1),
        [4, 6, 8],
        [6, 8],
        prefetch=[first(8, 3)],
        filter=only("even", True),
    ),
    queried(
        "and of what is fused",
        RRF,
        [2, 4, 6],
        [1, 2, 3],
        prefetch=[first(1, 3)],
        filter=only("even", True),
    ),
    queried(
        "only a distance is better when it is smaller, not the score of a discovery",
        FAR,
        [1, 2],
        [],
        score_threshold=0.2,
    ),
    queried(
        "an offset leaves out what was drawn first",
        m.SampleQuery(sample=m.Sample.RANDOM),
        1,
        9,
        offset=8,
    ),
    queried(
        "a point that lacks the vector is no example",
        m.NearestQuery(nearest=9),
        asyncstore.InvalidArgumentError,
        [1, 2, 3, 4, 5, 6, 7, 8],
    ),
    queried(
        "and one that was deleted is none",
        m.NearestQuery(nearest=10),
        asyncstore.PointNotFoundError,
        [8, 7, 6, 5, 4, 3, 2, 1],
    ),
    grouped("a boolean is no key of a group", nearest(1), [], ValueError, group_by="even"),
    grouped(
        "a prefetch finds no more for groups than its limit",
        nearest(1),
        ["first"],
        ["first", "last"],
        group_by="half",
        prefetch=[first(1, 3)],
    ),
    queried(
        "an offset leaves out points that were chosen, not candidates",
        DIVERSE,
        [4, 2, 3],
        [3, 4, 5],
        limit=3,
        offset=2,
    ),
    queried(
        "a line may fall to 0 at its midpoint",
        scored(falling(0.0)),
        [1, 2, 3],
        ValueError,
        prefetch=[first(1, 3)],
    ),
    queried(
        "there is no score of a prefetch that there is not",
        scored("$score[3]"),
        asyncstore.InvalidArgumentError,
        [1, 2, 3],
        prefetch=[first(1, 3)],
    ),
    queried(
        "a default is for what is in the formula",
        scored("$score", {"nix": 1}),
        asyncstore.InvalidArgumentError,
        [3, 2, 1],
        prefetch=[first(1, 3)],
    ),
    queried(
        "and is no list",
        scored("nix", {"nix": [1]}),
        asyncstore.InvalidArgumentError,
        [1, 2, 3],
        prefetch=[first(1, 3)],
    ),
    Answered(
        "booleans have no place among numbers",
        lambda rows: rows.scroll(order_by="mixed"),
        lambda theirs: theirs.scroll(order_by=m.OrderBy(key="mixed")),
        [1, 3, 5, 7],
        ValueError,
    ),
    Answered(
        "an order may start from a day",
        lambda rows: rows.scroll(order_by=DAY),
        lambda theirs: theirs.scroll(order_by=DAY),
        [4, 5, 6, 7, 8],
        [1, 2, 3, 4, 5, 6, 7, 8],
    ),
    Answered(
        "a keyword stays as it was written, also one that could be a UUID",
        lambda rows: rows.facet("code"),
        lambda theirs: theirs.facet("code"),
        [UUIDS[0].replace("-", "")],
        [UUIDS[0]],
    ),
    Answered(
        "points that are drawn have the score 0",
        lambda rows: rows.query({"sample": "random"}),
        lambda theirs: theirs.query(m.SampleQuery(sample=m.Sample.RANDOM)),
        {0.0},
        {1.0},
    ),
    Answered(
        "what a path names is removed", removed_here, removed_there, [{"y": 2}], [{"x": 1, "y": 2}]
    ),
    Answered(
        "points that were given one payload do not share it afterwards",
        shared_here,
        shared_there,
        [{"x": 9}, {}],
        [{"x": 9}, {"x": 9}],
    ),
    Answered(
        "points without the vector are no part of a matrix",
        lambda rows: rows.search_matrix_pairs(sample=100, limit=1),
        lambda theirs: theirs.pairs(m.Filter(), 1, ""),
        [2, 1, 2, 3, 4, 5, 6, 7],
        KeyError,
    ),
]


@pytest.mark.parametrize("case", ANSWERED, ids=str)
def test_answered_otherwise(tmp_path, case):
    async def answered():
        async with asyncstore.open_store(tmp_path / "store") as store:
            vectors = m.VectorParams(size=2, distance=m.Distance.EUCLID)
            rows, theirs = await store.create_collection("rows", vectors=vectors), peer()
            theirs = LocalMode(theirs, "rows", vectors)
            points = [
                m.PointStruct(id=at, vector=[float(at), 0.0], payload=_payload(at))
                for at in [*range(1, 9), 10]
            ]
            points.append(m.PointStruct(id=9, vector={}))
            for key, schema in [("day", "datetime"), ("mixed", "integer"), ("code", "keyword")]:
                await rows.create_payload_index(key, schema)
            await rows.upsert(points)
            await rows.delete(points=[10])
            theirs.upsert(points)
            theirs.change("delete", points=[10])
            try:
                here = summary(await case.ask_here(rows), case.here)
            except asyncstore.AsyncStoreError as error:
                here = type(error)
            assert here == case.here
            try:
                there = summary(case.ask_there(theirs), case.there)
            except (KeyError, ValueError) as error:
                there = KeyError if isinstance(error, KeyError) else ValueError
            assert there == case.there

    anyio.run(answered)


def test_rarity_is_counted_over_the_vectors_that_there_are(tmp_path):
    """There over all points, also those without the vector; and in what was deleted, still."""
    words = [{3: 1.0}, {3: 1.0, 7: 1.0}, {7: 1.0}, None]
    query = m.NearestQuery(nearest=sparse({7: 1.0}))

    async def counted():
        async with asyncstore.open_store(tmp_path / "store") as store:
            kinds = {"sparse_vectors": {"words": m.SparseVectorParams(modifier=m.Modifier.IDF)}}
            rows = await store.create_collection("rows", **kinds)
            theirs = LocalMode(peer(), "rows", {}, **kinds)
            points = [
                m.PointStruct(id=at, vector={} if one is None else {"words": sparse(one)})
                for at, one in enumerate(words, 1)
            ]
            await rows.upsert(points)
            theirs.upsert(points)
            await rows.delete(points=[3])
            theirs.change("delete", points=[3])
            (here,) = await rows.query(query, using="words")
            (there,) = theirs.query(query, using="words")
            # The index 7 is in one of two vectors; there in two of three points.
            assert here.score == pytest.approx(math.log(1 + 1.5 / 1.5))
            assert there.score == pytest.approx(math.log(1 + 1.5 / 2.5))

    anyio.run(counted)


def sparse(weights):
    return m.SparseVector(indices=list(weights), values=list(weights.values()))


def _payload(at):
    return {
        "even": at % 2 == 0,
        "half": "first" if at < 5 else "last",
        "day": f"2024-01-0{at % 10}T12:00:00Z",
        "mixed": at if at % 2 else False,
        "deep": {"x": at, "y": 2},
        "code": UUIDS[0].replace("-", ""),
    }


def summary(answer, expected):
    """What tells one answer from the other: how many points, which, their scores; or as it is."""
    if isinstance(answer, tuple):
        answer = answer[0]
    if isinstance(answer, m.SearchMatrixPairsResponse):
        answer = [pair.b for pair in answer.pairs]
    if isinstance(expected, int):
        return len(answer)
    if isinstance(expected, set):
        return {one.score for one in answer}
    return [getattr(one, "id", getattr(one, "value", one)) for one in answer]
