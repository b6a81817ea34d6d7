"""Indexes of text: what is found through them, what of them is told, and what is refused."""

import sys
from contextlib import asynccontextmanager

import pytest

import asyncstore
from asyncstore import models as m
from inside import inside

pytestmark = pytest.mark.asyncio

PAYLOADS = [
    {"t": "The quick brown fox jumps over the lazy dog"},
    {"t": ["Brown bears", "fox trot", 7]},
    {"t": "brownish FOXES"},
    {"t": "... --- ..."},
    {"t": 12},
    {"other": "quick fox"},
    {"t": "Äußere Öfen in Łódź"},
    {"rows": [{"t": "red fox"}, {"t": "brown dog"}, {"t": ["lazy", "fox"]}]},
]
VECTOR = {"v": m.VectorParams(size=1, distance=m.Distance.DOT)}


@asynccontextmanager
async def texts(open_store):
    """Points 0 to 7."""
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=VECTOR)
        await docs.upsert(points_of(PAYLOADS))
        yield docs


def points_of(payloads, first=0):
    return [
        m.PointStruct(id=first + i, vector={"v": [i]}, payload=payload)
        for i, payload in enumerate(payloads)
    ]


def where(key="t", **match):
    return {"must": [{"key": key, "match": match}]}


async def found(docs, key="t", **match):
    """The ids, by a scroll; a count and a search say the same."""
    records, _ = await docs.scroll(filter=where(key, **match), limit=100)
    ids = [record.id for record in records]
    assert await docs.count(filter=where(key, **match)) == len(ids)
    hits = await docs.search([1], using="v", filter=where(key, **match), limit=100)
    assert sorted(hit.id for hit in hits) == ids
    return ids


async def schema_of(docs):
    return (await docs.info()).payload_schema


async def index(docs, **params):
    await docs.create_payload_index("t", {"type": "text", **params})


@inside(texts)
async def test_texts_are_found_by_tokens_once_there_is_an_index(docs):
    assert await found(docs, text="rown") == [0, 1, 2]
    await index(docs)
    assert await found(docs, text="rown") == []
    assert await found(docs, text="Fox, BROWN!") == [0, 1]
    assert await found(docs, text_any="foxes lazy") == [0, 2]
    assert await found(docs, text_any="cat 7") == []
    assert await found(docs, phrase="brown fox") == [0]
    assert await found(docs, phrase="lazy fox") == []
    assert await found(docs, phrase="dog") == [0]
    await docs.delete_payload_index("t")
    assert await found(docs, text="rown") == [0, 1, 2]
    assert await found(docs, phrase="brown fox") == [0]


@inside(texts)
async def test_all_strings_at_the_path_are_one_text(docs):
    await index(docs)
    assert await found(docs, text="bears trot") == [1]
    assert await found(docs, phrase="bears fox") == [1]
    assert await found(docs, phrase="trot brown") == []


@inside(texts)
async def test_a_text_without_tokens_finds_nothing(docs):
    assert await found(docs, text="") == [0, 1, 2, 3, 6]
    await index(docs, stopwords={"custom": ["the"]})
    for wanted in ["", " ", "...", "The"]:
        assert await found(docs, text=wanted) == []
        assert await found(docs, text_any=wanted) == []
        assert await found(docs, phrase=wanted) == []


@inside(texts)
async def test_other_matches_mean_what_they_did(docs):
    async def others():
        return [
            await found(docs, prefix="brow"),
            await found(docs, value="brownish FOXES"),
            await found(docs, any=["fox trot", "quick"]),
            await found(docs, **{"except": ["Brown bears"]}),
            await docs.count(filter={"must": [{"is_empty": {"key": "t"}}]}),
            await docs.count(filter={"must": [{"key": "t", "values_count": {"gte": 2}}]}),
        ]

    before = await others()
    assert before[:3] == [[2], [2], [1]]
    await index(docs)
    assert await others() == before


@inside(texts)
async def test_conditions_are_combined(docs):
    await index(docs)
    records, _ = await docs.scroll(
        filter={
            "must": [{"key": "t", "match": {"text": "fox"}}],
            "must_not": [{"key": "t", "match": {"phrase": "fox trot"}}],
        }
    )
    assert [record.id for record in records] == [0]
    either = {"key": "t", "match": {"text": "foxes"}, "range": {"gte": 12}}
    assert await docs.count(filter={"must": [either]}) == 2


