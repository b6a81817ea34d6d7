"""What all commands share: how they run, print, and fail."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVarTuple

import anyio
import msgspec
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from asyncstore.errors import AsyncStoreError, InvalidArgumentError

Arguments = TypeVarTuple("Arguments")


@dataclass(frozen=True)
class Output:
    """Where a command prints: tables for people, or one JSON document for machines.

    Attributes:
        is_json: Whether standard output is for a machine; people's output then goes nowhere.
        console: For people.
    """

    is_json: bool
    console: Console = field(default_factory=Console)

    def __post_init__(self) -> None:
        self.console.quiet = self.is_json

    def json(self, document: object) -> None:
        """Prints the document, if the output is for a machine."""
        if self.is_json:
            sys.stdout.write(msgspec.json.encode(document).decode() + "\n")

    def progress(self) -> Progress:
        """A progress bar, to be entered; it is on standard error, where it spoils no pipe."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            _RowsColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True, quiet=self.is_json),
        )


class _RowsColumn(ProgressColumn):
    """How many rows are done, and how many in a second; nothing for tasks that count no rows."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        """Of a task with the field ``unit``."""
        unit = task.fields.get("unit")
        if unit is None:
            return Text()
        rate = "" if task.speed is None else f", {task.speed:,.0f}/s"
        return Text(f"{task.completed:,.0f} of {task.total or 0:,.0f} {unit}{rate}")


def run(
    command: Callable[[*Arguments], Awaitable[int]], *arguments: *Arguments, uvloop: bool = False
) -> None:
    """Runs a command to its exit code; an error is one line on standard error and the code 1."""
    options = {"use_uvloop": uvloop}
    try:
        code = anyio.run(command, *arguments, backend_options=options)
    except (AsyncStoreError, OSError) as error:
        typer.echo(f"error: {one_line(error)}", err=True)
        code = 1
    except KeyboardInterrupt:
        code = 130
    raise typer.Exit(code)


def one_line(error: BaseException) -> str:
    """The error's message without line breaks."""
    return " ".join(str(error).split())


def existing_store(path: Path) -> str:
    """The path of a store that is there; looking at one must not make one.

    Raises:
        InvalidArgumentError: There is no such folder, or it is empty.
    """
    if not path.is_dir() or not any(path.iterdir()):
        raise InvalidArgumentError(f"{path}: there is no store in this folder")
    return str(path)


def size_text(size_bytes: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"
