"""A server under load for long: it takes no more memory by and by, and a kill loses nothing.

    PYTHONPATH=tests python tests/server/soak.py --minutes 10 --connections 1000 --kills 5 --seed 1

Many connections search, a few write with ``wait=true``: points of a fixed range of ids, again and
again, and deletions. Meanwhile the server's memory is watched. Then it is killed (SIGKILL) at
random moments under the same load and started again: every write that was answered must be there
with its values, of one that was not each point must be as before or as after, and nothing else.

A seed repeats writes and delays, not the very instant of a kill.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from awaiting import is_ready
from serving import free_port

DIM = 32
WRITERS = 4
IDS = 2000  # of each writer
BATCH = 20
PAUSE_S = 0.4  # of a searching connection, at most
READY_S = 60
SAMPLE_S = 2.0
# What the last third of the time may take more than the second: caches and vacuums come and go.
GROWTH_MAX = 1.05
GROWTH_MIB = 8.0
MINUTES_MIN = 3.0  # less tells nothing of growth


class WrongError(Exception):
    """The server is not as it must be."""


class Connection:
    """HTTP/1.1 over a socket that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and content of the reply."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: soak\r\ncontent-length: {len(content)}\r\n\r\n"
        self._writer.write(head.encode() + content)
        told = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = re.search(rb"content-length: (\d+)", told)
        assert length is not None, told
        return int(told.split()[1]), await self._reader.readexactly(int(length[1]))

    async def must(self, method: str, path: str, body: object = None) -> object:
        """The result of a request that must work."""
        status, content = await self.ask(method, path, body)
        if status != 200:
            raise WrongError(f"{method} {path}: {status} {content[:300]!r}")
        return json.loads(content).get("result")


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Connection]:
    """One to the server on this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


@dataclass
class Expected:
    """What must be in the store: of each point the version that was answered; 0: none is there.

    ``open`` has the writes that were sent and not answered: the points and what they become.
    """

    versions: dict[int, int] = field(default_factory=dict)
    open: dict[int, dict[int, int]] = field(default_factory=dict)  # by writer

    def differences(self, found: dict[int, int]) -> Iterator[str]:
        """What is wrong about the versions that were found; takes in what is right."""
        for point in sorted(
            {*self.versions, *found, *(p for ps in self.open.values() for p in ps)}
        ):
            before, now = self.versions.get(point, 0), found.get(point, 0)
            may_be = {before, *(ps[point] for ps in self.open.values() if point in ps)}
            if now not in may_be:
                yield f"point {point} has version {now}, must have one of {sorted(may_be)}"
        for points in self.open.values():
            changed = {
                found.get(p, 0) == new
                for p, new in points.items()
                if new != self.versions.get(p, 0)
            }
            if len(changed) > 1:
                yield f"of the write of {sorted(points)} a part is there"
        self.versions = {point: version for point, version in found.items() if version}
        self.open.clear()


def vector_of(point: int, version: int) -> list[float]:
    """Numbers that tell point and version."""
    rng = np.random.default_rng([point, version])
    return rng.standard_normal(DIM).astype(np.float32).tolist()


def payload_of(point: int, version: int) -> dict[str, object]:
    return {"version": version, "text": f"{point} {version} " * (1 + version % 20)}


@dataclass
class Soak:
    """A store, its server, and what was written."""

    folder: Path
    connections: int
    rng: random.Random
    expected: Expected = field(default_factory=Expected)
    searches: int = 0
    writes: int = 0
    _version: int = 0
    _is_over: bool = False
    _process: asyncio.subprocess.Process | None = None
    _port: int = 0

    async def start(self) -> None:
        """Starts the server and waits until it is ready."""
        self._port = free_port()
        config = self.folder / "config.yaml"
        config.write_text(f"service: {{max_connections: {self.connections + 100}}}\n")
        command = [
            sys.executable,
            "-m",
            "asyncstore",
            "serve",
            "--store",
            str(self.folder / "store"),
        ]
        command += ["--port", str(self._port), "--config", str(config)]
        self._process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL
        )
        deadline = time.monotonic() + READY_S
        while not is_ready(f"http://127.0.0.1:{self._port}"):
            if self._process.returncode is not None or time.monotonic() > deadline:
                raise WrongError("the server is not ready, see above")
            await asyncio.sleep(0.05)

    async def end(self, number: signal.Signals) -> None:
        """Ends the server by a signal."""
        assert self._process is not None
        if self._process.returncode is not None:
            raise WrongError(f"the server has ended with {self._process.returncode}")
        self._process.send_signal(number)
        await asyncio.wait_for(self._process.wait(), READY_S)

    async def create(self) -> None:
        async with connection(self._port) as one:
            vectors = {"size": DIM, "distance": "Dot", "on_disk": True}
            codes = {"scalar": {"type": "int8", "always_ram": True}}
            body = {"vectors": vectors, "quantization_config": codes}
            await one.must("PUT", "/collections/soak", body)
            index = {"field_name": "version", "field_schema": "integer"}
            await one.must("PUT", "/collections/soak/index?wait=true", index)

    async def load(self, seconds: float, *, is_killed: bool) -> list[float]:
        """Asks and writes for some time; memory in MiB, every two seconds."""
        memory: list[float] = []
        self._is_over = False
        writers = [asyncio.create_task(self._write(number)) for number in range(WRITERS)]
        searchers = [asyncio.create_task(self._search()) for _ in range(self.connections - WRITERS)]
        tasks = [*writers, *searchers]
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            done, _ = await asyncio.wait(
                tasks, timeout=min(left, SAMPLE_S), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()  # none ends by itself but by an error
            memory.append(self._memory_mib())
        self._is_over = True
        if is_killed:
            await self.end(signal.SIGKILL)
        else:
            await asyncio.gather(*writers)  # so that nothing is written behind it
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, WrongError):
                raise ended
        return memory

    async def compare(self) -> int:
        """Compares every point with what must be there; how many there are.

        Raises:
            WrongError: Something is lost, wrong or too much.
        """
        found: dict[int, int] = {}
        offset: object = None
        async with connection(self._port) as one:
            while True:
                body = {"limit": 1000, "offset": offset, "with_payload": True, "with_vector": True}
                page = await one.must("POST", "/collections/soak/points/scroll", body)
                assert isinstance(page, dict)
                for point in page["points"]:
                    version = point["payload"].get("version", -1)
                    if point["payload"] != payload_of(point["id"], version):
                        raise WrongError(f"point {point['id']} has the payload {point['payload']}")
                    vector = np.float32(point["vector"])
                    if not np.array_equal(vector, np.float32(vector_of(point["id"], version))):
                        raise WrongError(
                            f"point {point['id']} has another vector than version {version}"
                        )
                    found[point["id"]] = version
                offset = page["next_page_offset"]
                if offset is None:
                    break
        problems = list(self.expected.differences(found))
        if problems:
            raise WrongError("; ".join(problems[:5]) + f" ({len(problems)} in all)")
        return len(found)

    async def _write(self, number: int) -> None:
        async with connection(self._port) as one:
            while not self._is_over:
                first = number * IDS + self.rng.randrange(IDS - BATCH)
                self._version += 1
                is_deletion = self.rng.random() < 0.2
                version = 0 if is_deletion else self._version
                points = dict.fromkeys(range(first, first + BATCH), version)
                self.expected.open[number] = points
                if is_deletion:
                    body: object = {"points": list(points)}
                    await one.must("POST", "/collections/soak/points/delete?wait=true", body)
                else:
                    new = [
                        {
                            "id": p,
                            "vector": vector_of(p, version),
                            "payload": payload_of(p, version),
                        }
                        for p in points
                    ]
                    await one.must("PUT", "/collections/soak/points?wait=true", {"points": new})
                self.expected.versions.update(points)
                del self.expected.open[number]
                self.writes += 1

    async def _search(self) -> None:
        await asyncio.sleep(self.rng.random() * PAUSE_S)
        async with connection(self._port) as one:
            while True:
                point = self.rng.randrange(WRITERS * IDS)
                body = {"query": vector_of(point, 1), "limit": 10, "with_payload": ["version"]}
                found = await one.must("POST", "/collections/soak/points/query", body)
                assert isinstance(found, dict)
                self.searches += 1
                await asyncio.sleep(self.rng.random() * PAUSE_S)

    def _memory_mib(self) -> float:
        """What the server has of its own: pages of files do not count."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        anonymous = re.search(r"RssAnon:\s+(\d+) kB", status)
        assert anonymous is not None
        return int(anonymous[1]) / 1024


