"""Codes for a collection that leaves the choice to the store."""

from __future__ import annotations

from asyncstore.models import (
    Distance,
    QuantizationConfig,
    RabitqQuantization,
    RabitqQuantizationConfig,
    ScalarQuantization,
    ScalarQuantizationConfig,
    ScalarType,
    VectorParams,
)

AUTO = "auto"

# A collection is expected to grow to so many points, and its codes to take no more than this share
# of the memory that is left when it is made.
POINTS_EXPECTED = 1_000_000
MEMORY_SHARE = 0.5
# Of 4, 2 and 1 bits a dimension the most that fit: with 4, ten exact results cost 13 rows, with 2
# twice and with 1 eight times as many (docs/decisions/0014-bounded-rescoring.md).
BITS = (4, 2, 1)
TERMS_BYTES = 8  # of a code, besides the bits
# Vectors of fewer dimensions are small anyway, and what a code leaves out does not average out.
DIMENSIONS_FEW = 96
BITS_OF_FEW = 8


def automatic_codes(params: VectorParams, memory_bytes: int) -> QuantizationConfig:
    """The codes for a vector of these parameters where ``memory_bytes`` are left."""
    if params.distance is Distance.MANHATTAN:  # RaBitQ has no estimate of it
        return ScalarQuantization(scalar=ScalarQuantizationConfig(type=ScalarType.INT8))
    bits = (
        BITS_OF_FEW if params.size < DIMENSIONS_FEW else _bits_that_fit(params.size, memory_bytes)
    )
    return RabitqQuantization(rabitq=RabitqQuantizationConfig(bits=bits))


def _bits_that_fit(size: int, memory_bytes: int) -> int:
    for bits in BITS:
        if POINTS_EXPECTED * (size * bits // 8 + TERMS_BYTES) <= MEMORY_SHARE * memory_bytes:
            return bits
    return BITS[-1]
