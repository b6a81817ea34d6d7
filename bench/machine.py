"""What the figures were measured on: the machine, and what its disk can do right now."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def describe() -> dict[str, object]:
    """The machine in a few words: processor, cores, memory, kernel."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory_kib / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def drop_cache(paths: list[Path]) -> None:
    """Takes the files out of this machine's page cache, after reading them once with O_DIRECT.

    The direct pass fills the cache of a host below, if there is one, and not ours: then what is
    measured is the device at its usual rate and not a host that has to find the blocks first.
    """
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def warm_host(paths: list[Path]) -> None:
    """Reads the files in sequence past our page cache."""
    import mmap

    buffer = mmap.mmap(-1, 1 << 20)
    for path in paths:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
        except OSError:
            continue
        try:
            offset = 0
            while (count := os.preadv(fd, [buffer], offset)) == len(buffer):
                offset += count
        finally:
            os.close(fd)


def store_files(folder: Path, suffix: str = "") -> list[Path]:
    """All files of a store, or those of one kind (".vectors", ".codes")."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name.endswith(suffix)]


@dataclass(frozen=True)
class DeviceReads:
    """What fio sees of random O_DIRECT reads: how many a second, and the middle one's time."""

    rate: float
    p50_ms: float


def random_reads(
    path: Path, *, block: int = 4096, depth: int = 128, seconds: int = 2
) -> DeviceReads | None:
    """Reads of `block` bytes of the file, `depth` at once; None where there is no fio."""
    if shutil.which("fio") is None:
        return None
    command = [
        "fio", "--name=rate", f"--filename={path}", "--readonly", "--rw=randread", f"--bs={block}",
        f"--iodepth={depth}", "--ioengine=io_uring", "--direct=1", "--time_based",
        f"--runtime={seconds}", "--output-format=json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    read = json.loads(done.stdout)["jobs"][0]["read"]
    return DeviceReads(float(read["iops"]), read["clat_ns"]["percentile"]["50.000000"] / 1e6)


def random_read_rate(path: Path) -> float | None:
    """Reads of 4 KiB a second, 128 at once."""
    seen = random_reads(path)
    return None if seen is None else seen.rate


@contextmanager
def steady_device(path: Path, tolerance: float = 0.25) -> Iterator[dict[str, object]]:
    """Measures the disk before and after; the dict says whether it stayed the same meanwhile."""
    seen: dict[str, object] = {"device_reads_s": random_read_rate(path)}
    yield seen
    after = random_read_rate(path)
    before = seen["device_reads_s"]
    seen["device_reads_s_after"] = after
    seen["device_steady"] = (
        not isinstance(before, float) or after is None or abs(after - before) <= tolerance * before
    )
