"""Makes the demo's sample out of a folder of real embeddings: ``make_sample.py DIR``.

DIR has the files that ``asyncstore/sample/README.md`` describes, for all rows. The sample keeps
some of the queries, the nearest rows of each (so that what the demo finds is worth reading), and
rows drawn at random; then the exact neighbours are computed anew among the rows kept.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np

SAMPLE = Path(__file__).parents[1] / "asyncstore" / "sample"
ROWS = 5_000
QUERIES = 200
NEAREST_KEPT = 15  # rows of each query that are kept for certain
NEIGHBORS = 100
BYTES_MAX = 8 << 20


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path, help="such as /work/shared/data")
    arguments.add_argument("--target", type=Path, default=SAMPLE)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    make_sample(given.folder, given.target, np.random.default_rng(given.seed))
    size_bytes = sum(file.stat().st_size for file in given.target.iterdir() if file.is_file())
    print(f"{given.target}: {size_bytes / 1e6:.1f} MB")
    assert size_bytes <= BYTES_MAX


def make_sample(folder: Path, target: Path, random: np.random.Generator) -> None:
    vectors = np.load(folder / "vectors.f16.npy", mmap_mode="r")
    queries = np.load(folder / "queries.f16.npy")
    neighbors = np.load(folder / "neighbors.i32.npy")
    chosen = np.sort(random.choice(len(queries), QUERIES, replace=False))
    nearest = np.unique(neighbors[chosen, :NEAREST_KEPT])
    others = np.setdiff1d(np.arange(len(vectors)), nearest)
    filling = random.choice(others, ROWS - len(nearest), replace=False)
    rows = np.sort(np.concatenate([nearest, filling]))

    sample = np.ascontiguousarray(vectors[rows])
    np.save(target / "vectors.f16.npy", sample)
    np.save(target / "queries.f16.npy", queries[chosen])
    np.save(target / "neighbors.i32.npy", exact_neighbors(sample, queries[chosen]))
    write_texts(folder / "payloads.jsonl", rows, target / "payloads.jsonl.gz")
    write_texts(folder / "queries.jsonl", chosen, target / "queries.jsonl.gz")


def exact_neighbors(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Rows by descending cosine, computed in float32, ties by row."""
    points = vectors.astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    scores = queries.astype(np.float32) @ points.T
    return np.argsort(-scores, axis=1, kind="stable")[:, :NEIGHBORS].astype(np.int32)


def write_texts(source: Path, rows: np.ndarray, target: Path) -> None:
    wanted = set(rows.tolist())
    # Neither time nor name goes into the file, so that the same input gives the same bytes.
    with (
        source.open(encoding="utf-8") as lines,
        target.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
    ):
        for number, line in enumerate(lines):
            if number in wanted:
                whole = json.loads(line)
                kept = {key: whole[key] for key in ("text", "name", "registry")}
                packed.write((json.dumps(kept, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    main()
