"""Searches over HTTP beside the same searches in the process, in turns.

The store is opened by ``asyncstore serve``, asked by a client in a process of its own; then by a
process that awaits the searches itself. Both have the whole machine, and as many under way.
"""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bench import report
from bench.dataset import Floats
from bench.http_load import Job, Outcome
from bench.question import Setting, fill, opened, percentile, rabitq, search_all

IN_FLIGHT = (1, 16, 64)
HELD = 1000
SECONDS = 4.0
LIMIT = 10


def answer(setting: Setting) -> list[report.Row]:
    folder = asyncio.run(fill(setting.folder / "http", setting.data.vectors, rabitq(4)))
    queries = setting.data.queries.astype(np.float32)
    bodies = setting.folder / "bodies.jsonl"
    bodies.write_text(
        "".join(json.dumps({"query": query.tolist(), "limit": LIMIT}) + "\n" for query in queries)
    )
    served: dict[int, list[Outcome]] = {inflight: [] for inflight in (*IN_FLIGHT, HELD)}
    awaited: dict[int, list[Outcome]] = {inflight: [] for inflight in IN_FLIGHT}
    memory: list[float] = []
    for number in range(setting.rounds):
        with _server(folder, setting.folder) as (process, port):
            for inflight in (*IN_FLIGHT, HELD):
                served[inflight].append(_ask(Job(port, _PATH, str(bodies), inflight, SECONDS)))
            memory.append(_resident_mib(process.pid))
        for inflight, outcome in asyncio.run(_await(folder, queries)).items():
            awaited[inflight].append(outcome)
        print(f"round {number + 1} of {setting.rounds}", file=sys.stderr)
    rows = [_row(inflight, served[inflight], awaited.get(inflight)) for inflight in served]
    return [{**row, "server_mib": float(np.median(memory))} for row in rows]


_PATH = "/collections/rows/points/query"


def _row(inflight: int, served: list[Outcome], awaited: list[Outcome] | None) -> report.Row:
    row: report.Row = {
        "in_flight": inflight,
        "http_s": float(np.median([_rate(one) for one in served])),
        "http_p50_ms": float(np.median([one.p50_ms for one in served])),
        "http_p99_ms": float(np.median([one.p99_ms for one in served])),
        "failures": sum(one.failures for one in served),
    }
    if awaited is not None:
        pairs = zip(served, awaited, strict=True)
        row["embedded_s"] = float(np.median([_rate(one) for one in awaited]))
        row["embedded_p50_ms"] = float(np.median([one.p50_ms for one in awaited]))
        row["share"] = float(np.median([_rate(http) / _rate(own) for http, own in pairs]))
    return row


def _rate(outcome: Outcome) -> float:
    return outcome.requests / outcome.seconds


async def _await(folder: Path, queries: Floats) -> dict[int, Outcome]:
    """The same searches without a server."""
    found = {}
    async with opened(folder) as store:
        rows = await store.get_collection("rows")
        await rows.prewarm()
        for inflight in IN_FLIGHT:
            late: list[float] = []
            began = time.perf_counter()
            while (seconds := time.perf_counter() - began) < SECONDS:
                await search_all(rows, queries, inflight, late, limit=LIMIT)
            ms = [one * 1e3 for one in late]
            found[inflight] = Outcome(len(ms), 0, seconds, percentile(ms, 50), percentile(ms, 99))
    return found


@contextmanager
def _server(folder: Path, scratch: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """``asyncstore serve``, ready and warm, on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = scratch / "http.yaml"
    config.write_text(f"service: {{max_connections: {2 * HELD}}}\n")
    command = [sys.executable, "-m", "asyncstore", "serve", "--store", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--config", str(config)], stdout=subprocess.DEVNULL
    )
    try:
        _await_ready(process, port)
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _await_ready(process: subprocess.Popen[bytes], port: int) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise RuntimeError(f"the server ended with {process.returncode}")


def _ask(job: Job) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "bench.http_load"],
        input=json.dumps(asdict(job)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Outcome(**json.loads(done.stdout))


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024
