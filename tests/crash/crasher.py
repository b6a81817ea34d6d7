"""Kills a writing process at random moments and compares every value that it left behind.

    python tests/crash/crasher.py --minutes 2 --seed 1

After each kill another process opens the store. What must hold: every operation that was
acknowledged is there with its values; of an operation that was on its way, each record of the log
is there as a whole or not at all, the first ones first; nothing else has changed; nothing had to be
rebuilt; the count, a scroll and a check of all files agree; each sampled point is the first that a
search for its own vector finds. That process is then closed, or killed too, by the seed.

A seed repeats operations and delays, not the very instant of a kill.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pickle
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asyncstore import models as m
from children import CLOSING, OPENING, WRITING, Found, read, vectors_of, write
from lanes import LANES, LaneState, Shape, lane_and_index, operation

MOMENTS = {OPENING: "opening", WRITING: "writing", CLOSING: "closing"}
KILLS_PER_FOLDER = 25  # then a new folder, with another shape
READ_TIMEOUT_S = 60


class WrongError(Exception):
    """The store is not as it must be."""


@dataclass
class Crasher:
    """A store that is killed again and again, and what must be in it."""

    folder: Path
    shape: Shape
    durability: str
    states: list[LaneState] = field(init=False)
    moments: Counter[str] = field(default_factory=Counter)
    operations: int = 0
    unacknowledged: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.states = [LaneState(self.shape) for _ in range(LANES)]

    def kill_once(self, life: int) -> None:
        """One life of the writer, and the look at what it left.

        Raises:
            WrongError: Something is lost, wrong or too much.
        """
        rng = np.random.default_rng([self.shape.seed, 5, life])
        acknowledged, moment = self._write_and_kill(life, _delay_s(rng))
        self.moments[moment] += 1
        self.operations += sum(acknowledged)
        for lane, count in enumerate(acknowledged):
            for number in range(count):
                state = self.states[lane]
                state.apply(state.possible(operation(self.shape, life, lane, number)))
        found = self._read(life, is_killed=rng.random() < 0.5)
        self._compare(found, life, acknowledged)

    def _write_and_kill(self, life: int, delay_s: float) -> tuple[list[int], str]:
        """How many operations each lane had acknowledged, and what was going on at the end."""
        report, report_fd = os.pipe()
        child = _fork(
            lambda: write(
                str(self.folder), self.shape, self.states, life, self.durability, report_fd
            ),
            closing=[report],
        )
        os.close(report_fd)
        acknowledged = [0] * LANES
        moment = "starting"
        deadline: float | None = None  # counted from the first sign of life
        killed = False
        while True:
            if not killed and deadline is not None and time.monotonic() >= deadline:
                os.kill(child, signal.SIGKILL)
                killed = True
            timeout_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            if killed or select.select([report], [], [], timeout_s)[0]:
                events = os.read(report, 4096)
                if not events:
                    break
                deadline = deadline or time.monotonic() + delay_s
                for event in events:
                    if event < LANES:
                        acknowledged[event] += 1
                    else:
                        moment = MOMENTS[event]
        os.close(report)
        _, status = os.waitpid(child, 0)
        if not killed or status != signal.SIGKILL:
            raise WrongError(f"the writer ended by itself, with status {status}, while {moment}")
        return acknowledged, moment

    def _read(self, life: int, *, is_killed: bool) -> Found:
        answer, answer_fd = os.pipe()
        wait_fd, end_fd = os.pipe()
        child = _fork(
            lambda: read(
                str(self.folder),
                self.shape,
                life,
                self.durability,
                os.fdopen(answer_fd, "wb"),
                wait_fd,
            ),
            closing=[answer, end_fd],
        )
        os.close(answer_fd)
        os.close(wait_fd)
        with os.fdopen(answer, "rb") as stream:
            if not select.select([stream], [], [], READ_TIMEOUT_S)[0]:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise WrongError("the store could not be opened and read in a minute")
            try:
                found = pickle.load(stream)
            except EOFError:
                found = None
        if found is not None and is_killed:
            os.kill(child, signal.SIGKILL)
        os.close(end_fd)
        _, status = os.waitpid(child, 0)
        if found is None or status != (signal.SIGKILL if is_killed else 0):
            raise WrongError(f"the store could not be opened and read: status {status}")
        return found

    def _compare(self, found: Found, life: int, acknowledged: list[int]) -> None:
        if not found.exists:
            if any(state.is_there.any() for state in self.states) or sum(acknowledged) > 0:
                raise WrongError("the collection is gone")
            return
        if found.rebuilt or found.findings or found.not_first:
            raise WrongError(f"{found.rebuilt} {found.findings} {found.not_first}")
        if found.count != len(found.ids) or len(set(found.ids)) != len(found.ids):
            raise WrongError(f"count() says {found.count}, scroll finds {len(found.ids)}")
        by_lane = _rows_by_lane(found)
        for lane in range(LANES):
            self._compare_lane(lane, life, acknowledged[lane], by_lane[lane], found)

    def _compare_lane(
        self, lane: int, life: int, number: int, rows: dict[int, int], found: Found
    ) -> None:
        """Whatever of the operation on its way is there counts as written from now on."""
        state = self.states[lane]
        problem = self._difference(lane, state, rows, found)
        open_operation = state.possible(operation(self.shape, life, lane, number))
        if problem is None:
            self.unacknowledged["absent"] += 1
        for cut in self.shape.cuts(open_operation):
            if problem is None:
                return
            state.apply(open_operation, cut)
            if self._difference(lane, state, rows, found) is None:
                self.unacknowledged["there"] += 1
                return
        if problem is not None:
            raise WrongError(f"lane {lane} after {number} operations of life {life}: {problem}")

    def _difference(
        self, lane: int, state: LaneState, rows: dict[int, int], found: Found
    ) -> str | None:
        expected = np.flatnonzero(state.is_there)
        if set(rows) != set(expected.tolist()):
            missing = sorted(set(expected.tolist()) - set(rows))
            surplus = sorted(set(rows) - set(expected.tolist()))
            return (
                f"missing {missing[:5]} ({len(missing)}), too much {surplus[:5]} ({len(surplus)})"
            )
        for index in expected.tolist():
            stored_payload = found.payloads[rows[index]]
            if stored_payload != state.payloads[index]:
                return (
                    f"point {index} has the payload {str(stored_payload)[:300]}, "
                    f"not {str(state.payloads[index])[:300]}"
                )
        versions = state.versions[:, expected]
        for which, (_, name, wanted) in enumerate(vectors_of(self.shape, lane, expected, versions)):
            for index, has, vector in zip(expected, versions[which] != 0, wanted, strict=True):
                stored = found.vectors[rows[index]].get(name)
                if (stored is not None) != bool(has):
                    return f"point {index} has '{name}': {stored is not None}, not {bool(has)}"
                if has and _bytes_of(stored) != _bytes_of(vector):
                    return f"point {index} has a wrong '{name}': {stored}, not {vector}"
        return None


def _bytes_of(vector: object) -> bytes:
    """Equal for vectors that are equal bit by bit."""
    if isinstance(vector, m.SparseVector):
        indices = np.asarray(vector.indices, np.uint32)
        return indices.tobytes() + np.asarray(vector.values, np.float32).tobytes()
    return np.asarray(vector, np.float32).tobytes()


def _rows_by_lane(found: Found) -> list[dict[int, int]]:
    rows: list[dict[int, int]] = [{} for _ in range(LANES)]
    for row, point_id in enumerate(found.ids):
        lane, index = lane_and_index(point_id)
        if lane >= LANES:
            raise WrongError(f"point {point_id} was never written")
        rows[lane][index] = row
    return rows


def _delay_s(rng: np.random.Generator) -> float:
    """Soon after the start, in the midst of writing, or after long writing."""
    bounds = [(0.0, 0.03), (0.0, 0.4), (0.3, 2.0)][rng.choice(3, p=[0.3, 0.5, 0.2])]
    return float(rng.uniform(*bounds))


def _fork(work: object, closing: list[int]) -> int:
    """A child that runs a coroutine; the parent has no threads, so the fork is safe."""
    child = os.fork()
    if child > 0:
        return child
    for fd in closing:
        os.close(fd)
    status = 1
    try:
        result: Awaitable[None] = work()  # type: ignore[operator]
        asyncio.run(result)  # type: ignore[arg-type]
        status = 0
    except BaseException as error:
        print(f"child {os.getpid()}: {error!r}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code."""
    base = Path(arguments.folder or tempfile.mkdtemp(prefix="asyncstore-crash-"))
    base.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    deadline = started + 60 * arguments.minutes if arguments.minutes else float("inf")
    crasher: Crasher | None = None
    moments: Counter[str] = Counter()
    unacknowledged: Counter[str] = Counter()
    kills = operations = 0
    kills_max = arguments.kills or (sys.maxsize if arguments.minutes else 200)
    while kills < kills_max and time.monotonic() < deadline:
        number, life = divmod(kills, KILLS_PER_FOLDER)
        if crasher is None or life == 0:
            folder = base / f"store-{number}"
            shutil.rmtree(folder, ignore_errors=True)
            crasher = Crasher(folder, Shape.of(arguments.seed + number), arguments.durability)
        before = crasher.operations
        try:
            crasher.kill_once(life + 1)
        except WrongError as error:
            print(f"kill {kills}, {crasher.shape}: {error}\nthe store is in {crasher.folder}")
            print(
                f"repeat: python tests/crash/crasher.py --seed {crasher.shape.seed} "
                f"--kills {KILLS_PER_FOLDER} --durability {arguments.durability}"
            )
            return 1
        kills += 1
        operations += crasher.operations - before
        is_last = kills == kills_max or time.monotonic() >= deadline
        if life + 1 == KILLS_PER_FOLDER or is_last:
            moments += crasher.moments
            unacknowledged += crasher.unacknowledged
            shutil.rmtree(crasher.folder)
        if kills % arguments.every == 0:
            print(f"{kills} kills, {operations} operations, {time.monotonic() - started:.0f} s")
    if arguments.folder is None:
        shutil.rmtree(base)
    print(
        f"seed {arguments.seed}: {kills} kills in {time.monotonic() - started:.0f} s, "
        f"{operations} acknowledged operations, all there. Killed while: {dict(moments)}. "
        f"Operations on their way: {dict(unacknowledged)}."
    )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, help="stop after so many; default: 200, or --minutes")
    parser.add_argument("--minutes", type=float, help="stop after so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--durability", default="fsync", choices=["fsync", "flush"])
    parser.add_argument("--folder", help="where the stores are made; default: a temporary one")
    parser.add_argument("--every", type=int, default=20, help="kills between two lines of output")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main())
