"""The codes that the store chooses."""

import pytest

from asyncstore import models as m
from asyncstore.automatic import automatic_codes

GIB = 2**30


@pytest.mark.parametrize(
    ("size", "memory_bytes", "bits"),
    [
        (384, 16 * GIB, 4),
        (1536, 16 * GIB, 4),
        (384, 2 * 200_000_000, 4),  # a million codes of 200 bytes in half of it
        (384, 2 * 200_000_000 - 1, 2),
        (384, 2 * 104_000_000 - 1, 1),
        (4096, GIB, 1),
        (384, 0, 1),
        (95, 16 * GIB, 8),
        (96, 16 * GIB, 4),
        (2, 0, 8),
    ],
)
def test_the_most_bits_that_fit(size, memory_bytes, bits):
    for distance in (m.Distance.COSINE, m.Distance.DOT, m.Distance.EUCLID):
        codes = automatic_codes(m.VectorParams(size=size, distance=distance), memory_bytes)
        assert codes == m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=bits))


def test_manhattan_has_codes_of_its_own():
    codes = automatic_codes(m.VectorParams(size=384, distance=m.Distance.MANHATTAN), GIB)
    assert isinstance(codes, m.ScalarQuantization)