@pytest.mark.parametrize(
    ("params", "wanted", "ids"),
    [
        ({"tokenizer": "whitespace"}, "...", [3]),
        ({"tokenizer": "whitespace"}, "--", []),
        ({"tokenizer": "prefix"}, "brow fo", [0, 1, 2]),
        ({"tokenizer": "prefix", "min_token_len": 2}, "f", []),
        ({"tokenizer": "prefix", "max_token_len": 3}, "foxglove", [0, 1, 2]),
        ({"tokenizer": "multilingual"}, "東 fox", [8]),
        ({"min_token_len": 4}, "the quick", [0]),
        ({"max_token_len": 4}, "brown", []),
        ({"lowercase": False}, "Brown", [1]),
        ({"ascii_folding": True}, "aussere lodz", [6]),
        ({"lowercase": True}, "äußere", [6]),
        ({"stemmer": {"type": "snowball", "language": "english"}}, "jumping foxes", [0]),
        ({"stopwords": "english"}, "over the fox", [0, 1]),
        ({"stopwords": {"languages": ["german", "english"]}}, "in Öfen", [6]),
        ({"stopwords": {"custom": ["Quick"]}}, "quick fox", [0, 1]),
    ],
)
@inside(texts)
async def test_parameters_say_what_tokens_are(docs, params, wanted, ids):
    await docs.upsert(points_of([{"t": "東京 fox"}], first=8))
    await index(docs, **params)
    assert [one for one in await found(docs, text=wanted) if one < 8 or 8 in ids] == ids


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tokenizer": "ngram"}, "tokenizer: .*'ngram', must be one of word, whitespace, prefix"),
        ({"min_token_len": -1}, "min_token_len: value -1 invalid, must be from 0"),
        ({"max_token_len": 0}, "max_token_len: value 0 invalid, must be from 1"),
        ({"min_token_len": 3, "max_token_len": 2}, "min_token_len: value 3 invalid, must be 2 or"),
        ({"tokenizer": "prefix", "max_token_len": 129}, "max_token_len: value 129 .* 128 or"),
        ({"lowercase": "yes"}, "lowercase: .*'yes'|lowercase: expected"),
        ({"stemmer": "english"}, "stemmer: "),
        ({"stemmer": {"type": "porter", "language": "english"}}, "stemmer.type: .*'porter'"),
        (
            {"stemmer": {"type": "snowball", "language": "elvish"}},
            "stemmer.language: must be one of .*english.*, got 'elvish'",
        ),
        ({"stopwords": "elvish"}, "stopwords: must be one of .*english.*, got 'elvish'"),
        ({"stopwords": {"languages": ["english", "no"]}}, r"languages\[1\]: must .*, got 'no'"),
        ({"stopwords": {"words": ["a"]}}, "stopwords: .*unknown field `words`"),
        ({"stopwords": {"custom": ["\ud800"]}}, r"custom\[0\]: .*not valid Unicode"),
        ({"stopwords": {"custom": ["a"] * 10_001}}, "custom: 10001 words, must be 10000"),
        ({"ngram": 3}, "text has no parameter 'ngram'; it has .*tokenizer"),
    ],
)
@inside(texts)
async def test_wrong_parameters_are_refused(docs, params, message):
    with pytest.raises(asyncstore.InvalidArgumentError, match=f"field_schema.*{message}"):
        await index(docs, **params)
    assert await schema_of(docs) == {}


@inside(texts)
async def test_without_its_package_a_language_has_no_stop_words(docs, monkeypatch):
    monkeypatch.setitem(sys.modules, "stop_words", None)
    with pytest.raises(asyncstore.UnsupportedError, match=r"stopwords.*asyncstore\[text\]"):
        await index(docs, stopwords="english")
    await index(docs, stopwords={"custom": ["the"]})


@inside(texts)
async def test_what_is_told_is_what_was_given(docs):
    await docs.create_payload_index("t", "text")
    text = m.PayloadSchemaType.TEXT
    assert await schema_of(docs) == {"t": m.PayloadIndexInfo(data_type=text, points=5)}
    params = m.TextIndexParams(
        type="text",
        tokenizer=m.TokenizerType.PREFIX,
        max_token_len=9,
        phrase_matching=True,
        stopwords=m.StopwordsSet(languages=["english"], custom=["x"]),
        stemmer=m.SnowballParams(type="snowball", language="english"),
        on_disk=True,
    )
    await docs.create_payload_index("t", params)
    assert await schema_of(docs) == {
        "t": m.PayloadIndexInfo(data_type=text, params=params, points=5)
    }


@inside(texts)
async def test_it_takes_the_place_of_another_index_and_gives_it_up(docs):
    await docs.create_payload_index("t", "keyword")
    assert await found(docs, text="rown") == [0, 1, 2]
    await index(docs)
    assert list(await schema_of(docs)) == ["t"]
    assert await found(docs, text="brown") == [0, 1]
    await index(docs, tokenizer="prefix")
    assert await found(docs, text="brown") == [0, 1, 2]
    await docs.create_payload_index("t", "keyword")
    assert await found(docs, text="rown") == [0, 1, 2]


