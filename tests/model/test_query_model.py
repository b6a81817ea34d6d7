"""Queries by dense vectors against brute force: every distance and kind of code."""

import numpy as np
import pytest

import query_model as model
from asyncstore import models as m
from model_runs import first_seed, run_data_sets
from query_run import EXACT, QueryRun

CASES = 2_000  # of each reader
DIM = 24
CODES = [
    None,
    m.ScalarQuantization(scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)),
    m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=4)),
    m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=1)),
]
ALL_READ = m.QuantizationSearchParams(early_stop=False, oversampling=500.0)
# All of these find the true best.
PARAMS = [
    EXACT,
    m.SearchParams(quantization=m.QuantizationSearchParams(ignore=True)),
    m.SearchParams(quantization=ALL_READ),
]


@pytest.mark.parametrize("async_scorer", ["auto", False])
def test_queries(tmp_path, async_scorer):
    run = Run(tmp_path / "store", async_scorer)
    run_data_sets(run, cases=CASES, first=first_seed())


class Run(QueryRun):
    using = "dense"
    error = 2e-4

    def settings(self, number):
        self.distance = self.draw.choice(list(m.Distance))
        codes = CODES[:2] if self.distance is m.Distance.MANHATTAN else CODES
        params = m.VectorParams(
            size=DIM,
            distance=self.distance,
            hnsw_config=m.HnswConfigDiff(full_scan_threshold=10),
            quantization_config=self.draw.choice(codes),
        )
        return {"vectors": {self.using: params}}

    def vector(self):
        return self.numbers.standard_normal(DIM).astype(np.float32)

    def as_stored(self, vector):
        is_scaled = self.distance is m.Distance.COSINE
        return vector / np.linalg.norm(vector) if is_scaled else vector

    def ranked(self, query, vectors):
        return model.ranked(query, self.distance, vectors)

    def similar(self, query, vector):
        return model.similarity(self.distance, query, vector)

    def params(self):
        return self.draw.choice(PARAMS)
