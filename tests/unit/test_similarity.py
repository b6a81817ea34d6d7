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
    four = compared(ROWS, ragged(parts), distance)
    of, steps = outcome(four.of(0, 4))
    assert steps == 4
    monkeypatch.setattr(similarity, "_PIECE_ELEMENTS", 3 * 14 * 2)  # two rows of a query
    for row, part in enumerate(parts):
        pieces = (len(part) + 1) // 2
        for way in (four.of(row, row + 1), four.of_query(ragged([part]))):
            similar, steps = outcome(way)
            np.testing.assert_allclose(similar.ravel(), of[row], rtol=1e-5)
            assert steps == pieces
        # What one is to another as a query is what the other is to it as the one that is found.
        similar, steps = outcome(four.to(row))
        np.testing.assert_allclose(similar, of[:, row], rtol=1e-5)
        assert steps == pieces
    assert of[1, 3] != pytest.approx(of[3, 1])


@pytest.mark.parametrize("distance", list(Distance))
def test_several_vectors_are_compared_at_once(monkeypatch, distance):
    matrix = np.random.default_rng(1).standard_normal((9, 4)).astype(np.float32)
    nine = compared(VectorField("docs", 0, "", 4), matrix, distance)
    for elements, steps in ((1 << 20, 1), (9 * 4 * 2, 3), (1, 5)):
        monkeypatch.setattr(similarity, "_PIECE_ELEMENTS", elements)
        similar, taken = outcome(nine.of(2, 7))
        assert (similar.shape, taken) == ((5, 9), steps)
        for row in range(5):
            np.testing.assert_allclose(similar[row], outcome(nine.to(row + 2))[0], rtol=1e-5)


def test_sparse_vectors_may_be_empty_and_queries_have_other_indices():
    indices, values = [[3, 2**32 - 1], [], [3, 5]], [[1.0, 2.0], [], [4.0, 8.0]]
    offsets, every = ragged([np.array(one, np.uint32) for one in indices])
    vectors = offsets, every, np.concatenate([np.array(one, np.float32) for one in values])
    three = compared(SPARSE, vectors, Distance.DOT)
    assert outcome(three.of(0, 3))[0].tolist() == [[5, 0, 4], [0, 0, 0], [4, 0, 80]]
    assert outcome(three.to(2))[0].tolist() == [4, 0, 80]
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
        return (yield from dense.to(0))

    assert np.isinf(await on_thread(steps())).all()
