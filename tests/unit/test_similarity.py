"""Vectors of a kind compared with each other: which way, in pieces, off the loop's thread."""

import asyncio

import anyio
import numpy as np
import pytest

from asyncstore.models import Distance
from asyncstore.query import similarity
from asyncstore.query.similarity import compared, on_thread
from asyncstore.vectors import MultivectorField, SparseField, VectorField

SPARSE, ROWS = SparseField("docs", 0, "words"), MultivectorField("docs", 0, "rows", 3)


def ragged(parts):
    return np.cumsum([0, *map(len, parts)]).astype(np.uint64), np.concatenate(parts)


def outcome(steps):
    """What steps come to, and how many there were."""
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value, count
        count += 1


@pytest.mark.parametrize("distance", list(Distance))
def test_a_long_multivector_is_compared_in_pieces(monkeypatch, distance):
    rng = np.random.default_rng(1)
    parts = [rng.standard_normal((count, 3)).astype(np.float32) for count in (1, 7, 2, 4)]
    whole = compared(ROWS, ragged(parts), distance)
    at_once = {
        (way, row): outcome(getattr(whole, way)(row)) for way in ("of", "to") for row in (1, 3)
    }
    monkeypatch.setattr(similarity, "_PIECE_ELEMENTS", 3 * 14 * 2)  # two rows of a query
    for (way, row), (similar, steps) in at_once.items():
        assert steps == 1
        again, pieces = outcome(getattr(whole, way)(row))
        assert pieces == (len(parts[row]) + 1) // 2
        np.testing.assert_allclose(again, similar, rtol=1e-5)
    by_query, _ = outcome(whole.of_query(ragged([parts[1]])))
    np.testing.assert_allclose(by_query, at_once["of", 1][0], rtol=1e-5)
    # What one is to another as a query is what the other is to it as the one that is found.
    np.testing.assert_allclose(at_once["of", 1][0][3], at_once["to", 3][0][1], rtol=1e-5)
    assert at_once["of", 1][0][3] != pytest.approx(at_once["to", 1][0][3])


def test_sparse_vectors_may_be_empty_and_queries_have_other_indices():
    indices, values = [[3, 2**32 - 1], [], [3, 5]], [[1.0, 2.0], [], [4.0, 8.0]]
    offsets, every = ragged([np.array(one, np.uint32) for one in indices])
    vectors = offsets, every, np.concatenate([np.array(one, np.float32) for one in values])
    three = compared(SPARSE, vectors, Distance.DOT)
    assert [outcome(three.of(row))[0].tolist() for row in range(3)] == [
        [5, 0, 4],
        [0, 0, 0],
        [4, 0, 80],
    ]
    query = (np.array([0, 3], np.uint64), np.array([0, 4, 5], np.uint32), np.ones(3, np.float32))
    assert outcome(three.of_query(query))[0].tolist() == [0, 0, 8]
    nothing = np.zeros(3, np.uint64), np.empty(0, np.uint32), np.empty(0, np.float32)
    assert outcome(compared(SPARSE, nothing, Distance.DOT).of_query(query))[0].tolist() == [0, 0]


def for_ever(taken):
    while True:
        taken.append(1)
        yield


@pytest.mark.anyio
async def test_what_has_no_end_can_be_cancelled():
    taken = []
    with anyio.move_on_after(0.1) as scope:
        await on_thread(for_ever(taken))
    assert scope.cancelled_caught
    assert taken


@pytest.mark.asyncio
async def test_also_by_asyncio_alone(monkeypatch, wait_until):
    """A task that is cancelled without its scope leaves no thread that goes on."""
    taken, running = [], []
    one_slice = similarity._slice

    def followed(steps):
        running.append(1)
        try:
            return one_slice(steps)
        finally:
            running.pop()

    monkeypatch.setattr(similarity, "_slice", followed)
    task = asyncio.create_task(on_thread(for_ever(taken)))
    await wait_until(lambda: taken)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await wait_until(lambda: not running)


@pytest.mark.anyio
async def test_what_is_beyond_all_measure_makes_no_noise():
    vectors = np.array([[3e38, 3e38], [-3e38, 1]], np.float32)

    def steps():
        dense = compared(VectorField("docs", 0, "", 2), vectors, Distance.DOT)
        return (yield from dense.of(0))

    assert np.isinf(await on_thread(steps())).all()
