"""What every test may use, and a check that io_uring was not passed over."""

import sys
from collections.abc import Awaitable, Callable
from importlib.machinery import PathFinder
from importlib.util import find_spec

import anyio
import anyio.lowlevel
import pytest

import fake_native

package = find_spec("asyncstore")  # found, not imported
if PathFinder.find_spec("_native", package.submodule_search_locations) is None:
    # Without a build the Python side alone can be tested, on the stand-in.
    sys.modules["asyncstore._native"] = fake_native  # type: ignore[assignment]
    collect_ignore = ["api", "docs", "model"]

LOOPS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    pytest.param(("trio", {}), id="trio"),
]


@pytest.fixture(params=LOOPS)
def anyio_backend(request):
    """Every test marked ``anyio`` runs on each of the loops."""
    return request.param


async def until(condition: Callable[[], object], timeout_s: float = 20) -> None:
    """Lets other tasks run until the condition holds; fails when it takes too long."""
    with anyio.fail_after(timeout_s):
        while not condition():
            await anyio.lowlevel.checkpoint()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    return until


def pytest_sessionfinish(session):
    """A run that read through the memory map alone, where io_uring works, is a failed run."""
    if "uring" not in sys.modules:  # no test of this process has opened a store
        return
    uring = sys.modules["uring"]
    if hasattr(session.config, "workeroutput"):  # one of several processes: the first one decides
        session.config.workeroutput["reads_by_reader"] = dict(uring.reads_by_reader)
        return
    is_selection = bool(session.config.option.keyword) or any(
        "::" in argument for argument in session.config.args
    )
    passed_over = bool(uring.reads_by_reader) and not uring.reads_by_reader["io_uring"]
    if passed_over and not is_selection and uring.refusal() is None:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line("io_uring works here, but no test has read through it", red=True)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_testnodedown(node):
    """Counts what another process has read."""
    reads = getattr(node, "workeroutput", {}).get("reads_by_reader")
    if reads is not None:
        import uring  # without a build there are no stores, and no reads

        uring.reads_by_reader.update(reads)
