import numpy as np
import pytest

from bench.compare import exact


def brute_force(rows, queries, limit):
    scores = queries @ rows.T
    return np.argsort(-scores, axis=1, kind="stable")[:, :limit]


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.mark.parametrize("block_rows", [1, 7, 64, 1_000])
def test_blocks_change_nothing(random, monkeypatch, block_rows):
    monkeypatch.setattr(exact, "BLOCK_ROWS", block_rows)
    monkeypatch.setattr(exact, "QUERIES_AT_ONCE", 5)
    rows = random.standard_normal((200, 8), dtype=np.float32)
    queries = random.standard_normal((12, 8), dtype=np.float32)
    ids, scores = exact.nearest(rows, queries, 10)
    assert ids.tolist() == brute_force(rows, queries, 10).tolist()
    assert np.allclose(scores, np.take_along_axis(queries @ rows.T, ids, axis=1))


@pytest.mark.parametrize("block_rows", [3, 1_000])
def test_equal_rows_come_by_number(monkeypatch, block_rows):
    monkeypatch.setattr(exact, "BLOCK_ROWS", block_rows)
    rows = np.ones((50, 4), dtype=np.float32)
    ids, _ = exact.nearest(rows, rows[:2], 5)
    assert ids.tolist() == [[0, 1, 2, 3, 4]] * 2


def test_a_neighborhood_leaves_out_its_own_row(random):
    rows = random.standard_normal((60, 8), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = exact.neighborhoods(rows, 4)
    assert found.tolist() == brute_force(rows, rows, 5)[:, 1:].tolist()


def test_a_neighborhood_of_equal_rows_is_full():
    found = exact.neighborhoods(np.ones((30, 4), dtype=np.float32), 4)
    assert found.shape == (30, 4)
    assert all(row not in near for row, near in enumerate(found.tolist()))
