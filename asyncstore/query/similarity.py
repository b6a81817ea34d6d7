"""How similar vectors are, in float32; for some thousands of them, which the core is not asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asyncstore.models import Distance


def comparable(matrix: NDArray[np.floating], distance: Distance) -> NDArray[np.floating]:
    """The rows as :func:`similarities` takes them: of unit length with cosine."""
    if distance is not Distance.COSINE:
        return matrix
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, 1)


def similarities(
    matrix: NDArray[np.floating], vector: NDArray[np.floating], distance: Distance
) -> NDArray[np.floating]:
    """Of each row to a vector, (n,); the greater the nearer.

    Distances are negative, and Euclid's is squared.
    """
    found: NDArray[np.floating]
    match distance:
        case Distance.EUCLID:
            found = -np.square(matrix - vector).sum(axis=1)
        case Distance.MANHATTAN:
            found = -np.abs(matrix - vector).sum(axis=1)
        case _:
            found = matrix @ vector
    return found
