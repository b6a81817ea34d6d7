"""A client that asks a server as fast as it answers: one thread, so many requests at once.

python -m bench.http_load reads a job from standard input and prints what came of it, both in JSON.
It does next to nothing for a request, so that on a small machine the server is what is measured.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

_READ_BYTES = 1 << 18
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(frozen=True)
class Job:
    """What to ask.

    Attributes:
        bodies: A file of JSON bodies, one a line; they are asked in turns.
        connections: Each has one request under way.
    """

    port: int
    path: str
    bodies: str
    connections: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What came of it; latencies in milliseconds."""

    requests: int
    failures: int  # replies that were not 200
    seconds: float
    p50_ms: float
    p99_ms: float


class _Connection:
    """One request after the other."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._reply = b""
        self.asked_at = 0.0

    def ask(self) -> None:
        self._reply = b""
        self.asked_at = time.perf_counter()
        self.socket.sendall(next(self._requests))

    def receive(self) -> bool | None:
        """Whether the reply was good; None: there is more of it to come."""
        part = self.socket.recv(_READ_BYTES)
        if not part:
            raise ConnectionError("the server has closed a connection")
        self._reply += part
        end = self._reply.find(_HEAD_END)
        if end < 0:
            return None
        head = self._reply[:end].lower()
        length = head.index(_LENGTH) + len(_LENGTH)
        size = int(head[length:].split(b"\r", 1)[0])
        if len(self._reply) < end + len(_HEAD_END) + size:
            return None
        return head.startswith(b"http/1.1 200")


def run(job: Job) -> Outcome:
    """Asks until the time is over."""
    requests = _requests(job)
    connections = [_Connection(job.port, requests) for _ in range(job.connections)]
    failures, late = 0, []
    with selectors.EpollSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.ask()
        began = time.perf_counter()
        end = began + job.seconds
        while time.perf_counter() < end:
            for key, _ in selector.select(timeout=1.0):
                connection = key.data
                good = connection.receive()
                if good is None:
                    continue
                late.append(time.perf_counter() - connection.asked_at)
                failures += not good
                connection.ask()
        seconds = time.perf_counter() - began
    for connection in connections:
        connection.socket.close()
    late.sort()
    return Outcome(
        requests=len(late),
        failures=failures,
        seconds=seconds,
        p50_ms=late[len(late) // 2] * 1e3,
        p99_ms=late[len(late) * 99 // 100] * 1e3,
    )


def _requests(job: Job) -> Iterator[bytes]:
    """The bodies as requests, over and over."""
    head = f"POST {job.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    texts = [
        f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
        for body in Path(job.bodies).read_bytes().splitlines()
    ]
    while True:
        yield from texts


if __name__ == "__main__":
    print(json.dumps(asdict(run(Job(**json.load(sys.stdin))))))
