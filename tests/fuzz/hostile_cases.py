"""What is done to a file: cut, flipped, replaced, removed, exchanged; all of it from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

SMALL_FILE_BYTES = 256  # up to here every byte is flipped
HUGE_BYTES = 6 << 30


@dataclass(frozen=True)
class Case:
    """One damage; ``str`` of it is enough to repeat it."""

    path: str  # in the store's folder
    kind: str
    at: int = 0
    other: str = ""

    @classmethod
    def parse(cls, text: str) -> Case:
        path, kind, at, other = text.split("|")
        return cls(path, kind, int(at), other)

    def __str__(self) -> str:
        return f"{self.path}|{self.kind}|{self.at}|{self.other}"

    def apply(self, folder: Path) -> bool:
        """Damages the file; False when its content stayed as it was."""
        path = folder / self.path
        before = path.read_bytes()
        match self.kind:
            case "truncate":
                after = before[: self.at]
            case "flip":
                after = bytearray(before)
                after[self.at // 8] ^= 1 << self.at % 8
            case "zeros":
                after = bytes(len(before))
            case "garbage":
                after = random.Random(self.at).randbytes(len(before))
            case "text":
                after = b"this is not a file of asyncstore\n"
            case "longer":
                after = before + random.Random(self.at).randbytes(1000)
            case "delete":
                path.unlink()
                return True
            case "folder":
                path.unlink()
                path.mkdir()
                return True
            case "huge":
                with path.open("r+b") as file:
                    file.truncate(HUGE_BYTES)
                return True
            case "swap":
                after = (folder / self.other).read_bytes()
                (folder / self.other).write_bytes(before)
            case _:
                raise AssertionError(self.kind)
        path.write_bytes(after)
        return bytes(after) != before


def cases_of(folder: Path, path: str, seed: int) -> list[Case]:
    """The damages of one file."""
    rng = random.Random(f"{seed} {path}")
    content = (folder / path).read_bytes()
    size = len(content)
    cases = [
        Case(path, kind, rng.getrandbits(30))
        for kind in ("zeros", "garbage", "text", "longer", "delete", "folder", "huge")
    ]
    edges = {0, 1, 8, 31, 63, 64, 4095, 4096, size // 2, size - 5, size - 1}
    cuts = edges | {rng.randrange(max(size, 1)) for _ in range(4)}
    cases += [Case(path, "truncate", cut) for cut in sorted(cuts) if 0 <= cut < size]
    if size <= SMALL_FILE_BYTES:
        places = list(range(size))
    else:
        # Where something stands, more than in reserved space.
        written = [at for at, byte in enumerate(content) if byte]
        places = [*range(0, 64, 5), *rng.sample(written, min(24, len(written)))]
        places += [rng.randrange(size) for _ in range(6)]
    cases += [Case(path, "flip", 8 * place + rng.randrange(8)) for place in places]
    return cases


def swaps_of(paths: list[str]) -> list[Case]:
    """Files of one kind exchanged with each other, and each kind with the next."""
    by_kind: dict[str, list[str]] = {}
    for path in paths:
        by_kind.setdefault(kind_of(path), []).append(path)
    cases = []
    kinds = sorted(by_kind)
    for number, kind in enumerate(kinds):
        same = by_kind[kind]
        cases += [Case(a, "swap", 0, b) for i, a in enumerate(same) for b in same[i + 1 :]]
        cases.append(Case(same[0], "swap", 0, by_kind[kinds[(number + 1) % len(kinds)]][-1]))
    return [case for case in cases if case.path != case.other]


def kind_of(path: str) -> str:
    """The kind of a file by its name."""
    name = path.rpartition("/")[2]
    if name.startswith("spare-"):
        return "spare"
    if name == "tracker":
        return "tracker"
    return name.rpartition(".")[2]
