"""The files of an import: which ones, of which kind, opened."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from asyncstore.cli.importing.columns import Columns
from asyncstore.cli.importing.npy import NpySource
from asyncstore.cli.importing.source import Source
from asyncstore.errors import InvalidArgumentError, UnsupportedError

_BEGINNING_BYTES = 8


class Kind(Enum):
    """A kind of file: what it is called, how it begins, and what its name ends with."""

    NPY = ("numpy", b"\x93NUMPY", (".npy",))
    PARQUET = ("Parquet", b"PAR1", (".parquet", ".pq"))
    HDF5 = ("HDF5", b"\x89HDF\r\n\x1a\n", (".hdf5", ".h5", ".hdf"))

    def __init__(self, title: str, beginning: bytes, suffixes: tuple[str, ...]) -> None:
        """Of the member's parts."""
        self.title = title
        self.beginning = beginning
        self.suffixes = suffixes


def open_sources(
    paths: Sequence[Path], columns: Columns, ids: Path | None, payload: Path | None
) -> list[Source]:
    """Looks at all files, in the order in which they are read; those without rows are left out.

    Args:
        paths: Files; and folders, which stand for their Parquet files by name.
        columns: What of Parquet and HDF5 is what.
        ids: Of the rows of a .npy file.
        payload: Likewise.

    Raises:
        InvalidArgumentError: A file is none that can be read, or they do not go together.
        UnsupportedError: What reads the file is not installed.
        OSError: A file cannot be read.
    """
    files = [file for path in paths for file in _files_of(path)]
    if len(files) > 1 and (ids or payload):
        raise InvalidArgumentError("--ids, --payload: go with one .npy file")
    sources = [_opened(file, columns, ids, payload) for file in files]
    found = [source for source in sources if source.rows > 0]
    if not found:
        raise InvalidArgumentError(f"{', '.join(map(str, paths))}: must have rows, has none")
    for source in found:
        if source.dims != found[0].dims:
            raise InvalidArgumentError(
                f"{source.path}: has vectors of {_text_of(source.dims)} dimensions, "
                f"{found[0].path} of {_text_of(found[0].dims)}"
            )
    return found


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    parts = [file for file in path.iterdir() if file.suffix.lower() in Kind.PARQUET.suffixes]
    if not parts:
        raise InvalidArgumentError(f"{path}: there is no Parquet file in this folder")
    return sorted(parts)


def _opened(path: Path, columns: Columns, ids: Path | None, payload: Path | None) -> Source:
    kind = _kind_of(path)
    if kind is Kind.NPY:
        return NpySource(path, columns, ids, payload)
    if ids or payload:
        raise InvalidArgumentError(
            f"{path}: --ids and --payload are for .npy files; --id-column and "
            f"--payload-column name what of a {kind.title} file is what"
        )
    try:
        if kind is Kind.PARQUET:
            from asyncstore.cli.importing.parquet import ParquetSource

            return ParquetSource(path, columns)
        from asyncstore.cli.importing.hdf5 import Hdf5Source

        return Hdf5Source(path, columns)
    except ImportError as error:
        raise UnsupportedError(
            f"{path}: {kind.title} files need a package that is not here ({error}): "
            "pip install 'asyncstore[import]'"
        ) from error


def _kind_of(path: Path) -> Kind:
    """By what it begins with, or else by what its name says it should be."""
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING_BYTES)
    for kind in Kind:
        if beginning.startswith(kind.beginning):
            return kind
    for kind in Kind:
        if path.suffix.lower() in kind.suffixes:
            return kind
    raise InvalidArgumentError(f"{path}: is neither a .npy nor a Parquet nor an HDF5 file")


def _text_of(dims: dict[str, int]) -> str:
    return ", ".join(f"{name}: {dim}" if name else str(dim) for name, dim in dims.items())