def growth(memory: list[float]) -> tuple[float, float]:
    """The medians of the second third and of the last one."""
    third = len(memory) // 3
    return statistics.median(memory[third : 2 * third]), statistics.median(memory[2 * third :])


async def soak(arguments: argparse.Namespace, folder: Path) -> str:
    """What was seen, in words."""
    rng = random.Random(arguments.seed)
    one = Soak(folder, arguments.connections, rng)
    await one.start()
    await one.create()
    seconds = 60 * arguments.minutes
    memory = await one.load(seconds, is_killed=False)
    points = await one.compare()
    told = f"{one.searches / seconds:,.0f} searches and {one.writes / seconds:,.0f} writes a second"
    if arguments.minutes >= MINUTES_MIN:
        before, after = growth(memory)
        told += f"; memory {before:.1f} MiB in the second third, {after:.1f} in the last"
        if after > before * GROWTH_MAX + GROWTH_MIB:
            raise WrongError(f"memory grows: {', '.join(f'{mib:.0f}' for mib in memory)} MiB")
    for _ in range(arguments.kills):
        await one.load(rng.uniform(0.5, 4.0), is_killed=True)
        await one.start()
        points = await one.compare()
    await one.end(signal.SIGTERM)
    return f"{told}; {arguments.kills} kills, {points} points, all there"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="asyncstore-soak-") as folder:
        try:
            print(asyncio.run(soak(arguments, Path(folder))))
        except WrongError as error:
            repeat = f"PYTHONPATH=tests python tests/server/soak.py --seed {arguments.seed}"
            print(f"{error}\nrepeat: {repeat}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
