"""Draws what gridstore_bench wrote with --json: python bench/plot_gridstore.py FILE [PNG]."""

import json
import sys
from collections import defaultdict
from pathlib import Path


def main(source: Path, target: Path) -> None:
    """One panel for each mix and number of threads: operations a second over time, by store."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    panels: dict[tuple[str, int], dict[str, list[tuple[float, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for line in source.read_text().splitlines():
        window = json.loads(line)
        if window["round"] == 1:
            panel = panels[window["mix"], window["threads"]]
            panel[window["store"]].append((window["second"], window["operations"] * 10))
    mixes = list(dict.fromkeys(mix for mix, _ in panels))
    threads = sorted({count for _, count in panels})
    figure, axes = plt.subplots(
        len(mixes),
        len(threads),
        figsize=(5.5 * len(threads), 2.6 * len(mixes)),
        layout="constrained",
        squeeze=False,
    )
    for (mix, count), stores in panels.items():
        drawn = axes[mixes.index(mix)][threads.index(count)]
        for name, windows in stores.items():
            # The last window is cut short.
            drawn.plot(*zip(*windows[:-1], strict=True), label=name, linewidth=1.2)
        drawn.set_title(f"{mix}, {count} thread{'s' if count > 1 else ''}", loc="left")
        drawn.set_ylim(bottom=0)
        drawn.set_xlabel("seconds")
        drawn.set_ylabel("operations a second")
        drawn.spines[["top", "right"]].set_visible(False)
    axes[0][0].legend(frameon=False)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)
    print("written:", target)


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    if len(given) not in (1, 2):
        sys.exit(__doc__)
    main(given[0], given[1] if len(given) == 2 else given[0].with_suffix(".png"))
