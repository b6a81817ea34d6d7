"""Rows, queries and exact neighbours in a folder, made once and kept.

rows.npy       (rows, dim) float32, unit length
queries.npy    (queries, dim) float32, unit length, none of them a row
neighbors.npy  (queries, 100) int32, nearest first
manifest.json  what it was made from; its absence means that the folder is not complete
indexes/       what the engines built of the rows
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.compare.exact import Floats, Ints, nearest, neighborhoods
from bench.compare.generator import Generator, Shape, unit

NEIGHBORS = 100
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Corpus:
    """A complete folder. The arrays are memory maps: what is not touched is not in RAM."""

    folder: Path
    name: str

    @property
    def rows(self) -> Floats:
        return _mapped(self.folder / "rows.npy")

    @property
    def queries(self) -> Floats:
        return _mapped(self.folder / "queries.npy")

    @property
    def neighbors(self) -> Ints:
        found: Ints = np.load(self.folder / "neighbors.npy", mmap_mode="r")
        return found


def real(source: Path, target: Path) -> Corpus:
    """The real rows as float32 at unit length."""
    count = len(np.load(source / "vectors.f16.npy", mmap_mode="r"))
    name = f"real-{count}"
    folder = target / name
    if _complete(folder, {"source": str(source)}):
        return Corpus(folder, name)
    _begin(folder)
    np.save(folder / "rows.npy", unit(_float32(source / "vectors.f16.npy")))
    np.save(folder / "queries.npy", unit(_float32(source / "queries.f16.npy")))
    np.save(folder / "neighbors.npy", np.load(source / "neighbors.i32.npy"))
    _finish(folder, {"source": str(source)})
    return Corpus(folder, name)


def generated(source: Path, target: Path, shape: Shape) -> Corpus:
    """Rows drawn in the neighbourhoods of the real ones; memory stays bounded at any number."""
    name = f"generated-{shape.rows}x{shape.dim}-{shape.seed}"
    folder = target / name
    told = {"source": str(source), **asdict(shape)}
    if _complete(folder, told):
        return Corpus(folder, name)
    base = real(source, target)
    _begin(folder)
    generator = Generator(np.asarray(base.rows), shape, _neighborhoods(base, shape.neighbors))
    for file, count, parts in (
        ("rows.npy", shape.rows, generator.rows()),
        ("queries.npy", shape.queries, generator.queries()),
    ):
        array = np.lib.format.open_memmap(
            folder / file, mode="w+", dtype=np.float32, shape=(count, shape.dim)
        )
        begin = 0
        for part in parts:
            array[begin : begin + len(part)] = part
            begin += len(part)
        array.flush()
        del array
    made = Corpus(folder, name)
    ids, _ = nearest(made.rows, np.asarray(made.queries), min(NEIGHBORS, shape.rows))
    np.save(folder / "neighbors.npy", ids)
    _finish(folder, told)
    return made


def _neighborhoods(base: Corpus, count: int) -> Ints:
    """Those of the real rows, which all generated sets share."""
    path = base.folder / f"neighborhoods-{count}.npy"
    if not path.exists():
        found = neighborhoods(np.asarray(base.rows), count)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, found)
        partial.rename(path)
    near: Ints = np.load(path)
    return near


def _complete(folder: Path, told: dict[str, object]) -> bool:
    path = folder / MANIFEST
    return path.exists() and json.loads(path.read_text()) == told


def _begin(folder: Path) -> None:
    """An empty folder: indexes of other rows that were built in it go with them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _finish(folder: Path, told: dict[str, object]) -> None:
    (folder / MANIFEST).write_text(json.dumps(told, indent=2) + "\n")


def _mapped(path: Path) -> Floats:
    array: Floats = np.load(path, mmap_mode="r")
    return array


def _float32(path: Path) -> Floats:
    return np.asarray(np.load(path), dtype=np.float32)
