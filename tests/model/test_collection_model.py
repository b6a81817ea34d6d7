"""A collection against a dict: random operations, with optimizing, reopening and crashes between.

    make model OPERATIONS=1000000

After each step everything is compared. A crash is a copy of the open store's folder, which is then
opened in its place: what a killed process leaves behind.
"""

import shutil
import tempfile
import uuid
from functools import partial
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from asyncstore import PointNotFoundError
from asyncstore import models as m
from asyncstore.testing import open_test_store
from model_runs import run_model
from payload_model import put, removed

OPERATIONS = 10_000

DIMS = {"a": 2, "b": 3}
SPARSE = ["s", "t"]
MULTIVECTORS = {"m": 2}
INT8 = m.ScalarQuantization(scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8))
COPIES_MAX = 1000

ids = st.one_of(
    st.integers(0, 8), st.integers(0, 3).map(lambda number: str(uuid.UUID(int=number << 64 | 7)))
)
numbers = st.integers(-100, 100).map(float)
names = st.sampled_from([*DIMS, *MULTIVECTORS])
all_names = st.sampled_from([*DIMS, *SPARSE, *MULTIVECTORS])
sparse_vectors = st.dictionaries(st.integers(0, 2**32 - 1), numbers, max_size=40).map(
    lambda elements: m.SparseVector(
        indices=sorted(elements), values=[elements[index] for index in sorted(elements)]
    )
)
vectors = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.lists(numbers, min_size=dim, max_size=dim) for name, dim in DIMS.items()},
        **dict.fromkeys(SPARSE, sparse_vectors),
        **{
            name: st.lists(
                st.lists(numbers, min_size=dim, max_size=dim), min_size=1, max_size=40 // dim
            )
            for name, dim in MULTIVECTORS.items()
        },
    },
)
keys = st.sampled_from(["k", "l", "m n", "ö"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.integers(0, 400).map(lambda length: "x" * length * 8),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
payloads = st.dictionaries(keys, values, max_size=4)
paths = st.lists(
    st.one_of(keys, st.just([]), st.integers(0, 2).map(lambda index: [index])), max_size=3
).flatmap(lambda steps: keys.map(lambda key: [key, *steps]))
some_ids = st.lists(ids, min_size=1, max_size=4)


def path_text(steps):
    text = ""
    for step in steps:
        if isinstance(step, list):
            text += f"[{step[0]}]" if step else "[]"
        else:
            text += ("." if text else "") + (f'"{step}"' if " " in step else step)
    return text


class CollectionModel(RuleBasedStateMachine):
    """Points by id: (vectors by name, payload)."""

    operations = 0  # of all examples

    def __init__(self):
        super().__init__()
        self.points = {}
        self._base = Path(tempfile.mkdtemp(prefix="asyncstore-model-"))
        self._folder = self._base / "0"
        self._loop = start_blocking_portal()
        self._portal = self._loop.__enter__()
        self._opening = None

    @initialize(flush_interval_sec=st.sampled_from([0, 5]), uring=st.sampled_from(["auto", False]))
    def create(self, flush_interval_sec, uring):
        optimizers = {"flush_interval_sec": flush_interval_sec, "vacuum_min_vector_number": 100}
        self._config = {
            "storage": {
                "async_scorer": uring,
                "durability": "flush",
                "optimizers": optimizers,
                "performance": {"workers": 1, "prewarm": False},
            }
        }
        store = self._open()
        params = {
            name: m.VectorParams(size=dim, distance=m.Distance.DOT) for name, dim in DIMS.items()
        }
        for name, dim in MULTIVECTORS.items():
            params[name] = m.VectorParams(
                size=dim,
                distance=m.Distance.DOT,
                multivector_config=m.MultiVectorConfig(comparator="max_sim"),
                quantization_config=INT8,
            )
        sparse = {name: m.SparseVectorParams() for name in SPARSE}
        self._docs = self._call(
            store.create_collection, "docs", vectors=params, sparse_vectors=sparse
        )

    @rule(given=st.lists(st.tuples(ids, vectors, payloads | st.none()), min_size=1, max_size=5))
    def upsert(self, given):
        points = [
            m.PointStruct(id=point_id, vector=vector, payload=payload)
            for point_id, vector, payload in given
        ]
        self._call(self._docs.upsert, points)
        for point_id, vector, payload in given:
            self.points[point_id] = (vector, payload or {})

    @rule(given=st.dictionaries(ids, st.tuples(vectors, payloads), min_size=1), mode=st.booleans())
    def upsert_some(self, given, mode):
        points = [
            m.PointStruct(id=point_id, vector=vector, payload=payload)
            for point_id, (vector, payload) in given.items()
        ]
        chosen = m.UpdateMode.INSERT_ONLY if mode else m.UpdateMode.UPDATE_ONLY
        self._call(self._docs.upsert, points, update_mode=chosen)
        for point_id, (vector, payload) in given.items():
            if (point_id in self.points) != mode:
                self.points[point_id] = (vector, payload)

    @rule(given=some_ids)
    def delete(self, given):
        self._call(self._docs.delete, points=given)
        for point_id in given:
            self.points.pop(point_id, None)

    @rule(given=some_ids, payload=payloads, steps=st.none() | paths, is_merge=st.booleans())
    def set_payload(self, given, payload, steps, is_merge):
        call = self._docs.set_payload if is_merge else self._docs.overwrite_payload
        key = None if steps is None else path_text(steps)
        self._change(
            given,
            partial(call, payload, points=given, key=key),
            lambda before: put(before, steps or [], payload, is_merge=is_merge),
        )

    @rule(given=some_ids, all_steps=st.lists(paths, min_size=1, max_size=3))
    def delete_payload(self, given, all_steps):
        texts = [path_text(steps) for steps in all_steps]
        self._change(
            given,
            partial(self._docs.delete_payload, texts, points=given),
            lambda before: removed(before, all_steps),
        )

    @rule(given=some_ids)
    def clear_payload(self, given):
        self._change(given, partial(self._docs.clear_payload, points=given), lambda before: {})

    @rule(given=st.lists(st.tuples(ids, vectors.filter(bool)), min_size=1, max_size=4))
    def update_vectors(self, given):
        points = [m.PointVectors(id=point_id, vector=vector) for point_id, vector in given]
        call = partial(self._docs.update_vectors, points)
        if self._are_there([point_id for point_id, _ in given], call):
            for point_id, vector in given:
                before, payload = self.points[point_id]
                self.points[point_id] = ({**before, **vector}, payload)

    @rule(given=some_ids, losing=st.lists(all_names, min_size=1))
    def delete_vectors(self, given, losing):
        if self._are_there(given, partial(self._docs.delete_vectors, losing, points=given)):
            for point_id in given:
                before, payload = self.points[point_id]
                left = {name: before[name] for name in before if name not in losing}
                self.points[point_id] = (left, payload)

    @rule(given=some_ids)
    def retrieve(self, given):
        records = self._call(self._docs.retrieve, given, with_vectors=True)
        assert [(one.id, (one.vector, one.payload)) for one in records] == [
            (point_id, self.points[point_id]) for point_id in given if point_id in self.points
        ]

    @rule(name=names, limit=st.integers(1, 20))
    def search(self, name, limit):
        query = [1.0, -3.0, 0.5][: DIMS.get(name) or MULTIVECTORS[name]]
        if name in MULTIVECTORS:
            query = [query, query[::-1]]
        hits = self._call(self._docs.search, query, using=name, limit=limit, with_payload=True)
        scored = [
            (-_similarity(query, vector[name]), isinstance(point_id, str), point_id)
            for point_id, (vector, _) in self.points.items()
            if name in vector
        ]
        expected = [point_id for _, _, point_id in sorted(scored)[:limit]]
        assert [hit.id for hit in hits] == expected
        assert [hit.payload for hit in hits] == [self.points[one][1] for one in expected]

    @rule()
    def optimize(self):
        self._call(self._docs.optimize)

    @rule()
    def reopen(self):
        self._close()
        self._docs = self._call(self._open().get_collection, "docs")

    @rule()
    def crash(self):
        copy = self._base / str(int(self._folder.name) + 1)
        _copy_still_folder(self._folder, copy)
        self._close()
        shutil.rmtree(self._folder)
        self._folder = copy
        self._docs = self._call(self._open().get_collection, "docs")
        assert self._docs.statistics().rebuilt == []

    @invariant()
    def everything_is_as_it_must_be(self):
        if self._opening is None:
            return
        scroll = partial(self._docs.scroll, limit=100, with_vectors=True)
        records, following = self._portal.call(scroll)
        found = {one.id: (one.vector, one.payload) for one in records}
        assert following is None
        assert len(records) == len(found) == self._portal.call(self._docs.count)
        assert _texts(found) == _texts(self.points)

    def teardown(self):
        try:
            if self._opening is not None:
                findings = self._call(self._docs.check)
                self._close()
                assert findings == []
        finally:
            self._loop.__exit__(None, None, None)
            shutil.rmtree(self._base)

    def _change(self, given, call, changed):
        if self._are_there(given, call):
            for point_id in set(given):
                vector, payload = self.points[point_id]
                self.points[point_id] = (vector, changed(payload))

    def _are_there(self, given, call):
        """Makes the call; whether it has changed anything, which it must not if a point lacks."""
        if all(point_id in self.points for point_id in given):
            self._call(call)
            return True
        with pytest.raises(PointNotFoundError):
            self._call(call)
        return False

    def _call(self, function, *arguments, **named):
        type(self).operations += 1
        return self._portal.call(partial(function, *arguments, **named))

    def _open(self):
        opening = open_test_store(
            str(self._folder), config=self._config, wal_capacity_bytes=64 << 10
        )
        self._opening = self._portal.wrap_async_context_manager(opening)
        return self._opening.__enter__()

    def _close(self):
        opening, self._opening = self._opening, None
        opening.__exit__(None, None, None)


def _texts(points):
    """Texts tell 1 from 1.0 and from True, and the order of keys."""
    return {
        point_id: repr((sorted(vector.items()), payload))
        for point_id, (vector, payload) in points.items()
    }


def _copy_still_folder(source, target):
    """Copies a folder at a moment at which nothing in it changes."""
    for _ in range(COPIES_MAX):
        before = _listing(source)
        try:
            shutil.copytree(source, target)
        except (shutil.Error, FileNotFoundError):  # a file was replaced meanwhile
            pass
        else:
            if _listing(source) == before:
                return
        shutil.rmtree(target, ignore_errors=True)
    pytest.fail(f"{source} never rests")


def _listing(folder):
    found = []
    for file in sorted(folder.rglob("*")):
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        found.append((file, status.st_ino, status.st_size, status.st_mtime_ns))
    return found


def test_collection_model():
    run_model(CollectionModel, operations=OPERATIONS)


def _similarity(query, vector):
    """Dot product; of multivectors, for each row of the query the best one."""
    if isinstance(query[0], list):
        return sum(max(_similarity(row, other) for other in vector) for row in query)
    return sum(map(float.__mul__, query, vector))
