"""Counters around a measurement: what the process read, what the disk did, what it took."""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Counters:
    """All only grow. The kernel counts the bytes of a process, but requests only of a device."""

    seconds: float
    cpu_s: float
    major_faults: int
    process_read_bytes: int
    device_reads: int
    device_read_bytes: int

    def since(self, before: "Counters") -> "Counters":
        return Counters(
            self.seconds - before.seconds,
            self.cpu_s - before.cpu_s,
            self.major_faults - before.major_faults,
            self.process_read_bytes - before.process_read_bytes,
            self.device_reads - before.device_reads,
            self.device_read_bytes - before.device_read_bytes,
        )

    @property
    def reads(self) -> float:
        """Requests to the disk: the share of the device's that the process has of its bytes."""
        if self.device_read_bytes == 0:
            return 0.0
        return self.device_reads * min(1.0, self.process_read_bytes / self.device_read_bytes)


def read(folder: Path) -> Counters:
    """The counters now, those of the device that holds the folder among them."""
    reads, read_bytes = device_reads(folder)
    return Counters(
        seconds=time.perf_counter(),
        cpu_s=time.process_time(),
        major_faults=resource.getrusage(resource.RUSAGE_SELF).ru_majflt,
        process_read_bytes=fields(Path("/proc/self/io").read_text()).get("read_bytes", 0),
        device_reads=reads,
        device_read_bytes=read_bytes,
    )


def device_reads(folder: Path) -> tuple[int, int]:
    """Reads completed and bytes read, as iostat has them; zeros where the device is unknown.

    Source: Documentation/admin-guide/iostats.rst of the kernel: fields 1 and 3, sectors of 512 B.
    """
    device = os.stat(folder).st_dev
    path = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    if not path.exists():
        return 0, 0
    words = path.read_text().split()
    return int(words[0]), int(words[2]) * 512


def resident() -> dict[str, int]:
    """Bytes of this process in RAM: all, and those that belong to no file."""
    status = fields(Path("/proc/self/status").read_text())
    return {
        "resident_bytes": status.get("VmRSS", 0) * 1024,
        "resident_anonymous_bytes": status.get("RssAnon", 0) * 1024,
        "resident_max_bytes": status.get("VmHWM", 0) * 1024,
    }


def fields(text: str) -> dict[str, int]:
    """The numbers of lines such as "VmRSS:    1234 kB"."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0])
    return found


def disk_bytes(folder: Path) -> int:
    """What the files take on the disk, holes left out."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
