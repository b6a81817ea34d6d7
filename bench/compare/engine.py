"""What the comparison asks of an engine. One adapter each is in engines/."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.compare.exact import Floats

Ids = NDArray[np.int64]
Values = Mapping[str, Any]  # what an engine calls its own, by its names


class NotThereYetError(Exception):
    """The engine has no such setting in the version at hand; the message says which."""


class Way(StrEnum):
    """How a caller reaches the engine."""

    ASYNCIO = "asyncio"
    THREADS = "threads"
    BATCH = "batch"


class Environment(StrEnum):
    """Which Python runs the engine."""

    OWN = "own"
    PEERS = "peers"
    DISKANN = "diskann"


@dataclass(frozen=True)
class Setting:
    """One point of a curve: an index as `build` names it, searched in one manner."""

    name: str
    build: str
    limit: int = 10
    search: Values = field(default_factory=dict)


class Engine(ABC):
    """An engine in a process of its own: builds its index, or opens it and searches.

    Row numbers are the ids. What an adapter imports of its engine it imports in its methods, so
    that names and settings can be read where the engine is not installed.
    """

    name: ClassVar[str]
    environment: ClassVar[Environment] = Environment.PEERS
    ways: ClassVar[tuple[Way, ...]] = (Way.THREADS,)
    builds: ClassVar[Mapping[str, Values]]
    settings: ClassVar[tuple[Setting, ...]]

    @abstractmethod
    async def build(self, folder: Path, rows: Floats, build: str) -> None:
        """Makes the index of all rows in the empty folder; returns when nothing is left to do.

        Raises:
            NotThereYetError: The engine cannot build this yet.
        """

    @abstractmethod
    async def open(self, folder: Path, setting: Setting) -> None:
        """Opens what `build` made, for searches with this setting only."""

    async def close(self) -> None:
        """Lets go of the index."""
        return

    async def search_asyncio(self, query: Floats, setting: Setting) -> Ids:
        """The nearest rows, best first, without blocking the loop."""
        raise NotImplementedError

    def search_threads(self, query: Floats, setting: Setting) -> Ids:
        """The nearest rows, best first; called from many threads at once."""
        raise NotImplementedError

    async def search_batch(self, queries: Floats, setting: Setting) -> Ids:
        """The nearest rows of each query, (q, limit), -1 where there are fewer."""
        raise NotImplementedError

    def statistics(self) -> dict[str, float]:
        """Counters of the engine's own that only grow: "reads", "read_bytes", "rows_rescored"."""
        return {}


def padded(ids: list[list[int]], limit: int) -> Ids:
    """Rows of ids at one length, -1 at the end of short ones."""
    filled = np.full((len(ids), limit), -1, dtype=np.int64)
    for row, found in zip(filled, ids, strict=True):
        row[: len(found)] = found[:limit]
    return filled
