"""What every test may use: the event loops, and waiting for a condition."""

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
