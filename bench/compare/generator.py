"""More rows of the same kind as some real ones: unit vectors of the same clusters and spectrum.

A new row starts at a real row drawn at random and takes one step within the real row's
neighbourhood, its `NEIGHBORS` nearest rows. With their mean μ and residuals r_j the row x becomes

    g = μ + √(1 − a²) (x − μ) + a · Σ_j w_j r_j / √NEIGHBORS,    w_j ~ N(0, 1)

and is brought to unit length. The sum is a draw from the neighbourhood's own covariance, so what
is added points where the real data varies there, with the variance that it has there; the root
before x − μ takes away what the draw adds, so the cloud as a whole becomes neither wider nor
narrower (this is the step of a preconditioned Crank–Nicolson chain, whose invariant distribution
is the Gaussian with that mean and covariance). Rows that lie densely stay dense, outliers stay
outliers, and no row is a copy of a real one.

More dimensions than the real rows have: `Widening` maps rows smoothly into the wider space.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.compare.exact import Floats, Ints, neighborhoods

# Found by trying, see README.md: the pair that stays closest to real rows at any growth.
NEIGHBORS = 40
STEP = 0.9
PART_ROWS = 2_048  # neighbours of one part: 2,048 × 40 × 384 × 4 B = 126 MB

ROWS_STREAM = 0
QUERIES_STREAM = 1


@dataclass(frozen=True)
class Shape:
    """What tells one generated set from another; equal shapes give equal bytes."""

    rows: int
    dim: int
    seed: int = 1
    queries: int = 10_000
    neighbors: int = NEIGHBORS
    step: float = STEP


class Generator:
    """Draws rows and queries of a shape, part by part; any part can be drawn alone."""

    def __init__(self, base: Floats, shape: Shape, near: Ints | None = None) -> None:
        """Finds the neighbourhoods of the base, unless given.

        Args:
            base: (n, dim) unit vectors, real.
            shape: dim at least the base's.
            near: (n, k ≥ neighbors) as `neighborhoods` finds them.
        """
        assert shape.dim >= base.shape[1], f"{shape.dim} dimensions from {base.shape[1]}"
        self._base = base
        self._shape = shape
        self._near = neighborhoods(base, shape.neighbors) if near is None else near
        self._widening = (
            Widening(base, shape.dim, shape.seed) if shape.dim > base.shape[1] else None
        )

    def rows(self) -> Iterator[Floats]:
        """The rows in parts of at most PART_ROWS."""
        return self._parts(ROWS_STREAM, self._shape.rows)

    def queries(self) -> Iterator[Floats]:
        """The queries: drawn as the rows are, by other random numbers, so none is a row."""
        return self._parts(QUERIES_STREAM, self._shape.queries)

    def _parts(self, stream: int, count: int) -> Iterator[Floats]:
        for number, begin in enumerate(range(0, count, PART_ROWS)):
            # Each part has a generator of its own: what a part holds depends on nothing before it.
            random = np.random.default_rng([self._shape.seed, stream, number])
            part = self._draw(random, min(PART_ROWS, count - begin))
            yield self._widening.widen(part) if self._widening is not None else part

    def _draw(self, random: np.random.Generator, count: int) -> Floats:
        neighbors, step = self._shape.neighbors, self._shape.step
        chosen = random.integers(len(self._base), size=count)
        weights = random.standard_normal((count, 1, neighbors), dtype=np.float32)
        around = self._base[self._near[chosen, :neighbors]]
        mean = around.mean(axis=1)
        # The residuals' sum, without a copy of the neighbourhood for the residuals.
        drawn = (weights @ around)[:, 0] - weights.sum(axis=2) * mean
        stay = np.float32(np.sqrt(1 - step**2))
        return unit(
            mean + stay * (self._base[chosen] - mean) + np.float32(step / neighbors**0.5) * drawn
        )


class Widening:
    """A fixed smooth map into more dimensions, that keeps who is near whom.

    The row is followed by random Fourier features of itself, √(2/D) cos(ω·x + b): their inner
    products are near a Gaussian kernel of the distance, which falls as the distance grows, so the
    order of neighbours and the local dimension stay, while the variance spreads over all
    dimensions. The features' weights fall as the tail of the real spectrum does. A random
    orthogonal matrix then mixes all dimensions.
    """

    def __init__(self, base: Floats, dim: int, seed: int, share: float = 0.3) -> None:
        """Args: share: of the squared length that the features hold."""
        random = np.random.default_rng([seed, 2])
        extra = dim - base.shape[1]
        weights = spectrum_tail(base, extra)
        # Wide enough that neighbours differ little in a feature and strangers much.
        scale = _median_distance(base, random)
        self._frequencies = random.standard_normal((base.shape[1], extra), dtype=np.float32) / scale
        self._phases = random.uniform(0, 2 * np.pi, extra).astype(np.float32)
        self._weights = (weights * np.sqrt(2 * share / np.sum(weights**2))).astype(np.float32)
        self._own = np.float32(np.sqrt(1 - share))
        square = random.standard_normal((dim, dim), dtype=np.float32)
        self._rotation: Floats = np.linalg.qr(square)[0].astype(np.float32)

    def widen(self, rows: Floats) -> Floats:
        """(n, dim of the base) to (n, dim), unit length."""
        features = np.cos(rows @ self._frequencies + self._phases) * self._weights
        return unit(np.hstack([self._own * rows, features]) @ self._rotation)


def spectrum_tail(base: Floats, extra: int) -> Floats:
    """The roots of the eigenvalues that would follow, by the power law of the last half."""
    sample = base[: min(len(base), 20_000)]
    values = np.linalg.eigvalsh(np.cov(sample.T))[::-1]
    half = len(values) // 2
    ranks = np.arange(half, len(values)) + 1
    usable = values[half:] > values[0] * 1e-9
    slope, height = 0.0, float(np.log(max(values[-1], 1e-12)))
    if usable.sum() >= 2:
        fitted = np.polyfit(np.log(ranks[usable]), np.log(values[half:][usable]), 1)
        slope, height = float(fitted[0]), float(fitted[1])
    tail = np.arange(len(values), len(values) + extra) + 1
    return np.exp((height + slope * np.log(tail)) / 2).astype(np.float32)


def unit(rows: Floats) -> Floats:
    """The rows at length one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = rows / np.maximum(lengths, np.float32(1e-12))
    return scaled


def _median_distance(base: Floats, random: np.random.Generator) -> float:
    pairs: NDArray[np.int64] = random.integers(len(base), size=(2, 2_000))
    return float(np.median(np.linalg.norm(base[pairs[0]] - base[pairs[1]], axis=1)))
