"""What an import is to do, and what it says when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from asyncstore.cli.codes import Codes
from asyncstore.cli.importing.columns import Columns
from asyncstore.models import Distance


@dataclass(frozen=True)
class ImportPlan:
    """What to import, and the collection to make if there is none yet.

    Attributes:
        paths: Files, and folders of Parquet files.
        vectors: Of Parquet and HDF5 files, as the two below, see :class:`Columns`.
        ids: A .npy file, of the rows of another one.
        payload: A JSON Lines file, likewise.
        is_restart: Whether to begin anew where an import was interrupted.
    """

    paths: list[Path]
    vectors: list[str]
    id_column: str | None
    payload_columns: list[str]
    ids: Path | None
    payload: Path | None
    collection: str
    distance: Distance
    codes: Codes
    is_restart: bool

    def columns(self) -> Columns:
        """What of Parquet and HDF5 files is what.

        Raises:
            InvalidArgumentError: Two columns are for the same vector.
        """
        return Columns.parse(self.vectors, self.id_column, self.payload_columns)


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``import --json`` prints.

    Attributes:
        points: Rows of all files.
        dim: Of the unnamed vector; of named ones by name.
        resumed_from: How many rows an interrupted import had written; None: this one began anew.
        points_per_s: Of those that were written this time.
    """

    collection: str
    points: int
    dim: int | dict[str, int]
    resumed_from: int | None
    write_s: float
    optimize_s: float
    points_per_s: float

    def text(self, store: Path) -> str:
        """The same for people."""
        if isinstance(self.dim, Mapping):
            dims = ", ".join(f"{name}: {dim}" for name, dim in self.dim.items())
        else:
            dims = str(self.dim)
        return (
            f"{self.points:,} points of {dims} dimensions in {self.write_s:.1f} s "
            f"({self.points_per_s:,.0f} a second), optimized in {self.optimize_s:.1f} s; "
            f"they are in collection '{self.collection}' of {store}."
        )
