"""Small file systems to fill and to lock: an ext4 in a file, and a tmpfs."""

import gc
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

UNMOUNT_TIMEOUT_S = 20


def _run(*command: object) -> str | None:
    """What went wrong; None when nothing did."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
        )
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"{command[0]} failed"


def _unmount(at: Path) -> None:
    """Unmounts when the last file is closed.

    A closed store's files are open until the last object of it is gone, and those that a ring of
    io_uring had registered until the kernel has taken the ring down, a moment later.
    """
    gc.collect()
    deadline = time.monotonic() + UNMOUNT_TIMEOUT_S
    while (refusal := _run("umount", at)) is not None:
        assert time.monotonic() < deadline, refusal
        gc.collect()


def _mount(*arguments: object) -> None:
    """Mounts; a test on a machine where this is not allowed is skipped and says so."""
    if (refusal := _run("mount", *arguments)) is not None:
        pytest.skip(f"cannot mount a file system here (needs root): {refusal}")


@contextmanager
def tmpfs(at: Path, size_mb: int) -> Iterator[Path]:
    at.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", at)
    try:
        yield at
    finally:
        _unmount(at)


@contextmanager
def ext4(at: Path, size_mb: int) -> Iterator[Path]:
    at.mkdir()
    image = at.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(size_mb << 20)
    if (refusal := _run("mkfs.ext4", "-q", "-m", "0", image)) is not None:
        pytest.skip(f"cannot make an ext4 file system here: {refusal}")
    _mount("-o", "loop", image, at)
    try:
        yield at
    finally:
        _unmount(at)
        image.unlink()


@contextmanager
def read_only_bind(at: Path, of: Path) -> Iterator[Path]:
    """The same folder once more, read-only."""
    at.mkdir()
    _mount("--bind", of, at)
    try:
        _mount("-o", "remount,bind,ro", at)
        yield at
    finally:
        _unmount(at)


def remount_read_only(at: Path) -> None:
    _mount("-o", "remount,ro", at)
