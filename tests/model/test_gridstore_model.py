"""The Gridstore against a dict: random operations, flushes cut short, crashes, replays.

    make model OPERATIONS=1000000

The store is driven through a small library that the native tests' build makes. A crash is a copy of
the open store's folder, opened at the last flush that was committed; then what was done since is
done again, as the log would, sometimes cut short by the next crash.
"""

import ctypes
import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from model_runs import run_model

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "build" / "tests" / "libgridstore_driver.so"
OPERATIONS = 90_000
ABSENT = -2

SIZES = st.integers(0, 600) | st.integers(0, 60_000)
slots = st.integers(0, 40) | st.integers(0, 3000)
values = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda letter, size: bytes([letter]) * size, st.integers(0, 255), SIZES),
    st.builds(lambda seed, size: random.Random(seed).randbytes(size), st.integers(0), SIZES),
)
# A slot and its new value; None: removed.
changes = st.lists(st.tuples(slots, values | st.none()), max_size=30)
FULL = ["done"] * 3


def load():
    library = ctypes.CDLL(str(LIBRARY))
    library.gridstore_error.restype = ctypes.c_char_p
    library.gridstore_open.restype = ctypes.c_void_p
    library.gridstore_open.argtypes = [ctypes.c_char_p, ctypes.c_uint64]
    library.gridstore_value.restype = ctypes.c_void_p
    numbers = {
        "close": [],
        "put": [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_uint64],
        "remove": [ctypes.c_uint32],
        "write_out": [ctypes.c_int64],
        "end_readers": [],
        "read": [ctypes.c_uint32, ctypes.c_int64],
        "value": [],
        "slot_count": [],
        "plan": [],
        "prepare": [ctypes.c_uint64],
        "finish": [],
        "committed": [],
        "abandon": [],
        "check": [],
    }
    for name, arguments in numbers.items():
        function = getattr(library, f"gridstore_{name}")
        function.argtypes = [ctypes.c_void_p, *arguments]
        if name != "value":
            function.restype = ctypes.c_int64
    return library


class GridstoreModel(RuleBasedStateMachine):
    """Values by slot; ``log`` is what was done since the last flush that was committed."""

    library = None
    operations = 0  # of all examples, replays not counted

    def __init__(self):
        super().__init__()
        self.values = {}
        self.durable = {}
        self.log = []
        self.touched = set()  # slots of the present group
        self.number = self.committed = 0
        self._base = Path(tempfile.mkdtemp(prefix="asyncstore-gridstore-"))
        self._store = None

    @initialize()
    def open(self):
        self._folder = self._base / "0"
        self._open()

    @rule(given=changes)
    def change(self, given):
        self._do_all(given)

    @rule(reader=st.booleans())
    def write_out(self, reader):
        self._end_group(reader=reader)

    @rule()
    def end_readers(self):
        self._call("end_readers")

    @rule(slot=slots)
    def read_own(self, slot):
        assert self._read(slot, own=True) == self.values.get(slot)

    @rule(meanwhile=changes, later=changes, end=st.sampled_from(["abandon", "lost", "cut", *FULL]))
    def flush(self, meanwhile, later, end):
        """With changes on the way; ``lost`` and ``cut``: a crash before, or after it counts."""
        self._end_group()
        if self._call("plan") == 0:
            return
        planned, done = dict(self.values), len(self.log)
        self._do_all(meanwhile)
        self._end_group()
        if end == "abandon":
            self._call("abandon")
            return
        self.number += 1
        self._call("prepare", self.number)
        if end == "lost":
            self._crash(len(self.log))
            return
        # The caller's manifest names it: from here on it counts.
        self.committed, self.durable, self.log = self.number, planned, self.log[done:]
        self._do_all(later)
        self._end_group()
        if end == "cut":
            self._crash(len(self.log))
            return
        self._call("finish")
        self._call("committed")

    @rule()
    def reopen(self):
        self._end_group()
        self._close()
        self._open()
        self._replay(len(self.log))

    @rule(replayed=st.integers(0, 40))
    def crash(self, replayed):
        """In the midst of a group and of a flush; then again in the midst of the replay."""
        for part in (min(replayed, len(self.log)), len(self.log)):
            self._crash(part)

    @invariant()
    def everything_is_as_it_must_be(self):
        if self._store is None or self.touched:
            return
        self._compare(self.values)

    def teardown(self):
        try:
            if self._store is not None:
                self._end_group()
                self._compare(self.values)
                assert self._call("check") == 0
                self._close()
        finally:
            shutil.rmtree(self._base)

    def _do_all(self, given):
        for change in given:
            type(self).operations += 1
            self.log.append(change)
            self._apply(change)

    def _crash(self, replayed):
        copy = self._base / str(int(self._folder.name) + 1)
        shutil.copytree(self._folder, copy)
        self._close()
        shutil.rmtree(self._folder)
        self._folder = copy
        self._open()
        self._replay(replayed)

    def _apply(self, change):
        slot, value = change
        self.touched.add(slot)
        if value is None:
            self._call("remove", slot)
            self.values.pop(slot, None)
        else:
            self._call("put", slot, value, len(value))
            self.values[slot] = value

    def _end_group(self, *, reader=False):
        self._call("write_out", int(reader))
        self.touched.clear()

    def _replay(self, operations):
        for at, change in enumerate(self.log[:operations]):
            self._apply(change)
            if at % 7 == 6:
                self._end_group()
        self._end_group()

    def _open(self):
        self._store = self.library.gridstore_open(str(self._folder).encode(), self.committed)
        assert self._store, self.library.gridstore_error().decode()
        self.touched.clear()
        self.values = dict(self.durable)
        self._compare(self.values)

    def _close(self):
        store, self._store = self._store, None
        self.library.gridstore_close(store)

    def _compare(self, expected):
        count = self._call("slot_count")
        assert count >= max(expected, default=-1) + 1
        for slot in {*expected, *range(min(count, 45)), count}:
            assert self._read(slot) == expected.get(slot)

    def _read(self, slot, *, own=False):
        size = self._call("read", slot, int(own))
        if size == ABSENT:
            return None
        return ctypes.string_at(self.library.gridstore_value(self._store), size)

    def _call(self, name, *arguments):
        answer = getattr(self.library, f"gridstore_{name}")(self._store, *arguments)
        assert answer != -1, self.library.gridstore_error().decode()
        return answer


def test_gridstore_model():
    if not LIBRARY.exists():
        if os.environ.get("ASYNCSTORE_NATIVE_TESTS_BUILT"):
            pytest.fail(f"{LIBRARY} is missing, though the native tests were built")
        pytest.skip(f"{LIBRARY} is missing: run `make native-unit` first")
    GridstoreModel.library = load()
    run_model(GridstoreModel, operations=OPERATIONS)
