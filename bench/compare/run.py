"""asyncstore beside its peers: python -m bench.compare.run [--rows N] [--cap MIB …] [--rounds N].

Every engine builds its index once, uncapped, and keeps it. Then, round by round and engine by
engine in turns, each setting runs in a process of its own: cold under every cap, and warm without
one. Each round asks other queries than the one before.
"""

import argparse
import json
from importlib import resources
from pathlib import Path

from bench import machine
from bench.compare import cage, corpus, engines, figures, generator, trial
from bench.compare.corpus import Corpus
from bench.compare.schedule import Schedule
from bench.compare.trial import Result

ROOT = Path(__file__).resolve().parents[2]
GRAPH_LINKS_BYTES = 2 * 16 * 4  # of a row on the lowest layer, m 16
ID_BYTES = 8
PROCESS_MIB = 96  # Python, numpy and an engine's code


def main() -> None:
    given = _arguments()
    rows = _corpus(given)
    chosen = [engines.engine(name) for name in given.engines]
    caps = _caps(given.cap, rows)
    schedule = Schedule(
        engines=chosen,
        settings=given.settings,
        caps_mib=caps,
        conditions=given.conditions,
        queries=given.queries,
        queries_available=len(rows.queries),
        seconds_max=given.seconds,
    )
    print("machine:", ", ".join(f"{key} {value}" for key, value in machine.describe().items()))
    print(f"rows: {rows.name}, caps: {caps or 'none'}")
    told: Result = {
        "machine": machine.describe(),
        "corpus": rows.name,
        "rows": len(rows.rows),
        "dim": rows.rows.shape[1],
        "caps_mib": caps,
        "no_cap_because": cage.why_not() if given.cap else None,
        "builds": [],
        "trials": [],
    }
    for engine in chosen:
        for name in dict.fromkeys(setting.build for setting in schedule.wanted(engine)):
            built = trial.build(rows, engine, name, anew=engine.name in given.rebuild)
            told["builds"].append(built)
            print(figures.built_line(built), flush=True)
    failed = {(b["engine"], b["build"]) for b in told["builds"] if "failure" in b}
    target = given.results / f"compare-{rows.name}.json"
    given.results.mkdir(parents=True, exist_ok=True)
    for number in range(given.rounds):
        for one in schedule.turns(number):
            if (one.engine.name, one.setting.build) in failed:
                continue
            result = trial.search(rows, one, *schedule.phases(one.engine, number))
            rows_of_trial = figures.flat(one, number, result)
            told["trials"].extend(rows_of_trial)
            for row in rows_of_trial:
                print(figures.trial_line(row), flush=True)
            target.write_text(json.dumps(told, indent=1))
    _report(told, target)


def _report(told: Result, target: Path) -> None:
    told["summary"] = figures.summary(told["trials"], told["builds"])
    target.write_text(json.dumps(told, indent=1))
    page = target.with_suffix(".md")
    page.write_text(figures.page(told))
    print("\n" + figures.page(told))
    print("written:", target, page, *figures.plots(told, target))


def _corpus(given: argparse.Namespace) -> Corpus:
    source = given.data or Path(str(resources.files("asyncstore.sample")))
    if given.rows == "real":
        return corpus.real(source, given.store)
    base_dim = corpus.real(source, given.store).rows.shape[1]
    shape = generator.Shape(
        rows=int(given.rows),
        dim=given.dim or base_dim,
    )
    return corpus.generated(source, given.store, shape)


def _caps(asked: list[str], rows: Corpus) -> list[int]:
    """In MiB; none where no process can be capped."""
    if not asked:
        return []
    reason = cage.why_not()
    if reason is not None:
        print("no memory cap here:", reason)
        return []
    return [auto_cap(*rows.rows.shape) if cap == "auto" else int(cap) for cap in asked]


def auto_cap(rows: int, dim: int) -> int:
    """int8 codes, links of m 16 and ids, 15 % more, and a process; in MiB."""
    resident = rows * (dim + GRAPH_LINKS_BYTES + ID_BYTES)
    return int(resident * 1.15 / 2**20) + PROCESS_MIB


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with the real rows; default: the sample")
    parser.add_argument("--store", type=Path, default=ROOT / "build" / "compare")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument("--rows", default="real", help='"real", or how many to generate')
    parser.add_argument("--dim", type=int, help="of generated rows, at least the real ones'")
    parser.add_argument("--cap", nargs="*", default=[], help='memory caps in MiB, or "auto"')
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queries", type=int, default=500, help="of each phase")
    parser.add_argument("--seconds", type=float, default=20.0, help="at most, for each phase")
    parser.add_argument("--conditions", nargs="+", default=["cold", "warm"])
    parser.add_argument(
        "--engines", nargs="+", default=list(engines.NAMES), choices=list(engines.NAMES)
    )
    parser.add_argument("--settings", nargs="*", default=[], help="only those whose name has this")
    parser.add_argument("--rebuild", nargs="*", default=[], help="engines whose indexes are stale")
    given = parser.parse_args()
    if given.rows != "real" and not given.rows.isdigit():
        parser.error(f'--rows is "real" or a number, not {given.rows!r}')
    if given.dim and given.rows == "real":
        parser.error("--dim is of generated rows; give --rows a number")
    return given


if __name__ == "__main__":
    main()
