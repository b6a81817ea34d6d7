"""Where io_uring is refused, and after a fork."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import asyncstore
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

SANDBOX = Path(__file__).parent / "sandbox.py"
REFUSALS = [
    pytest.param(errno.EPERM, ["seccomp", "io_uring_setup", "async_scorer"], id="EPERM"),
    pytest.param(errno.ENOSYS, ["kernel", "async_scorer"], id="ENOSYS"),
]


async def make_store(folder, async_scorer="auto"):
    config = {"storage": {"async_scorer": async_scorer}}
    async with asyncstore.open_store(folder, config=config) as store:
        docs = await store.create_collection(
            "docs",
            vectors=m.VectorParams(
                size=3,
                distance=m.Distance.DOT,
                quantization_config=m.ScalarQuantization(
                    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)
                ),
            ),
        )
        await docs.upsert_arrays([1, 2, 3], np.eye(3, dtype=np.float32))
        await docs.optimize()


def look(folder, async_scorer, refusal_errno):
    """What a process under the filter saw."""
    done = subprocess.run(
        [sys.executable, str(SANDBOX), str(folder), async_scorer, str(refusal_errno)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen.pop("uring_errno") == refusal_errno  # the filter was in force
    return seen


@pytest.mark.parametrize(("refusal", "words"), REFUSALS)
async def test_auto_falls_back_to_the_map_and_says_why(tmp_path, refusal, words):
    await make_store(tmp_path)
    seen = look(tmp_path, "auto", refusal)
    assert seen["reader"] == "mmap"
    for word in words:
        assert word in seen["reason"]
    assert seen["hits"] == [[2, 1.0], [1, 0.0]]
    assert seen["exact"] == [[2, [0.0, 1.0, 0.0]], [1, [1.0, 0.0, 0.0]]]
    assert seen["written"] == [77]


@pytest.mark.parametrize(("refusal", "words"), REFUSALS)
async def test_true_fails_at_open_with_advice(tmp_path, refusal, words):
    await make_store(tmp_path)
    seen = look(tmp_path, "true", refusal)
    assert seen["error"] == "UnsupportedError"
    for word in ["async_scorer is true", "async_scorer to false or auto", *words]:
        assert word in seen["message"]
    # The refusal has left nothing locked or changed.
    async with asyncstore.open_store(tmp_path) as store:
        assert await (await store.get_collection("docs")).count() == 3


async def test_false_asks_for_nothing(tmp_path):
    await make_store(tmp_path)
    seen = look(tmp_path, "false", errno.EPERM)
    assert (seen["reader"], seen["reason"]) == ("mmap", "async_scorer is false")
    assert seen["written"] == [77]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_a_forked_child_is_refused_and_the_parent_goes_on(tmp_path):
    await make_store(tmp_path)
    async with asyncstore.open_store(tmp_path) as store:
        docs = await store.get_collection("docs")
        answers, answers_fd = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.write(answers_fd, _refusals(store, docs).encode())
                status = 0
            finally:
                os._exit(status)
        os.close(answers_fd)
        with os.fdopen(answers) as stream:
            refusals = json.load(stream)
        # It has answered and ends at once.
        assert os.waitpid(child, 0)[1] == 0  # noqa: ASYNC222
        assert refusals == {
            call: ["StoreClosedError", f"store {tmp_path} was opened by another process"]
            for call in ("statistics", "count", "search", "upsert", "delete", "create")
        }
        await docs.upsert_arrays([4], np.ones((1, 3), np.float32))
        assert [hit.id for hit in await docs.search([1.0, 1.0, 1.0], limit=1)] == [4]


def _refusals(store, docs):
    """What the child gets from each call, as JSON; without an event loop of its own."""
    row = np.ones((1, 3), np.float32)
    calls = {
        "statistics": store.statistics,
        "count": lambda: docs.count().send(None),
        "search": lambda: docs.search([1.0, 1.0, 1.0]).send(None),
        "upsert": lambda: docs.upsert_arrays([5], row).send(None),
        "delete": lambda: docs.delete(points=[1]).send(None),
        "create": lambda: store.create_collection("more").send(None),
    }
    seen = {}
    for name, call in calls.items():
        try:
            call()
        except asyncstore.AsyncStoreError as error:
            seen[name] = [type(error).__name__, str(error)]
    return json.dumps(seen)
