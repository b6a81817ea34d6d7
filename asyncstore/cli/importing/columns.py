"""Which columns of a file (in HDF5: datasets) are the vectors, the ids and the payload."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from asyncstore.errors import InvalidArgumentError
from asyncstore.settings import UNNAMED

ID_NAME = "id"
# What is taken where several columns could be the vectors; "train" is that of ann-benchmarks.
VECTOR_NAMES = frozenset({"vector", "vectors", "embedding", "embeddings", "emb", "train"})


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of columns.

    Attributes:
        vectors: The column of each vector by the vector's name; empty: found by name and type.
        ids: None: that of the name "id", if there is one; "": none, rows are numbered.
        payload: None: all others; empty: none.
    """

    vectors: dict[str, str] = {}
    ids: str | None = None
    payload: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, vectors: Sequence[str], ids: str | None, payload: Sequence[str]) -> Columns:
        """Of the options: each of ``vectors`` is COLUMN, or NAME=COLUMN for a named vector.

        Raises:
            InvalidArgumentError: Two columns are for the same vector.
        """
        by_name: dict[str, str] = {}
        for text in vectors:
            name, is_named, column = text.partition("=")
            name, column = (name, column) if is_named else (UNNAMED, text)
            if name in by_name:
                what = f"vector '{name}'" if name else "the unnamed vector"
                raise InvalidArgumentError(
                    f"--vector: '{by_name[name]}' and '{column}' are both for {what}; "
                    "name vectors by NAME=COLUMN"
                )
            by_name[name] = column
        named = tuple(column for column in payload if column) if payload else None
        return cls(vectors=by_name, ids=ids, payload=named)

    def vectors_among(self, path: Path, candidates: Sequence[str]) -> dict[str, str]:
        """The columns that were named, or the one of ``candidates`` that must be meant.

        Raises:
            InvalidArgumentError: None was named, and there is none or more than one.
        """
        if self.vectors:
            return self.vectors
        likely = [name for name in candidates if name in VECTOR_NAMES]
        chosen = candidates if len(candidates) == 1 else likely
        if len(chosen) != 1:
            found = ", ".join(f"'{name}'" for name in candidates[:20]) or "none"
            raise InvalidArgumentError(
                f"{path}: say by --vector which column has the vectors; of floats there is: {found}"
            )
        return {UNNAMED: chosen[0]}

    def ids_among(self, names: Sequence[str]) -> str | None:
        """The column of ids; None: rows are numbered."""
        if self.ids is None:
            return ID_NAME if ID_NAME in names else None
        return self.ids or None

    def payload_among(self, names: Sequence[str], taken: Sequence[str | None]) -> list[str]:
        """The columns of payload: those that were named, or all of ``names`` not taken."""
        if self.payload is not None:
            return list(self.payload)
        return [name for name in names if name not in taken]
