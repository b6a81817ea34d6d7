"""Queries by multivectors against brute force: every distance, datatype and kind of code."""

import numpy as np
import pytest

import query_model as model
from asyncstore import models as m
from model_runs import first_seed, run_data_sets
from query_run import EXACT, QueryRun

CASES = 450  # of each reader
ROWS_MAX = 12
EXAMPLES_MAX = 6  # of a query
MAX_SIM = m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM)
# How far what is stored is from what was given, as a part of it.
ROUNDING = {m.Datatype.FLOAT32: 1e-6, m.Datatype.FLOAT16: 1e-3, m.Datatype.UINT8: 0}


@pytest.mark.parametrize("async_scorer", ["auto", False])
def test_multivector_queries(tmp_path, async_scorer):
    run = Run(tmp_path / "store", async_scorer)
    run_data_sets(run, cases=CASES, first=first_seed())
    assert run.missed <= 1 + run.cases / 1000


class Run(QueryRun):
    using = "rows"
    points, queries = 600, 20  # more points than are read without looking at codes

    def settings(self, number):
        self.distance = self.draw.choice(list(m.Distance))
        self.datatype = self.draw.choice(list(m.Datatype))
        self.dim = self.draw.choice([1, 3, 16, 40])
        self.codes = self.draw.choice([None, *self.codes_that_there_are()])
        self.error = 5e-3 if self.datatype is m.Datatype.UINT8 else 1e-4  # of large sums
        # Stored rows then are not quite of unit length. A search takes them as they are, a matrix
        # scales them anew: a row of a query then is off by half a unit in the last of 11 digits.
        self.is_rounded = (self.datatype, self.distance) == (m.Datatype.FLOAT16, m.Distance.COSINE)
        self.matrix_error = ROWS_MAX * 2**-11 if self.is_rounded else None
        params = m.VectorParams(
            size=self.dim,
            distance=self.distance,
            datatype=self.datatype,
            multivector_config=MAX_SIM,
            quantization_config=self.codes,
        )
        return {"vectors": {self.using: params}}

    def codes_that_there_are(self):
        scalar = m.ScalarQuantizationConfig(type=m.ScalarType.INT8)
        rabitq = m.RabitqQuantizationConfig(bits=8)
        kinds = [m.ScalarQuantization(scalar=scalar)]
        if self.distance is not m.Distance.MANHATTAN:
            kinds.append(m.RabitqQuantization(rabitq=rabitq))
        return kinds

    def vector(self):
        rows = self.numbers.standard_normal((self.draw.choice([1, 2, 5, ROWS_MAX]), self.dim))
        scale = 8 if self.datatype is m.Datatype.UINT8 else 3
        rows = (rows * scale).astype(np.float32)
        return np.abs(rows) + 1 if self.datatype is m.Datatype.UINT8 else rows

    def as_stored(self, vector):
        rows = vector.astype(np.float64)
        if self.datatype is m.Datatype.UINT8:
            return np.clip(np.trunc(rows), 0, 255)
        return of_unit_length(rows) if self.distance is m.Distance.COSINE else rows

    def assert_as_given(self, stored, vector):
        np.testing.assert_allclose(stored, vector, rtol=ROUNDING[self.datatype], atol=1e-6)

    def ranked(self, query, vectors):
        return model.ranked(query, self.distance, vectors, self.searched)

    def searched(self, distance, query, vector):
        if self.is_rounded:
            return model.similarity(m.Distance.DOT, of_unit_length(query), vector)
        return model.similarity(distance, query, vector)

    def cancelled(self, query, vectors):
        """Scores of examples, each a float32 sum over rows, are summed with both signs.

        Each addition is off by half a unit in the last place of what it has come to.
        """
        additions = ROWS_MAX + EXAMPLES_MAX
        terms = model.summed(query, self.distance, vectors, self.searched)
        return additions * model.EPSILON / 2 * terms

    def may_miss(self, params):
        return self.codes is not None and params is not EXACT

    def similar(self, query, vector):
        return model.similarity(self.distance, query, vector)

    def params(self):
        """Ways of searching that give exact results; the errors of few dimensions have no bound.

        By codes nearly always: how wrong these may be is told by three standard deviations.
        """
        all_candidates = m.SearchParams(quantization=m.QuantizationSearchParams(early_stop=False))
        ways = [EXACT, all_candidates, all_candidates]
        if isinstance(self.codes, m.ScalarQuantization | None):
            ways.append(None)
        return self.draw.choice(ways)


def of_unit_length(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
