"""Real embeddings with their texts, a few thousand of them, for the demo and for first steps.

The files are described in ``README.md`` beside this one. A folder with the same files, packed or
not, can be read in their place.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from asyncstore.errors import InvalidArgumentError

Number = TypeVar("Number", bound=np.generic)

FOLDER = Path(__file__).parent


class Text(msgspec.Struct, frozen=True):
    """What was embedded, and the package it describes."""

    text: str
    name: str = ""
    registry: str = ""


@dataclass(frozen=True, eq=False)
class Sample:
    """Embeddings, their texts, and queries with known answers.

    Attributes:
        vectors: (n, dim) float16.
        texts: The n texts.
        queries: (q, dim) float16.
        query_texts: The q texts.
        neighbors: (q, k) int32, the exact nearest rows by cosine, nearest first.
    """

    vectors: NDArray[np.float16]
    texts: list[Text]
    queries: NDArray[np.float16]
    query_texts: list[Text]
    neighbors: NDArray[np.int32]


def load(folder: Path = FOLDER) -> Sample:
    """Reads a sample; vectors are mapped, not read.

    Raises:
        InvalidArgumentError: A file is missing, or lengths do not match.
    """
    sample = Sample(
        vectors=_array(folder, "vectors.f16.npy", np.float16),
        texts=_texts(folder, "payloads.jsonl"),
        queries=_array(folder, "queries.f16.npy", np.float16),
        query_texts=_texts(folder, "queries.jsonl"),
        neighbors=_array(folder, "neighbors.i32.npy", np.int32),
    )
    counts = (len(sample.texts), len(sample.queries), len(sample.neighbors))
    wanted = (len(sample.vectors), len(sample.query_texts), len(sample.query_texts))
    if counts != wanted:
        raise InvalidArgumentError(
            f"{folder}: {counts[0]} texts for {wanted[0]} vectors, {wanted[1]} texts for "
            f"{counts[1]} queries, neighbours of {counts[2]}"
        )
    return sample


def _array(folder: Path, name: str, dtype: type[Number]) -> NDArray[Number]:
    try:
        array: NDArray[np.generic] = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise InvalidArgumentError(f"{folder} has no {name}") from error
    if array.dtype != dtype or array.ndim != 2:
        raise InvalidArgumentError(
            f"{folder / name}: must hold rows of {dtype.__name__}, "
            f"has {array.dtype} of shape {array.shape}"
        )
    return cast("NDArray[Number]", array)


def _texts(folder: Path, name: str) -> list[Text]:
    packed = folder / f"{name}.gz"
    if packed.exists():
        content = gzip.decompress(packed.read_bytes())
    elif (folder / name).exists():
        content = (folder / name).read_bytes()
    else:
        raise InvalidArgumentError(f"{folder} has no {name}")
    return msgspec.json.Decoder(Text).decode_lines(content)
