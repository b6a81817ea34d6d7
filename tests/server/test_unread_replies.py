"""Clients that ask and do not read what comes; over sockets."""

import socket
import time

import anyio
import pytest

from asyncstore import models as m
from serving import listening

pytestmark = pytest.mark.asyncio

# More than the buffers of both sockets take, however they grow.
REPLY_BYTES = 40 << 20
SCROLL = b"POST /collections/c/points/scroll HTTP/1.1\r\nhost: x\r\ncontent-length: 13\r\n\r\n"
SCROLL += b'{"limit": 99}'
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


async def fill(store):
    """Points that together make a large reply."""
    collection = await store.create_collection("c")
    text = "x" * (REPLY_BYTES // 40)
    for i in range(40):
        await collection.upsert([m.PointStruct(id=i, vector={}, payload={"text": text})])


def asking(port, *requests):
    """A socket that has sent requests."""
    asker = socket.socket()
    asker.connect(("127.0.0.1", port))
    for request in requests:
        asker.sendall(request)
    return asker


async def is_served(port):
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(HEALTH)
        return (await stream.receive()).startswith(b"HTTP/1.1 200 ")


async def until_served(port):
    """Until there is room for one more connection."""
    with anyio.fail_after(20):
        while not await is_served(port):
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("requests", [[SCROLL], [SCROLL] * 20], ids=["one", "twenty"])
async def test_a_reply_that_is_not_read_ends_the_connection(tmp_path, caplog, requests):
    async with listening(tmp_path, fill, body_timeout_s=0.3, max_connections=1) as port:
        with asking(port, *requests):
            await until_served(port)
    told = [record.message for record in caplog.records if "has not read" in record.message]
    assert len(told) == 1
    assert told[0].endswith("has not read its reply within 0.3 seconds")


async def test_what_is_left_of_a_reply_when_the_connection_is_closed(tmp_path, caplog):
    """The server closes it itself, and is not held up by what is still to be sent."""
    close = SCROLL.replace(b"host: x", b"connection: close")
    async with listening(tmp_path, fill, body_timeout_s=0.3, max_connections=1) as port:
        with asking(port, close):
            await until_served(port)


async def test_a_slow_reader_gets_it_all(tmp_path, caplog):
    async with listening(tmp_path, fill, body_timeout_s=0.3) as port:
        begin, received = time.monotonic(), 0
        with asking(port, SCROLL) as asker:
            asker.setblocking(False)
            with anyio.fail_after(60):
                while received < REPLY_BYTES:
                    await anyio.wait_readable(asker)
                    part = asker.recv(256 << 10)
                    assert part, "the connection was ended"
                    received += len(part)
                    if time.monotonic() - begin < 1.0:  # more than three times what it has
                        await anyio.sleep(0.02)
    assert time.monotonic() - begin > 0.9
    assert not [record for record in caplog.records if "has not read" in record.message]