@inside(texts)
async def test_a_query_that_was_asked_before_means_something_else_with_an_index(docs):
    # Filters that are asked again are remembered.
    for _ in range(3):
        assert await found(docs, text="brown") == [0, 2]
    await index(docs)
    for _ in range(3):
        assert await found(docs, text="brown") == [0, 1]
    await index(docs, stopwords={"custom": ["brown"]})
    for _ in range(3):
        assert await found(docs, text="brown") == []


@inside(texts)
async def test_there_is_neither_an_order_nor_a_facet(docs):
    await index(docs)
    with pytest.raises(asyncstore.InvalidArgumentError, match="of another kind: a facet needs"):
        await docs.facet("t")
    with pytest.raises(asyncstore.InvalidArgumentError, match="of another kind: an order needs"):
        await docs.scroll(order_by="t")


@inside(texts)
async def test_tokens_count_inside_of_nested_conditions_by_the_whole_path(docs):
    async def nested(key, inner, **match):
        condition = {"nested": {"key": key, "filter": where(inner, **match)}}
        records, _ = await docs.scroll(filter={"must": [condition]})
        return [record.id for record in records]

    assert await nested("rows", "t", text="ed fo") == [7]
    await docs.create_payload_index("rows[].t", "text")
    for key in ["rows", "rows[]"]:
        assert await nested(key, "t", text="ed fo") == []
        assert await nested(key, "t", text="FOX red") == [7]
        assert await nested(key, "t", text="red dog") == []  # of two elements
        assert await nested(key, "t", phrase="lazy fox") == [7]
    assert await nested("rows[0]", "t", text="ed fo") == [7]  # a path of its own
    assert await found(docs, "rows[].t", text="red dog") == [7]
    assert await found(docs, "rows[].t", phrase="fox brown") == [7]


@inside(texts)
async def test_writes_see_tokens_as_searches_do(docs):
    await index(docs, stemmer={"type": "snowball", "language": "english"})
    await docs.set_payload({"seen": True}, filter=where(text="FOX"))
    assert await found(docs, "seen", value=True) == [0, 1, 2]
    new = points_of([{"t": "a cat"}] * 4)
    await docs.upsert(new, update_filter=where(text="lazy"))
    assert await found(docs, text="cats") == [0]
    assert await found(docs, text="dog") == []
    await docs.delete(filter=where(phrase="brownish fox"))
    assert await found(docs, text="fox") == [1]
    await docs.delete_payload(["t"], points=[1])
    assert await found(docs, text="fox") == []
    assert (await schema_of(docs))["t"].points == 3


@inside(texts)
async def test_formulas_see_tokens_as_filters_do(docs):
    await index(docs)
    formula = {"sum": [{"key": "t", "match": {"text": "FOX"}}]}
    hits = await docs.query(
        {"formula": formula}, prefetch={"query": [1], "using": "v", "limit": 10}, limit=10
    )
    assert {hit.id for hit in hits if hit.score == 1} == {0, 1}


async def test_it_is_kept_over_reopening(open_store, tmp_path):
    params = {"stopwords": {"custom": ["brown"]}, "ascii_folding": True}
    async with texts(open_store) as docs:
        await index(docs, **params)
        await docs.optimize()
        before = await schema_of(docs)
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert docs.statistics().rebuilt == []
        assert await schema_of(docs) == before
        assert await found(docs, text="brown lodz") == [6]
        await docs.upsert(points_of([{"t": "Łódź"}], first=8))
        assert await found(docs, text="lodz") == [6, 8]
        assert await docs.check() == []
        await docs.delete_payload_index("t")
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert await schema_of(docs) == {}
        assert await found(docs, text="rown") == [0, 1, 2]
        await index(docs)
        assert await found(docs, text="BROWN") == [0, 1]


async def test_a_damaged_one_is_made_of_the_payloads(open_store, tmp_path):
    async with texts(open_store) as docs:
        await index(docs, tokenizer="prefix")
    (file,) = tmp_path.rglob("*.field")
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert any("index of 't'" in what for what in docs.statistics().rebuilt)
        assert await found(docs, text="BRO") == [0, 1, 2]  # ready or not
        await index(docs, tokenizer="prefix")  # waits until it is made
        assert await found(docs, text="BRO") == [0, 1, 2]
        assert (await schema_of(docs))["t"].points == 5


async def test_tokens_count_while_it_is_being_made(open_store):
    async with texts(open_store) as docs:
        await docs.upsert(points_of([{"t": f"word{i} fox"} for i in range(3000)], first=100))
        await docs.create_payload_index("t", "text", wait=False)
        assert await docs.count(filter=where(text="word7 FOX")) == 1
        assert await docs.count(filter=where(text="ord")) == 0
        await docs.create_payload_index("t", "text")
        assert await docs.count(filter=where(text="FOX")) == 3002
