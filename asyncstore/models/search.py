"""How to search, and what many searches at once give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from asyncstore.bounds import Bounds


class QuantizationSearchParams(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How codes take part in a search.

    Attributes:
        ignore: Search by the original vectors alone.
        rescore: Score the preselected by their originals; None means yes. False returns estimates.
        oversampling: ``floor(limit × oversampling)`` points are preselected by their codes; None
            leaves it to the engine.
        early_stop: Whether rescoring may stop once the order is certain (our own).
    """

    ignore: bool = False
    rescore: bool | None = None
    oversampling: Annotated[float, Bounds(1.0)] | None = None
    early_stop: bool = True


class SearchParams(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a search is done. What does not apply to a collection has no effect.

    Attributes:
        hnsw_ef: How widely the graph is searched; no effect while there is no graph.
        exact: Find the true nearest by their original vectors.
        indexed_only: Not supported yet.
        quantization: How codes take part.
    """

    hnsw_ef: Annotated[int, Bounds(1)] | None = None
    exact: bool = False
    indexed_only: bool = False
    quantization: QuantizationSearchParams | None = None


@dataclass(frozen=True, eq=False)
class SearchBatch:
    """The results of q searches, a row each, best first.

    Attributes:
        ids: (q, limit) uint64; or object, where a UUID is among them.
        scores: (q, limit) float32.
        counts: (q,) int32, how many of a row were found. What is beyond has id 0 (None in an array
            of objects) and the score NaN.
    """

    ids: NDArray[np.uint64] | NDArray[np.object_]
    scores: NDArray[np.float32]
    counts: NDArray[np.int32]
