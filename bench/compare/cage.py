"""A memory cap on a process and its page cache, by a control group of its own.

The group is made below the one that this process is in, so every limit that holds here holds there
too, and it is removed when the process has ended. Both versions of control groups are known; where
neither lets us make a group there is no cap, and `why_not` says so.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")


class NoCageError(Exception):
    """No memory group can be made here; the message says why."""


@dataclass(frozen=True)
class Group:
    """The folder of a group, and the version of control groups that it belongs to."""

    folder: Path
    version: int


@contextmanager
def capped(command: list[str], cap_mib: int | None) -> Iterator[list[str]]:
    """The command that runs `command` under the cap; its group lives as long as the context.

    Raises:
        NoCageError: There is a cap and no way to have it.
    """
    if cap_mib is None:
        yield command
        return
    group = _capped(cap_mib)
    try:
        # The shell enters the group before the program allocates or reads anything.
        enter = f'echo $$ > "{group}/cgroup.procs" && exec "$@"'
        yield ["/bin/sh", "-c", enter, "sh", *command]
    finally:
        _remove(group)


def why_not() -> str | None:
    """The reason why no process can be capped here, or None."""
    try:
        _remove(_capped(64))
    except NoCageError as error:
        return str(error)
    return None


def memory() -> dict[str, int]:
    """What the kernel counts for this process's group: bytes in all, and of them anonymous."""
    group = own_group()
    if group is None:
        return {}
    first = group.version == 1
    current = group.folder / ("memory.usage_in_bytes" if first else "memory.current")
    try:
        lines = (group.folder / "memory.stat").read_text().splitlines()
        counted = dict(line.split() for line in lines)
        anonymous = counted.get("total_rss" if first else "anon", "0")
        return {"bytes": int(current.read_text()), "anonymous_bytes": int(anonymous)}
    except OSError:  # the root group counts nothing
        return {}


def own_group() -> Group | None:
    """The memory group that this process is in."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    return group_of(lines)


def group_of(lines: list[str]) -> Group | None:
    """From lines of /proc/PID/cgroup: "4:memory:/a" of version 1 goes before "0::/a" of 2."""
    unified = None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return Group(MOUNT / "memory" / path.lstrip("/"), 1)
        if controllers == "":
            unified = Group(MOUNT / path.lstrip("/"), 2)
    return unified


def _capped(cap_mib: int) -> Path:
    own = own_group()
    if own is None:
        raise NoCageError("this process is in no memory control group")
    group = _made(own)
    limit = group / ("memory.limit_in_bytes" if own.version == 1 else "memory.max")
    try:
        limit.write_text(str(cap_mib << 20))
    except OSError as error:
        _remove(group)
        raise NoCageError(f"{limit}: {error.strerror}") from error
    return group


def _made(own: Group) -> Path:
    group = own.folder / f"asyncstore-compare-{os.getpid()}"
    try:
        group.mkdir(exist_ok=True)
    except OSError as error:
        raise NoCageError(f"{own.folder}: {error.strerror}") from error
    return group


def _remove(group: Path) -> None:
    # A process that was just reaped leaves its group a moment later.
    for _ in range(50):
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{group} still has processes")
