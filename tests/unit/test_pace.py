"""Long work in slices."""

import anyio.lowlevel
import pytest

from asyncstore.pace import Pace, drop, listed, slices

pytestmark = pytest.mark.anyio

SLICE_MAX = 512


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Elements:
    """Of a reply; notes how many were made objects at once."""

    def __init__(self, elements, made):
        self._elements = elements
        self.made = made

    def __len__(self):
        return len(self._elements)

    def __getitem__(self, wanted):
        return Elements(self._elements[wanted], self.made)

    def tolist(self):
        self.made.append(len(self))
        return list(self._elements)


class Others(Pace):
    """Lets other tasks run each time, and counts that."""

    def __init__(self):
        super().__init__()
        self.times = 0

    async def breathe(self):
        self.times += 1
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("count", [0, 1, 256, 10_000])
async def test_a_long_reply_is_made_a_list_in_slices(count):
    pace, long = Others(), Elements(range(count), [])
    assert await listed(long, pace) == list(range(count))
    assert max(long.made, default=0) <= SLICE_MAX
    assert pace.times == len(long.made) >= count / SLICE_MAX


async def test_a_list_stays_as_it_is():
    short = [3, 1, 2]
    assert await listed(short, Others()) is short
    assert [part async for part in slices(short, Others())] == [[3, 1, 2]]


async def test_a_long_list_is_dropped_in_slices():
    pace, long = Others(), list(range(10_000))
    await drop(long, pace)
    assert long == []
    assert pace.times >= 10_000 / SLICE_MAX
