"""Figures on paper: JSON lines for machines, a table and a plot for people."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import machine

Row = dict[str, Any]


def write(folder: Path, question: str, rows: Sequence[Row]) -> Path:
    """Writes QUESTION.jsonl: the machine first, then a line for each row."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{question}.jsonl"
    lines = [{"question": question, "machine": machine.describe()}, *rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def table(title: str, rows: Sequence[Row]) -> None:
    """Prints the rows as a table; every key of any row is a column."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    widths = [
        max(len(column), *(len(line[i]) for line in cells)) for i, column in enumerate(columns)
    ]
    print(f"\n{title}")
    for line in [columns, ["-" * width for width in widths], *cells]:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def bars(folder: Path, question: str, title: str, unit: str, values: dict[str, float]) -> Path:
    """Draws one bar for each value into QUESTION.png."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(values) + 1.2), layout="constrained")
    names = list(values)
    drawn = axes.barh(names, [values[name] for name in names], color="#3b6ea5")
    axes.bar_label(drawn, fmt="%.3g", padding=3)
    axes.invert_yaxis()
    axes.set_title(title, loc="left")
    axes.set_xlabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    path = folder / f"{question}.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def lines(
    folder: Path,
    name: str,
    title: str,
    labels: tuple[str, str],
    values: dict[str, tuple[Sequence[float], Sequence[float]]],
) -> Path:
    """Draws a line of (x, y) for each name into NAME.png."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    for label, (x, y) in values.items():
        axes.plot(x, y, label=label, linewidth=1.2)
    axes.set_title(title, loc="left")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return str(value)
