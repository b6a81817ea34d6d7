"""One trial: a worker process that builds an index or searches it, and what is done around it."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.compare import cage
from bench.compare.corpus import Corpus
from bench.compare.engine import Engine, Environment, Setting

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = {
    Environment.OWN: Path(sys.executable),
    Environment.PEERS: ROOT / ".venv-peers" / "bin" / "python",
    Environment.DISKANN: ROOT / ".venv-diskann" / "bin" / "python",
}
BUILD_S_MAX = 6 * 3600
OPEN_S_MAX = 600
UNSTEADY_TRIES_MAX = 2

Result = dict[str, Any]


@dataclass(frozen=True)
class Phase:
    """A load within a trial; queries are numbered round and round."""

    way: str
    inflight: int
    first: int
    count: int
    seconds_max: float


@dataclass(frozen=True)
class Trial:
    """A setting of an engine under a condition."""

    engine: Engine
    setting: Setting
    warm: bool
    cap_mib: int | None

    @property
    def condition(self) -> str:
        return "warm" if self.warm else "cold"


def build(corpus: Corpus, engine: Engine, name: str, *, anew: bool = False) -> Result:
    """Builds an index unless it is there; no cap. A failure is a result too, and not kept."""
    folder = index_folder(corpus, engine, name)
    told = folder.with_suffix(".json")
    if told.exists() and not anew:
        kept: Result = json.loads(told.read_text())
        return kept
    told.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = {
        "do": "build",
        "engine": engine.name,
        "build": name,
        "folder": str(folder),
        "corpus": str(corpus.folder),
    }
    result = {"engine": engine.name, "build": name, **_work(engine, job, None, BUILD_S_MAX)}
    if "build_s" in result:
        told.write_text(json.dumps(result))
    else:
        shutil.rmtree(folder)
    return result


def search(corpus: Corpus, trial: Trial, warm_up: Phase, phases: list[Phase]) -> Result:
    """Runs the phases in a new process. Cold: the index is out of our cache when it opens.

    A cold trial during which the disk changed is made again; the last one is kept, and says so.
    """
    if trial.warm:
        return _search(corpus, trial, warm_up, phases)
    folder = index_folder(corpus, trial.engine, trial.setting.build)
    result: Result = {}
    for _ in range(UNSTEADY_TRIES_MAX):
        files = machine.store_files(folder)  # opening an index may have changed them
        machine.warm_host(files)
        machine.drop_cache(files)
        with machine.steady_device(corpus.folder / "rows.npy") as device:
            result = _search(corpus, trial, warm_up, phases)
        result.update(device)
        if device["device_steady"] or "failure" in result:
            break
    return result


def index_folder(corpus: Corpus, engine: Engine, build: str) -> Path:
    """Where the index of that name is."""
    return corpus.folder / "indexes" / f"{engine.name}-{build.replace(' ', '-')}"


def _search(corpus: Corpus, trial: Trial, warm_up: Phase, phases: list[Phase]) -> Result:
    job = {
        "do": "search",
        "engine": trial.engine.name,
        "setting": trial.setting.name,
        "folder": str(index_folder(corpus, trial.engine, trial.setting.build)),
        "corpus": str(corpus.folder),
        "warm": trial.warm,
        "warm_up": vars(warm_up),
        "phases": [vars(phase) for phase in phases],
    }
    asked_s = sum(phase.seconds_max for phase in [warm_up, *phases])
    return _work(trial.engine, job, trial.cap_mib, OPEN_S_MAX + 3 * asked_s)


def _work(engine: Engine, job: Result, cap_mib: int | None, seconds_max: float) -> Result:
    python = PYTHONS[engine.environment]
    if not python.exists():
        return {"failure": f"not installed: there is no {python}"}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "job.json", Path(folder) / "result.json"
        source.write_text(json.dumps(job))
        command = [str(python), "-m", "bench.compare.worker", str(source), str(target)]
        with cage.capped(command, cap_mib) as entered:
            try:
                done = subprocess.run(
                    entered, cwd=ROOT, timeout=seconds_max, capture_output=True, text=True
                )
            except subprocess.TimeoutExpired:
                return {"failure": f"not done after {seconds_max:.0f} s"}
        if done.returncode == 0:
            return failed_in_words(json.loads(target.read_text()))
        return {"failure": failure(done.returncode, done.stderr, cap_mib)}


def failed_in_words(result: Result) -> Result:
    """A worker's refusal as a failure."""
    if "not_there_yet" in result:
        return {"failure": f"not there yet: {result['not_there_yet']}"}
    if "not_installed" in result:
        return {"failure": f"not installed: {result['not_installed']}"}
    return result


def failure(returncode: int, stderr: str, cap_mib: int | None) -> str:
    """What became of a worker that gave no result. The shell tells a signal as 128 and more."""
    if returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
        under = f" under a cap of {cap_mib} MiB" if cap_mib is not None else ""
        return f"killed{under}, for memory as a rule"
    last = stderr.strip().splitlines()[-1:] or ["nothing said"]
    return f"exit {returncode}: {last[0][:300]}"
