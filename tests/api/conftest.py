"""Both readers for every test that asks for one."""

import subprocess

import pytest

import asyncstore
import uring
from asyncstore import models as m
from cities import Docs
from program import ENVIRONMENT, program

READERS = ["io_uring", "mmap"]


@pytest.fixture(scope="session")
def uring_refusal() -> str | None:
    return uring.refusal()


@pytest.fixture(params=READERS)
def reader(request, uring_refusal):
    """The reader a test is to use, as the value of ``async_scorer``."""
    if request.param == "io_uring" and uring_refusal is not None:
        pytest.skip(f"io_uring does not work here: {uring_refusal}")
    return request.param == "io_uring"


@pytest.fixture
def open_store(tmp_path, reader):
    """Opens the test's store with the test's reader; options of ``performance`` and ``storage``."""

    def opening(*, optimizers=None, **performance):
        config = {
            "storage": {
                "async_scorer": reader,
                "performance": {"workers": 2, **performance},
                "optimizers": optimizers or {},
            }
        }
        return _Watched(asyncstore.open_store(tmp_path / "store", config=config), reader)

    return opening


class _Watched:
    """A store whose reader is written down, and is the one that was asked for."""

    def __init__(self, opening, is_uring):
        self._opening = opening
        self._expected = "io_uring" if is_uring else "mmap"

    async def __aenter__(self):
        store = await self._opening.__aenter__()
        served = store.statistics().reader
        self._store, self._served = store, served
        if served != self._expected:
            await self._opening.__aexit__(None, None, None)
            pytest.fail(f"{self._expected} was asked for, {served} serves")
        return store

    async def __aexit__(self, *error):
        try:
            reads = self._store.statistics().reads_submitted
            uring.reads_by_reader[self._served] += reads
        except asyncstore.AsyncStoreError:  # a test may leave behind a store that takes no calls
            pass
        await self._opening.__aexit__(*error)


@pytest.fixture
def unnamed():
    """Makes the parameters of one small unnamed vector."""

    def params(size=4, distance=m.Distance.DOT, **settings):
        return m.VectorParams(size=size, distance=distance, **settings)

    return params


@pytest.fixture
def docs_with_payload(open_store, unnamed):
    """A collection of three points with payload, as a context."""
    return Docs(open_store, unnamed(size=2))


@pytest.fixture
def run(tmp_path):
    """Runs the command line as a program, in the test's folder."""

    def command(*arguments, code=0):
        result = subprocess.run(
            program(*arguments),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            env=ENVIRONMENT,
        )
        assert result.returncode == code, result.stderr + result.stdout
        return result

    return command
