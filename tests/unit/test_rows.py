"""What the core read, as arrays that it takes."""

import numpy as np

from asyncstore.rows import of_present
from asyncstore.vectors import MultivectorField, SparseField, VectorField

PRESENT = np.array([True, False, True, False])


def test_of_dense_vectors_the_rows_that_are_there():
    field, matrix = VectorField("docs", 0, "", 2), np.arange(8, dtype=np.float32).reshape(4, 2)
    rows, vectors = of_present(field, (PRESENT, matrix))
    assert rows.tolist() == [0, 2]
    assert vectors.tolist() == [[0, 1], [4, 5]]
    rows, vectors = of_present(field, (np.ones(4, np.bool_), matrix))
    assert rows.tolist() == [0, 1, 2, 3]
    assert vectors is matrix


def test_of_others_the_offsets_of_those_that_are_there():
    offsets = np.array([0, 3, 3, 5, 5], np.uint64)
    rows = np.arange(10, dtype=np.float32).reshape(5, 2)
    places, (own, same) = of_present(MultivectorField("docs", 0, "", 2), (PRESENT, offsets, rows))
    assert (places.tolist(), own.tolist(), own.dtype) == ([0, 2], [0, 3, 5], np.uint64)
    assert same is rows
    numbers = np.arange(5, dtype=np.uint32), np.ones(5, np.float32)
    places, (own, *parts) = of_present(SparseField("docs", 0, "a"), (PRESENT, offsets, *numbers))
    assert (places.tolist(), own.tolist()) == ([0, 2], [0, 3, 5])
    assert parts[0] is numbers[0]
    assert parts[1] is numbers[1]
