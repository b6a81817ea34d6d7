"""Damaged files of every kind: right values or an error that names the file, and nothing else.

Each case damages one file of a copy of a store, opens it in another process and reads everything.
A case repeats by its text, see ``hostile_cases.Case``.
"""

import asyncio
import os
import pickle
import select
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hostile_base import make_base
from hostile_cases import Case, cases_of, kind_of, swaps_of

SEED = 1
CASE_TIMEOUT_S = 60
READER = Path(__file__).parent / "hostile_reader.py"
REFUSALS = ("CorruptionError", "StorageIOError", "UnsupportedError")
KINDS = (
    "ALIASES COLLECTION LOCK MANIFEST STORE codes deleted dictionary done mirror multi page points "
    "rows spare sparse tracker vectors wal"
).split()


class Reader:
    """The process that opens what is damaged; another one is begun when it dies."""

    def __init__(self, base_path, work):
        self._command = [sys.executable, str(READER), str(base_path), str(work)]
        self._process = None
        self._cases = 0

    def look(self, case):
        """What it saw; a death and a hang are seen as text."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )
        self._process.stdin.write(f"{self._cases} {case}\n".encode())
        self._process.stdin.flush()
        self._cases += 1
        ready, _, _ = select.select([self._process.stdout], [], [], CASE_TIMEOUT_S)
        line = self._process.stdout.readline() if ready else b""
        if line:
            return msgspec.json.decode(line)
        self._process.kill()
        status = self._process.wait()
        self._process = None
        return f"died with {status}" if ready else f"hung for {CASE_TIMEOUT_S} s"

    def close(self):
        if self._process is not None:
            self._process.communicate(timeout=CASE_TIMEOUT_S)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return asyncio.run(make_base(tmp_path_factory.mktemp("hostile")))


@pytest.fixture(scope="module")
def paths(base):
    """The files of "docs" and of the store; of "calm" those kinds that "docs" has none of."""
    files = [path for path in base.folder.rglob("*") if path.is_file()]
    names = sorted(str(path.relative_to(base.folder)) for path in files)
    chosen = [
        name for name in names if not name.startswith("collections/2/") or kind_of(name) == "spare"
    ]
    assert {kind_of(name) for name in chosen} == set(KINDS)
    return chosen


@pytest.fixture(scope="module")
def reader(base, tmp_path_factory):
    work = tmp_path_factory.mktemp("damaged")
    (work / "base.pickle").write_bytes(pickle.dumps(base))
    reader = Reader(work / "base.pickle", work)
    yield reader
    reader.close()


def problem_of(case, seen, paths):
    """Why what was seen is not what must be; None when it is."""
    if isinstance(seen, str) or "raised" in seen:
        return None if seen == "nothing was changed" else str(seen)
    if "store" in seen:
        is_for_all = {"STORE", "LOCK"} & {kind_of(case.path), kind_of(case.other)}
        return None if is_for_all and is_clear(seen["store"]) else str(seen)
    calm, docs = seen["calm"], seen["docs"]
    if calm["verdict"] != "right" or calm["searches"] != "right":
        return f"another collection: {calm}"
    if not are_allowed(case, seen["aliases"]):
        return f"aliases: {seen['aliases']}"
    if "left" in docs or "repaired" in docs:
        return f"after a repair: {docs}"
    if docs["verdict"] == "right":
        is_right = docs["searches"] == "right" and docs.get("again", "right") == "right"
        return None if is_right and kind_of(case.path) not in NEVER_RIGHT else str(docs)
    if docs["verdict"] == "refused" and not is_clear(docs):
        return f"not clear: {docs}"
    allowed = SWAPPED if case.kind == "swap" else ALLOWED.get(kind_of(case.path), never)
    return None if allowed(case, docs, paths) else str(docs)


def are_allowed(case, aliases):
    """Right where another file is damaged; else an error, or none where the file is gone."""
    if "ALIASES" not in (kind_of(case.path), kind_of(case.other)):
        return aliases["verdict"] == "right"
    if case.kind == "delete":
        return aliases["verdict"] == "none"
    return aliases["verdict"] == "refused" and is_clear(aliases)


def is_clear(refusal):
    """It is of a class that says what is wrong, and names a file of the store or its folder."""
    return refusal["error"] in REFUSALS and "/store" in refusal["message"]


# What may be seen but right values, by the kind of file. Files that are kept twice are rebuilt.

NEVER_RIGHT = {"COLLECTION", "MANIFEST"}


def never(case, docs, paths):
    return False


def refused(case, docs, paths):
    return docs["verdict"] == "refused"


def refused_as_a_folder(case, docs, paths):
    return docs["verdict"] == "refused" and case.kind == "folder"


def refused_when_gone(case, docs, paths):
    """Without the journal nobody knows whether the tracker has all of it."""
    return docs["verdict"] == "refused" and case.kind in ("folder", "delete")


def originals(case, docs, paths):
    """The rows that are damaged are reported one by one; the others can be read."""
    if docs["verdict"] == "refused":
        return case.kind in ("delete", "folder")
    is_one = case.kind != "flip" or docs["damaged"] == 1
    # A file that outgrew the address space cannot be mapped.
    error = "StorageIOError" if case.kind == "huge" else "CorruptionError"
    places = [(kind, file.endswith(case.path)) for kind, file in docs["places"]]
    return docs["verdict"] == "some" and is_one and places == [(error, True)]


def payloads(case, docs, paths):
    """The payloads that are damaged, or whose place is lost, are reported; others can be read."""
    if docs["verdict"] == "refused":
        return case.kind == "folder"
    is_one = case.kind != "flip" or kind_of(case.path) != "page" or docs["damaged"] == 1
    return docs["verdict"] == "some" and is_one and {kind for kind, _ in docs["places"]} <= REPORTED


REPORTED = {"CorruptionError", "StorageIOError"}


def log(case, docs, paths):
    """Operations that the log alone has: the last one may be taken for torn by a crash.

    When all of the log's end is gone, that is what a crash leaves too, so any number of the last
    operations may be missing; never one from the midst.
    """
    if docs["verdict"] == "refused":
        return True
    last = max(path for path in paths if kind_of(path) == "wal")
    back_max = 1 if case.kind == "flip" else 17
    return docs["verdict"] == "earlier" and case.path == last and docs["back"] <= back_max


def either(case, docs, paths):
    """Of two files that were exchanged both are damaged."""
    return docs["verdict"] in ("refused", "some")


SWAPPED = either
ALLOWED = {
    "COLLECTION": refused,
    "MANIFEST": refused,
    "codes": refused_as_a_folder,
    "deleted": refused_as_a_folder,
    "done": refused_when_gone,
    "multi": refused_as_a_folder,
    "page": payloads,
    "tracker": payloads,
    "points": refused_as_a_folder,
    "rows": refused_as_a_folder,
    "spare": refused_as_a_folder,
    "sparse": refused_as_a_folder,
    "vectors": originals,
    "wal": log,
}


def assert_all_hold(cases, reader, paths):
    problems = []
    for case in cases:
        problem = problem_of(case, reader.look(case), paths)
        if problem is not None:
            problems.append(f"{case}: {problem}")
    assert not problems, f"{len(problems)} of {len(cases)} cases:\n" + "\n".join(problems[:20])


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file(kind, base, paths, reader):
    damaged = [path for path in paths if kind_of(path) == kind]
    cases = [case for path in damaged for case in cases_of(base.folder, path, SEED)]
    assert_all_hold(cases, reader, paths)


def test_exchanged_files(paths, reader):
    assert_all_hold(swaps_of(paths), reader, paths)


def test_damage_is_seen_by_this_test(base, paths):
    """The rules above refuse what must never be."""
    case = Case(paths[-1], "flip", 0)
    for verdict in ("wrong", "earlier", "some"):
        docs = {"verdict": verdict, "back": 2, "damaged": 2, "places": [("CorruptionError", "x")]}
        calm = {"verdict": "right", "searches": "right"}
        for kind in ("codes", "deleted", "points", "rows", "vectors", "wal", "MANIFEST"):
            case = Case(next(path for path in paths if kind_of(path) == kind), "flip", 0)
            seen = {"docs": docs, "calm": calm, "aliases": {"verdict": "right"}}
            assert problem_of(case, seen, paths) is not None
    case = Case(next(path for path in paths if kind_of(path) == "ALIASES"), "flip", 0)
    docs = {"verdict": "right", "searches": "right"}
    for verdict in ("right", "none", "wrong: {}"):
        seen = {"docs": docs, "calm": calm, "aliases": {"verdict": verdict}}
        assert problem_of(case, seen, paths) is not None
    assert problem_of(case, "died with -6", paths) == "died with -6"
