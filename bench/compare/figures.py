"""What the trials say: medians over rounds, a Markdown page, plots."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.compare.trial import Result, Trial

Row = dict[str, Any]

KEY = ("engine", "setting", "build", "limit", "condition", "cap_mib", "way", "inflight")
COLUMNS = {
    "engine": "engine",
    "setting": "setting",
    "way": "way",
    "inflight": "in flight",
    "recall": "recall",
    "qps": "QPS",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "reads": "reads/query",
    "read_kib": "KiB/query",
    "resident_mib": "resident MiB",
    "anonymous_mib": "anonymous MiB",
    "group_mib": "group MiB",
    "build_s": "build s",
    "disk_mib": "disk MiB",
    "rounds": "rounds",
}


READS = (
    "Reads are requests to the disk, by the kernel's count. Where other processes read too it is "
    "the share that this one has of the bytes. A batch is one call: its latency is that of all."
)


def flat(trial: Trial, number: int, result: Result) -> list[Row]:
    """A row for each phase of a trial, or one that tells its failure."""
    about: Row = {
        "round": number,
        "engine": trial.engine.name,
        "setting": trial.setting.name,
        "build": trial.setting.build,
        "limit": trial.setting.limit,
        "condition": trial.condition,
        "cap_mib": trial.cap_mib,
    }
    if "failure" in result:
        return [{**about, "failure": result["failure"]}]
    outer = {key: value for key, value in result.items() if key != "phases"}
    return [{**about, **outer, **phase} for phase in result["phases"]]


def summary(trials: Sequence[Row], builds: Sequence[Row]) -> list[Row]:
    """Medians over rounds. Rounds in which the disk changed count only if there is no other."""
    built = {(row["engine"], row["build"]): row for row in builds}
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in trials:
        if "recall" in row:
            groups.setdefault(tuple(row[name] for name in KEY), []).append(row)
    rows = []
    for key, group in groups.items():
        steady = [row for row in group if row.get("device_steady", True)]
        used = steady or group
        about = dict(zip(KEY, key, strict=True))
        made = built.get((about["engine"], about["build"]), {})
        rows.append(
            {
                **about,
                "steady": bool(steady),
                "rounds": len(used),
                "recall": _mean(used, "recall"),
                "qps": _median(used, "qps"),
                "p50_ms": _median(used, "p50_ms"),
                "p99_ms": _median(used, "p99_ms"),
                "cpu_ms": _median(used, "cpu_ms"),
                "reads": _median(used, "reads"),
                "own_reads": _median(used, "own_reads"),
                "read_kib": _scaled(_median(used, "read_bytes"), 2**10),
                "resident_mib": _scaled(_median(used, "resident_bytes"), 2**20),
                "anonymous_mib": _scaled(_median(used, "resident_anonymous_bytes"), 2**20),
                # Without a cap the process has no group of its own to count.
                "group_mib": None
                if about["cap_mib"] is None
                else _scaled(_median(used, "group_bytes"), 2**20),
                "device_reads_s": _median(used, "device_reads_s"),
                "build_s": made.get("build_s"),
                "disk_mib": _scaled(made.get("disk_bytes"), 2**20),
            }
        )
    return rows


def page(told: Result) -> str:
    """The Markdown page: a table for each condition, then what did not run."""
    lines = [
        f"# {told['corpus']}: {told['rows']:,} × {told['dim']}",
        "",
        ", ".join(f"{key} {value}" for key, value in told["machine"].items()),
    ]
    if told.get("no_cap_because"):
        lines += ["", f"Without a memory cap: {told['no_cap_because']}."]
    for name, rows in _by_condition(told["summary"]):
        lines += ["", f"## {name}", ""]
        lines += _table(rows)
    failures = dict.fromkeys(
        f"- {row['engine']}, {row.get('setting', row['build'])}: {row['failure']}"
        for row in [*told["builds"], *told["trials"]]
        if "failure" in row
    )
    if failures:
        lines += ["", "## Did not run", "", *failures]
    lines += ["", READS]
    if any(not row["steady"] for row in told["summary"]):
        lines += ["A question mark: the disk's rate changed during every round of that row."]
    return "\n".join(lines) + "\n"


def plots(told: Result, target: Path) -> list[Path]:
    """QPS over recall, reads a query over recall, p99 over the cap; those that have points."""
    rows = [row for row in told["summary"] if row["limit"] == 10 and row["inflight"] == 16]
    made = []
    for name, condition in _by_condition(rows):
        slug = name.replace(" ", "-").replace(",", "")
        for value, label in (("qps", "queries a second"), ("reads", "reads a query")):
            path = target.with_name(f"{target.stem}-{value}-{slug}.png")
            made += _plot(path, f"{told['corpus']}: {name}", "recall", value, label, condition)
    capped = [row for row in rows if row["cap_mib"] is not None]
    if len({row["cap_mib"] for row in capped}) > 1:
        path = target.with_name(f"{target.stem}-p99.png")
        title = f"{told['corpus']}: cold, best p99 at recall ≥ 0.96"
        good = [row for row in capped if row["recall"] >= 0.96]
        best = {}
        for row in sorted(good, key=lambda row: -row["p99_ms"]):
            best[row["engine"], row["cap_mib"]] = row
        made += _plot(path, title, "cap_mib", "p99_ms", "p99, ms", list(best.values()))
    return made


def built_line(row: Row) -> str:
    """For the terminal."""
    if "failure" in row:
        return f"build  {row['engine']} {row['build']}: {row['failure']}"
    size = row["disk_bytes"] / 2**20
    return f"build  {row['engine']} {row['build']}: {row['build_s']:.1f} s, {size:.0f} MiB on disk"


def trial_line(row: Row) -> str:
    """For the terminal."""
    cap = f" cap {row['cap_mib']}" if row["cap_mib"] is not None else ""
    begin = f"{row['round']}  {row['engine']} {row['setting']} {row['condition']}{cap}"
    if "recall" not in row:
        return f"{begin}: {row.get('failure', 'no query answered in time')}"
    return (
        f"{begin} {row['way']} {row['inflight']}: recall {row['recall']:.3f}, "
        f"{row['qps']:,.0f} QPS, p50 {row['p50_ms']:.2f} ms, p99 {row['p99_ms']:.2f} ms"
    )


def _by_condition(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        cap = "" if row["cap_mib"] is None else f", cap {row['cap_mib']} MiB"
        groups.setdefault(f"{row['condition']}{cap}", []).append(row)
    return list(groups.items())


def _table(rows: list[Row]) -> list[str]:
    # By limit, load and recall: rows beside each other answer the same question.
    order = sorted(
        rows, key=lambda row: (row["limit"], row["inflight"], row["engine"], row["recall"])
    )
    columns = [name for name in COLUMNS if any(row.get(name) is not None for row in rows)]
    lines = [
        "| " + " | ".join(COLUMNS[name] for name in columns) + " |",
        "|" + "|".join("---" for _ in columns) + "|",
    ]
    for row in order:
        cells = [_text(row.get(name)) for name in columns]
        cells[-1] += "" if row["steady"] else " ?"
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _plot(path: Path, title: str, x: str, y: str, label: str, rows: Sequence[Row]) -> list[Path]:
    """Points in the colour of their engine and way; a line joins those that none of them beats."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    drawn = [row for row in rows if row.get(y)]
    if not drawn:
        return []
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    for engine, way in dict.fromkeys((row["engine"], row["way"]) for row in drawn):
        points = sorted(
            (row[x], row[y]) for row in drawn if (row["engine"], row["way"]) == (engine, way)
        )
        line = axes.plot(*zip(*points, strict=True), "o", markersize=4)[0]
        best = points if x != "recall" else unbeaten(points, more=y == "qps")
        axes.plot(*zip(*best, strict=True), "o-", color=line.get_color(), label=f"{engine}, {way}")
    axes.set_title(f"{title}, 16 in flight", loc="left")
    axes.set_xlabel("recall@10" if x == "recall" else "memory cap, MiB")
    axes.set_ylabel(label)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    low, high = axes.get_ylim()
    axes.yaxis.set_minor_formatter("{x:g}" if high < 100 * low else "")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return [path]


def unbeaten(points: Sequence[tuple[float, float]], *, more: bool) -> list[tuple[float, float]]:
    """Those (recall, value) than which no other has more recall and a value at least as good."""
    kept: list[tuple[float, float]] = []
    sign = -1 if more else 1
    for point in sorted(points, key=lambda point: (-point[0], sign * point[1])):
        if not kept or sign * point[1] < sign * kept[-1][1]:
            kept.append(point)
    return kept[::-1]


def _mean(rows: Sequence[Row], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def _median(rows: Sequence[Row], name: str) -> float | None:
    values = [row[name] for row in rows if row.get(name) is not None]
    return float(np.median(values)) if values else None


def _scaled(value: float | None, unit: int) -> float | None:
    return None if value is None else value / unit


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}" if value < 10 else f"{value:,.0f}"
    return str(value)
