"""Queries by sparse vectors against brute force, with and without rarity of indices."""

import numpy as np
import pytest

import query_model as model
from asyncstore import models as m
from model_runs import first_seed, run_data_sets
from query_run import QueryRun

CASES = 1_500  # of each reader
DIMS = 300


@pytest.mark.parametrize("async_scorer", ["auto", False])
def test_sparse_queries(tmp_path, async_scorer):
    run = Run(tmp_path / "store", async_scorer)
    run_data_sets(run, cases=CASES, first=first_seed())


class Run(QueryRun):
    """Vectors are dicts from index to weight."""

    using = "text"
    points = 400

    def settings(self, number):
        self.has_idf, self.has_negatives = number % 3 == 0, number % 2 == 0
        modifier = m.Modifier.IDF if self.has_idf else None
        return {"sparse_vectors": {self.using: m.SparseVectorParams(modifier=modifier)}}

    def vector(self):
        """Few indices in most vectors, many in few."""
        elements = self.draw.randrange(40)
        indices = np.unique(np.exp(self.numbers.uniform(0, np.log(DIMS), elements)).astype(int))
        values = self.numbers.lognormal(0, 1, len(indices)).astype(np.float32)
        if self.has_negatives:
            values[self.numbers.random(len(indices)) < 0.3] *= -1
        values[self.numbers.random(len(indices)) < 0.05] = 0
        return dict(zip(indices.tolist(), values.tolist(), strict=True))

    def given(self, vector):
        return m.SparseVector(indices=list(vector), values=list(vector.values()))

    def returned(self, vector):
        return dict(zip(vector.indices, vector.values, strict=True))

    def assert_as_given(self, stored, vector):
        assert stored == vector

    def ranked(self, query, vectors):
        return model.sparse_ranked(query, vectors, self.vectors if self.has_idf else None)

    def similar(self, query, vector):
        return model.sparse_product(query, vector)
