"""asyncstore beside its peers: python -m bench.compare.run [--rows N] [--cap MIB …] [--rounds N].

Every engine builds its index once, uncapped, and keeps it. Then, round by round and engine by
engine in turns, each setting runs in a process of its own: cold under every cap, and warm without
one. Each round asks other queries than the one before.
"""

import argparse
import itertools
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from bench import machine
from bench.compare import cage, corpus, engines, figures, generator, trial
from bench.compare.corpus import Corpus
from bench.compare.engine import Engine, Way
from bench.compare.trial import Phase, Result, Trial

ROOT = Path(__file__).resolve().parents[2]
INFLIGHT = (1, 16)
WARM_UP_QUERIES = 200
GRAPH_LINKS_BYTES = 2 * 16 * 4  # of a row on the lowest layer, m 16
ID_BYTES = 8
PROCESS_MIB = 96  # Python, numpy and an engine's code
BATCH_QUERIES = 1_000


def main() -> None:
    given = _arguments()
    rows = _corpus(given)
    chosen = [engines.engine(name) for name in given.engines]
    caps = _caps(given.cap, rows)
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
        for name in dict.fromkeys(s.build for s in engine.settings if _wanted(given, s.name)):
            built = trial.build(rows, engine, name, anew=engine.name in given.rebuild)
            told["builds"].append(built)
            print(figures.built_line(built), flush=True)
    failed = {(b["engine"], b["build"]) for b in told["builds"] if "failure" in b}
    target = given.results / f"compare-{rows.name}.json"
    given.results.mkdir(parents=True, exist_ok=True)
    for number in range(given.rounds):
        for one in _turns(chosen, caps, number, given):
            if (one.engine.name, one.setting.build) in failed:
                continue
            phases = _phases(one, number, given)
            warm_up = Phase(phases[0].way, 16, _RESERVED, WARM_UP_QUERIES, given.seconds)
            result = trial.search(rows, one, warm_up, phases)
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


def _turns(
    chosen: list[Engine], caps: list[int], number: int, given: argparse.Namespace
) -> Iterator[Trial]:
    """All trials of a round: engines take turns, and another one begins each round."""
    order = chosen[number % len(chosen) :] + chosen[: number % len(chosen)]
    conditions: list[tuple[bool, int | None]] = []
    if "cold" in given.conditions:
        conditions += [(False, cap) for cap in caps] or [(False, None)]
    if "warm" in given.conditions:
        conditions.append((True, None))
    for warm, cap in conditions:
        lists = [[(e, s) for s in e.settings if _wanted(given, s.name)] for e in order]
        for turn in itertools.zip_longest(*lists):
            for pair in turn:
                if pair is not None:
                    yield Trial(pair[0], pair[1], warm, cap)


_RESERVED = 0  # the first queries warm up and are never measured


def _phases(one: Trial, number: int, given: argparse.Namespace) -> list[Phase]:
    """The loads of a trial, each on queries of its own; every trial of a round asks the same."""
    phases = []
    first = WARM_UP_QUERIES + number * (
        given.queries * len(INFLIGHT) * len(one.engine.ways) + BATCH_QUERIES
    )
    for way in one.engine.ways:
        for inflight in (BATCH_QUERIES,) if way is Way.BATCH else INFLIGHT:
            count = min(BATCH_QUERIES, given.queries) if way is Way.BATCH else given.queries
            phases.append(Phase(way.value, min(inflight, count), first, count, given.seconds))
            first += count
    return phases


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


def _wanted(given: argparse.Namespace, setting: str) -> bool:
    return not given.settings or any(part in setting for part in given.settings)


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
