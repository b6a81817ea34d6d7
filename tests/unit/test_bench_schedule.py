from types import SimpleNamespace

import pytest

from bench.compare.engine import Setting, Way
from bench.compare.schedule import WARM_UP_QUERIES, Schedule


def engine(name, ways, settings=2):
    return SimpleNamespace(
        name=name,
        ways=ways,
        settings=[Setting(f"{name}{number}", "b") for number in range(settings)],
    )


ENGINES = [
    engine("a", (Way.ASYNCIO, Way.BATCH)),
    engine("b", (Way.THREADS,), settings=1),
    engine("c", (Way.ASYNCIO, Way.THREADS)),
]


def schedule(**changed):
    given = {
        "engines": ENGINES,
        "settings": [],
        "caps_mib": [],
        "conditions": ["cold", "warm"],
        "queries": 500,
        "queries_available": 100_000,
        "seconds_max": 20,
        **changed,
    }
    return Schedule(**given)


def names(turns):
    return [trial.setting.name for trial in turns]


def test_engines_take_turns_and_another_begins_each_round():
    one = schedule(conditions=["warm"])
    assert names(one.turns(0)) == ["a0", "b0", "c0", "a1", "c1"]
    assert names(one.turns(1)) == ["b0", "c0", "a0", "c1", "a1"]


def test_cold_runs_under_each_cap_and_warm_under_none():
    turns = list(schedule(caps_mib=[100, 200], settings=["b"]).turns(0))
    seen = [(trial.condition, trial.cap_mib) for trial in turns]
    assert seen == [("cold", 100), ("cold", 200), ("warm", None)]


def test_without_caps_cold_runs_once():
    turns = schedule(conditions=["cold"], settings=["b"]).turns(0)
    assert [trial.cap_mib for trial in turns] == [None]


def asked(warm_up, phases):
    return [
        number
        for phase in [warm_up, *phases]
        for number in range(phase.first, phase.first + phase.count)
    ]


@pytest.mark.parametrize("available", [1_000, 3_200, 100_000])
@pytest.mark.parametrize("one", ENGINES, ids=lambda one: one.name)
def test_no_query_is_asked_twice_in_a_trial(available, one):
    plan = schedule(queries_available=available)
    numbers = [number % available for number in asked(*plan.phases(one, 1))]
    assert len(set(numbers)) == len(numbers)


def test_rounds_ask_other_queries():
    plan = schedule()
    first, second = (asked(*plan.phases(ENGINES[0], number)) for number in range(2))
    assert not set(first) & set(second)


def test_engines_ask_the_same_queries_in_the_same_phase():
    plan = schedule(queries_available=1_000)
    spans = [
        {(phase.inflight, phase.first, phase.count) for phase in plan.phases(one, 0)[1][:2]}
        for one in ENGINES
    ]
    assert spans[0] == spans[1] == spans[2]


def test_an_engine_has_a_phase_for_each_way_and_load():
    kinds = [
        [(phase.way, phase.inflight) for phase in schedule().phases(one, 0)[1]] for one in ENGINES
    ]
    assert kinds[0] == [("asyncio", 1), ("asyncio", 16), ("batch", 1_000)]
    assert kinds[1] == [("threads", 1), ("threads", 16)]
    assert kinds[2] == [("asyncio", 1), ("asyncio", 16), ("threads", 1), ("threads", 16)]


def test_few_queries_are_shared_out():
    _, phases = schedule(queries_available=1_000).phases(ENGINES[2], 0)
    assert {phase.count for phase in phases} == {(1_000 - WARM_UP_QUERIES) // 5}
    _, phases = schedule(queries_available=10).phases(ENGINES[2], 0)
    assert all(phase.count >= 1 for phase in phases)
