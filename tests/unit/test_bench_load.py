import sys
import threading

import numpy as np
import pytest

import fake_native
from bench.compare import engines, load
from bench.compare.engine import Engine, Setting, Way, padded
from bench.compare.engines.asyncstore import Asyncstore


class Fake(Engine):
    """Knows the row whose number is the query's first value; tells how many ask at once."""

    name = "fake"
    ways = (Way.ASYNCIO, Way.THREADS, Way.BATCH)
    builds = {"one": {}}  # noqa: RUF012
    settings = (Setting("all", "one", limit=3),)

    def __init__(self, together=1):
        self._barrier = threading.Barrier(together)

    async def build(self, folder, rows, build):
        raise NotImplementedError

    async def open(self, folder, setting):
        raise NotImplementedError

    async def search_asyncio(self, query, setting):
        return self._found(query)

    def search_threads(self, query, setting):
        self._barrier.wait(timeout=20)
        return self._found(query)

    async def search_batch(self, queries, setting):
        return padded([self._found(query).tolist() for query in queries], setting.limit)

    def _found(self, query):
        if query[0] < 0:
            raise RuntimeError("a bad query")
        return np.array([int(query[0]), 100 + int(query[0])])


QUERIES = np.arange(8, dtype=np.float32)[:, None]


async def ask(engine, queries=QUERIES, way=Way.ASYNCIO, inflight=4, seconds_max=60.0):
    return await load.run(
        engine,
        engine.settings[0],
        queries,
        way=way,
        inflight=inflight,
        seconds_max=seconds_max,
    )


@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("inflight", [1, 4, 100])
@pytest.mark.asyncio
async def test_answers_come_in_the_order_of_the_queries(way, inflight):
    answers = await ask(Fake(), way=way, inflight=inflight)
    assert answers.ids.tolist() == [[number, 100 + number, -1] for number in range(8)]
    assert (answers.latencies_s > 0).all()
    assert len(answers.latencies_s) == 8


@pytest.mark.asyncio
async def test_threads_ask_side_by_side():
    # Two calls have to meet, each of them; alone a thread would never get on.
    answers = await ask(Fake(together=2), way=Way.THREADS, inflight=2)
    assert len(answers.ids) == 8


@pytest.mark.parametrize("way", [Way.ASYNCIO, Way.THREADS])
@pytest.mark.asyncio
async def test_nothing_is_begun_after_the_deadline(way):
    answers = await ask(Fake(), way=way, seconds_max=-1)
    assert len(answers.ids) == len(answers.latencies_s) == 0


@pytest.mark.asyncio
async def test_the_failure_of_a_thread_is_raised():
    with pytest.raises(RuntimeError, match="a bad query"):
        await ask(Fake(), queries=-1 - QUERIES, way=Way.THREADS)


def test_recall_counts_what_is_among_the_first():
    exact = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], dtype=np.int32)
    found = np.array([[2, 1, 9], [5, -1, -1]])
    assert load.recall(found, exact, 2) == 3 / 4
    assert load.recall(found[:, :1], exact, 1) == 1 / 2


@pytest.mark.parametrize("name", engines.NAMES)
def test_every_engine_names_what_it_can(name):
    engine = engines.engine(name)
    assert engine.name == name
    assert engine.ways
    names = [setting.name for setting in engine.settings]
    assert len(set(names)) == len(names)
    assert {setting.build for setting in engine.settings} == set(engine.builds)
    for way, method in (
        (Way.ASYNCIO, "search_asyncio"),
        (Way.THREADS, "search_threads"),
        (Way.BATCH, "search_batch"),
    ):
        assert (way in engine.ways) == (method in vars(type(engine)))


@pytest.mark.parametrize("limit", [10, 100])
def test_every_engine_answers_both_limits(limit):
    without = [
        name
        for name in engines.NAMES
        if limit not in {setting.limit for setting in engines.engine(name).settings}
    ]
    assert without == []


@pytest.mark.asyncio
async def test_asyncstore_finds_its_own_rows(tmp_path):
    if sys.modules.get("asyncstore._native") is fake_native:
        pytest.skip("needs the native core")
    rows = np.eye(16, dtype=np.float32)
    await Asyncstore().build(tmp_path, rows, "int8 flat")
    engine = Asyncstore()
    setting = next(one for one in engine.settings if one.build == "int8 flat" and one.limit == 10)
    await engine.open(tmp_path, setting)
    try:
        for way in engine.ways:
            answers = await ask_rows(engine, setting, rows, way)
            assert answers.ids[:, 0].tolist() == list(range(16))
        assert engine.statistics().keys() >= {"reads", "read_bytes"}
    finally:
        await engine.close()


async def ask_rows(engine, setting, rows, way):
    return await load.run(engine, setting, rows, way=way, inflight=4, seconds_max=60)
