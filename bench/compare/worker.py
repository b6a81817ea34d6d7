"""One engine in a process of its own: builds an index, or searches one; a job in, a result out.

python -m bench.compare.worker JOB.json RESULT.json
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.compare import cage, load, meter
from bench.compare.corpus import Corpus
from bench.compare.engine import Engine, NotThereYetError, Setting, Way
from bench.compare.engines import engine

Job = dict[str, Any]
Result = dict[str, Any]


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    job = json.loads(source.read_text())
    doing = build if job["do"] == "build" else search
    try:
        result = asyncio.run(doing(job))
    except NotThereYetError as error:
        result = {"not_there_yet": str(error)}
    except ImportError as error:
        result = {"not_installed": str(error)}
    target.write_text(json.dumps(result))


async def build(job: Job) -> Result:
    """Builds into an empty folder; the time includes the reading of the rows."""
    folder = Path(job["folder"])
    corpus = Corpus(Path(job["corpus"]), "")
    made = engine(job["engine"])
    begin = time.perf_counter()
    await made.build(folder, corpus.rows, job["build"])
    return {
        "build_s": time.perf_counter() - begin,
        "build_resident_max_bytes": meter.resident()["resident_max_bytes"],
        "disk_bytes": meter.disk_bytes(folder),
    }


async def search(job: Job) -> Result:
    """Opens the index, asks the queries of the warm-up, then those of each phase."""
    folder = Path(job["folder"])
    corpus = Corpus(Path(job["corpus"]), "")
    opened = engine(job["engine"])
    setting = next(one for one in opened.settings if one.name == job["setting"])
    begin = time.perf_counter()
    await opened.open(folder, setting)
    open_s = time.perf_counter() - begin
    try:
        await _ask(opened, setting, corpus, folder, job["warm_up"])
        phases = []
        for phase in job["phases"]:
            if job["warm"]:
                await _ask(opened, setting, corpus, folder, phase)
            phases.append(await _ask(opened, setting, corpus, folder, phase))
        return {"open_s": open_s, "phases": phases, "versions": _versions()}
    finally:
        await opened.close()


async def _ask(
    opened: Engine, setting: Setting, corpus: Corpus, folder: Path, phase: Job
) -> Result:
    numbers = np.arange(phase["first"], phase["first"] + phase["count"]) % len(corpus.queries)
    queries = np.ascontiguousarray(corpus.queries[numbers])
    counted = opened.statistics()
    before = meter.read(folder)
    answers = await load.run(
        opened,
        setting,
        queries,
        way=Way(phase["way"]),
        inflight=phase["inflight"],
        seconds_max=phase["seconds_max"],
    )
    spent = meter.read(folder).since(before)
    count = len(answers.ids)
    if count == 0:
        return {**phase, "queries": 0}
    exact = np.asarray(corpus.neighbors[numbers[:count]])
    own = {
        f"own_{name}": (value - counted[name]) / count
        for name, value in opened.statistics().items()
    }
    p50, p99 = np.percentile(answers.latencies_s * 1e3, [50, 99])
    return {
        **phase,
        "queries": count,
        "recall": load.recall(answers.ids, exact, setting.limit),
        "qps": count / answers.seconds,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "max_ms": float(answers.latencies_s.max() * 1e3),
        "cpu_ms": spent.cpu_s * 1e3 / count,
        "major_faults": spent.major_faults / count,
        "read_bytes": spent.process_read_bytes / count,
        "reads": spent.reads / count,
        "device_reads": spent.device_reads / count,
        "device_read_bytes": spent.device_read_bytes / count,
        **own,
        **meter.resident(),
        **{f"group_{name}": value for name, value in cage.memory().items()},
    }


def _versions() -> dict[str, str]:
    from importlib import metadata

    names = ("asyncstore", "qdrant-edge-py", "lancedb", "zvec", "diskannpy", "faiss-cpu", "numpy")
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
