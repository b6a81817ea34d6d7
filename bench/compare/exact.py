"""The exact nearest rows by inner product: brute force, block by block, of rows beyond RAM too."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

BLOCK_ROWS = 8_192  # with 1,000 queries a block's scores are 32 MB
QUERIES_AT_ONCE = 1_000


def nearest(rows: Floats, queries: Floats, limit: int) -> tuple[Ints, Floats]:
    """The rows of greatest inner product with each query, in float32.

    Args:
        rows: (n, dim); of a memory map each block is read once, whatever the number of queries.
        queries: (q, dim).
        limit: at most n.

    Returns:
        Row numbers and scores, both (q, limit), best first, ties by row.
    """
    best = np.full((len(queries), limit), -np.inf, dtype=np.float32)
    ids = np.full((len(queries), limit), -1, dtype=np.int32)
    for begin in range(0, len(rows), BLOCK_ROWS):
        block = np.asarray(rows[begin : begin + BLOCK_ROWS], dtype=np.float32).T
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            some = slice(first, first + QUERIES_AT_ONCE)
            scores = queries[some] @ block
            # Almost no row of a late block reaches the worst that is kept: what does is merged.
            at_query, at_row = np.nonzero(scores > best[some, -1:])
            if len(at_query) > 0:
                found = scores[at_query, at_row]
                _merge(best[some], ids[some], at_query, at_row + begin, found)
    return ids, best


def neighborhoods(rows: Floats, count: int) -> Ints:
    """For each row the `count` rows nearest to it, itself left out."""
    found = np.empty((len(rows), count), dtype=np.int32)
    for begin in range(0, len(rows), QUERIES_AT_ONCE):
        part = rows[begin : begin + QUERIES_AT_ONCE]
        ids, _ = nearest(rows, part, count + 1)
        own = ids == np.arange(begin, begin + len(part))[:, None]
        # Among equal rows a row need not be its own nearest, nor be found at all.
        own[~own.any(axis=1), -1] = True
        found[begin : begin + len(part)] = ids[~own].reshape(len(part), count)
    return found


def _merge(
    best: Floats,
    ids: Ints,
    at_query: NDArray[np.int64],
    at_row: NDArray[np.int64],
    scores: Floats,
) -> None:
    """Merges (query, row, score), ascending by query, into the best of each query."""
    limit = best.shape[1]
    for query, first, last in _runs(at_query):
        all_scores = np.concatenate([best[query], scores[first:last]])
        all_ids = np.concatenate([ids[query], at_row[first:last]])
        if len(all_scores) > 4 * limit:
            kept = np.argpartition(-all_scores, limit - 1)[:limit]
            # Rows that tie with the last one kept compete by row number.
            kept = np.nonzero(all_scores >= all_scores[kept].min())[0]
            all_scores, all_ids = all_scores[kept], all_ids[kept]
        order = np.lexsort((all_ids, -all_scores))[:limit]
        best[query] = all_scores[order]
        ids[query] = all_ids[order]


def _runs(values: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Value, begin and end of each run of equal values."""
    ends = np.append(np.nonzero(np.diff(values))[0] + 1, len(values))
    begins = np.concatenate([[0], ends[:-1]])
    return [
        (int(values[begin]), int(begin), int(end)) for begin, end in zip(begins, ends, strict=True)
    ]
