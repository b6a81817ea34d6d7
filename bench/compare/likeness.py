"""Do generated rows behave as real ones? The measures that decide what a search costs.

Recall of simple codes after rescoring says how the distances around a query lie to each other,
recall of a graph how well the rows can be walked, the distances how dense the rows are, the
intrinsic dimension how fast neighbours become many.

    python -m bench.compare.likeness --data DIR [--queries N] [--no-graph]
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.compare import corpus
from bench.compare.exact import Floats, Ints, nearest
from bench.compare.generator import Generator, Shape

LIMIT = 10
RESCORED = [10, 20, 40, 100]
EFS = [16, 32, 64, 128, 256]
DIMENSION_NEIGHBORS = 50


def measure(rows: Floats, queries: Floats, *, graph: bool = True) -> dict[str, float]:
    """All measures of one set, by name; those of the graph only where faiss is installed."""
    ids, scores = nearest(rows, queries, 100)
    measures = {**distances(scores), **code_recalls(rows, queries, ids[:, :LIMIT])}
    if graph:
        measures.update(graph_recalls(rows, queries, ids[:, :LIMIT]))
    return measures


def recall(found: Ints, exact: Ints) -> float:
    """The share of each row of `exact` that is in the same row of `found`."""
    hits = sum(len(np.intersect1d(one, other)) for one, other in zip(found, exact, strict=True))
    return hits / exact.size


def distances(scores: Floats) -> dict[str, float]:
    """Of the distances to the 1st and 10th neighbour, and the local intrinsic dimension."""
    lengths = np.sqrt(np.maximum(2 - 2 * scores.astype(np.float64), 0))
    measures = {}
    for rank in (1, 10, 100):
        for share in (10, 50, 90):
            name = f"distance to neighbour {rank}, percentile {share}"
            measures[name] = float(np.percentile(lengths[:, rank - 1], share))
    measures["intrinsic dimension (MLE), median"] = float(np.median(intrinsic_dimension(lengths)))
    return measures


def intrinsic_dimension(lengths: Floats) -> Floats:
    """The maximum likelihood estimate around each query from its nearest distances, ascending.

    Source: E. Levina, P. Bickel, Maximum Likelihood Estimation of Intrinsic Dimension, NIPS 2004.
    """
    used = np.maximum(lengths[:, :DIMENSION_NEIGHBORS], 1e-6)
    logs = np.log(used[:, -1:] / used[:, :-1])
    estimate: Floats = 1 / np.maximum(logs.mean(axis=1), 1e-9)
    return estimate


def code_recalls(rows: Floats, queries: Floats, exact: Ints) -> dict[str, float]:
    """Recall@10 after rescoring the best rows by code, for plain codes of three sizes."""
    mean = rows.mean(axis=0)
    square = np.random.default_rng(0).standard_normal((rows.shape[1],) * 2)
    rotation = np.linalg.qr(square)[0].astype(np.float32)
    measures = {}
    codes: list[tuple[str, Floats, Callable[[Floats], Floats]]] = [
        ("int8", np.eye(rows.shape[1], dtype=np.float32), int8),
        ("4 bits", rotation, four_bits),
        ("1 bit", rotation, one_bit),
    ]
    for name, turned, decode in codes:
        asked = (queries @ turned).astype(np.float32)
        decoded = np.empty_like(rows)
        scale = 1.0 if name != "int8" else float(np.quantile(np.abs(rows[:10_000]), 0.99))
        for begin in range(0, len(rows), 10_000):
            part = rows[begin : begin + 10_000]
            source = part / scale if name == "int8" else (part - mean) @ turned
            decoded[begin : begin + 10_000] = decode(source.astype(np.float32))
        best, _ = nearest(decoded, asked, max(RESCORED))
        for count in RESCORED:
            measures[f"{name}, {count} rescored: recall@10"] = recall(best[:, :count], exact)
    return measures


def int8(scaled: Floats) -> Floats:
    """One scale for all: what lies beyond ±1 is clipped."""
    return np.round(np.clip(scaled, -1, 1) * 127).astype(np.float32)


def four_bits(residuals: Floats) -> Floats:
    """Sixteen even steps over ±2.7 deviations of the row, scaled so that estimates are unbiased."""
    step = residuals.std(axis=1, keepdims=True) * np.float32(2.7 / 7.5)
    levels = np.clip(np.floor(residuals / np.maximum(step, 1e-9)), -8, 7) + np.float32(0.5)
    return _unbiased(levels.astype(np.float32), residuals)


def one_bit(residuals: Floats) -> Floats:
    """The signs, scaled so that estimates are unbiased."""
    return _unbiased(np.where(residuals >= 0, 1, -1).astype(np.float32), residuals)


def _unbiased(levels: Floats, residuals: Floats) -> Floats:
    lengths = np.einsum("nd,nd->n", residuals, residuals)
    along = np.einsum("nd,nd->n", residuals, levels)
    scaled: Floats = levels * (lengths / np.maximum(along, 1e-9))[:, None]
    return scaled


def graph_recalls(rows: Floats, queries: Floats, exact: Ints) -> dict[str, float]:
    """Recall@10 of faiss's HNSW over the vectors themselves: m 16, ef_construct 100."""
    try:
        import faiss
    except ImportError:
        return {}
    index = faiss.IndexHNSWFlat(rows.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 100
    index.add(rows)
    measures = {}
    for ef in EFS:
        index.hnsw.efSearch = ef
        _, found = index.search(queries, LIMIT)
        measures[f"HNSW, ef {ef}: recall@10"] = recall(found.astype(np.int32), exact)
    return measures


def main() -> None:
    """Prints the measures of the real rows beside those of as many generated ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the real rows")
    parser.add_argument("--store", type=Path, default=Path("build/compare"))
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--rows", type=int, help="a fourth column: so many generated rows")
    parser.add_argument("--no-graph", action="store_true", help="needs no faiss")
    given = parser.parse_args()
    real = corpus.real(given.data, given.store)
    count, dim = real.rows.shape
    shape = Shape(rows=count, dim=dim)
    grown = _grown(np.asarray(real.rows), shape)
    sets = [
        ("real", real.rows, real.queries),
        ("generated", *_generated(given.data, given.store, shape)),
        ("generated from a tenth", *grown),
    ]
    if given.rows:
        larger = Shape(rows=given.rows, dim=dim)
        sets.append((f"{given.rows:,} generated", *_generated(given.data, given.store, larger)))
    columns: dict[str, dict[str, float]] = {}
    for name, rows, queries in sets:
        columns[name] = measure(
            np.asarray(rows), np.asarray(queries[: given.queries]), graph=not given.no_graph
        )
        print(name, columns[name], flush=True)
    print(table(columns))


def table(columns: dict[str, dict[str, float]]) -> str:
    """Markdown: a line for each measure, a column for each set."""
    lines = [
        f"| measure | {' | '.join(columns)} |",
        f"|---{'|---' * len(columns)}|",
    ]
    for measure_name in next(iter(columns.values())):
        cells = [f"{column[measure_name]:.3f}" for column in columns.values()]
        lines.append(f"| {measure_name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _generated(source: Path, store: Path, shape: Shape) -> tuple[Floats, Floats]:
    made = corpus.generated(source, store, shape)
    return made.rows, made.queries


def _grown(real: Floats, shape: Shape) -> tuple[Floats, Floats]:
    """As many rows as there are, out of a tenth of them: can growth be trusted?"""
    chosen = np.random.default_rng(shape.seed).permutation(len(real))[: len(real) // 10]
    generator = Generator(real[np.sort(chosen)], shape)
    return np.concatenate(list(generator.rows())), np.concatenate(list(generator.queries()))


if __name__ == "__main__":
    main()
