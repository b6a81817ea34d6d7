import json

import numpy as np
import pytest

from bench.compare import corpus, generator
from bench.compare.generator import Generator, Shape, Widening, unit


@pytest.fixture(scope="module")
def base():
    random = np.random.default_rng(3)
    centers = random.standard_normal((6, 12))
    rows = centers[random.integers(6, size=300)] + 0.2 * random.standard_normal((300, 12))
    return unit(rows.astype(np.float32))


@pytest.fixture
def source(base, tmp_path):
    """A folder as real rows come in."""
    folder = tmp_path / "source"
    folder.mkdir()
    np.save(folder / "vectors.f16.npy", base.astype(np.float16))
    np.save(folder / "queries.f16.npy", base[:5].astype(np.float16))
    np.save(folder / "neighbors.i32.npy", np.zeros((5, 100), dtype=np.int32))
    return folder


def drawn(parts):
    return np.concatenate(list(parts))


def test_equal_shapes_give_equal_rows(base):
    shape = Shape(rows=100, dim=12, queries=20, neighbors=8)
    first, second = Generator(base, shape), Generator(base, shape)
    assert np.array_equal(drawn(first.rows()), drawn(second.rows()))
    assert np.array_equal(drawn(first.queries()), drawn(second.queries()))


def test_another_seed_gives_other_rows(base):
    one, other = (
        drawn(Generator(base, Shape(rows=100, dim=12, seed=seed, neighbors=8)).rows())
        for seed in (1, 2)
    )
    assert not np.isclose(one, other).all(axis=1).any()


def test_more_rows_begin_with_the_same_parts(base, monkeypatch):
    monkeypatch.setattr(generator, "PART_ROWS", 32)
    few = drawn(Generator(base, Shape(rows=64, dim=12, neighbors=8)).rows())
    many = drawn(Generator(base, Shape(rows=100, dim=12, neighbors=8)).rows())
    assert many.shape == (100, 12)
    assert np.array_equal(few, many[:64])


def test_queries_are_held_out(base):
    made = Generator(base, Shape(rows=200, dim=12, queries=50, neighbors=8))
    closest = (drawn(made.queries()) @ drawn(made.rows()).T).max()
    assert closest < 1 - 1e-6


@pytest.mark.parametrize("dim", [12, 40])
def test_rows_have_length_one(base, dim):
    rows = drawn(Generator(base, Shape(rows=50, dim=dim, neighbors=8)).rows())
    assert rows.shape == (50, dim)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_rows_stay_in_the_clusters(base):
    rows = drawn(Generator(base, Shape(rows=200, dim=12, neighbors=8)).rows())
    nearest = (rows @ base.T).max(axis=1)
    own = np.sort(base @ base.T, axis=1)[:, -2]
    assert np.median(nearest) == pytest.approx(np.median(own), abs=0.03)


def test_more_dimensions_keep_who_is_near_whom(base):
    wide = Widening(base, 200, seed=1).widen(base)
    before = np.argsort(-(base @ base.T), axis=1)[:, 1:11]
    after = np.argsort(-(wide @ wide.T), axis=1)[:, 1:11]
    shared = [len(set(a) & set(b)) for a, b in zip(before, after, strict=True)]
    assert np.mean(shared) > 8


def test_more_dimensions_are_all_used(base):
    wide = Widening(base, 200, seed=1).widen(base)
    values = np.linalg.eigvalsh(np.cov(wide.T))[::-1]
    assert values[40] > values[0] * 1e-6, "twelve dimensions would leave nothing here"


def test_a_corpus_is_made_once(source, tmp_path):
    shape = Shape(rows=150, dim=12, queries=10, neighbors=8)
    made = corpus.generated(source, tmp_path / "store", shape)
    assert made.rows.shape == (150, 12)
    assert made.neighbors.shape == (10, 100)
    scores = np.asarray(made.queries) @ np.asarray(made.rows).T
    assert made.neighbors[:, 0].tolist() == scores.argmax(axis=1).tolist()

    mark = made.folder / "indexes"
    mark.mkdir()
    again = corpus.generated(source, tmp_path / "store", shape)
    assert again == made
    assert mark.exists()


def test_a_corpus_of_another_making_is_made_anew(source, tmp_path):
    made = corpus.generated(source, tmp_path, Shape(rows=50, dim=12, queries=5, neighbors=8))
    (made.folder / "indexes").mkdir()
    other = Shape(rows=50, dim=12, queries=5, neighbors=8, step=0.5)
    again = corpus.generated(source, tmp_path, other)
    assert again.folder == made.folder
    assert not (again.folder / "indexes").exists()
    assert json.loads((again.folder / corpus.MANIFEST).read_text())["step"] == 0.5


def test_a_corpus_cut_short_is_made_anew(source, tmp_path):
    shape = Shape(rows=50, dim=12, queries=5, neighbors=8)
    made = corpus.generated(source, tmp_path, shape)
    rows = np.array(made.rows)
    (made.folder / corpus.MANIFEST).unlink()
    (made.folder / "rows.npy").write_bytes(b"")
    assert np.array_equal(corpus.generated(source, tmp_path, shape).rows, rows)
