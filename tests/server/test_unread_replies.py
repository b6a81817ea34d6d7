"""Clients that ask and do not read what comes; over sockets."""

import asyncio
import socket
import time

import anyio
import httpx
import pytest

from asyncstore import models as m
from asyncstore.server.outflow import SLICE_BYTES, Outflow, send_body
from certificates import Files
from serving import listening

pytestmark = pytest.mark.asyncio

# More than the buffers of both sockets take, however they grow.
REPLY_BYTES = 40 << 20
SCROLL = b"POST /collections/c/points/scroll HTTP/1.1\r\nhost: x\r\ncontent-length: 13\r\n\r\n"
SCROLL += b'{"limit": 99}'


class Server:
    """Where a server listens whose replies are long, and what its clients trust."""

    def __init__(self, folder, files):
        self._folder, self._files = folder, files
        self.trust = files and files.trust

    def listening(self, **service):
        tls = self._files and {"cert": str(self._files.cert), "key": str(self._files.key)}
        return listening(self._folder, fill, tls, **service)

    def asking(self, port, *requests):
        """A socket that has sent requests; blocking, as a thread can use it."""
        asker = socket.create_connection(("127.0.0.1", port))
        if self.trust is not None:
            asker = self.trust.wrap_socket(asker, server_hostname="127.0.0.1")
        for request in requests:
            asker.sendall(request)
        return asker

    async def until_served(self, port):
        """Until there is room for one more connection."""
        url = f"{'http' if self.trust is None else 'https'}://127.0.0.1:{port}/healthz"
        with anyio.fail_after(20):
            status = 0
            while status != 200:
                async with httpx.AsyncClient(verify=self.trust or True) as http:
                    status = (await http.get(url)).status_code


async def fill(store):
    """Points that together make a large reply."""
    collection = await store.create_collection("c")
    text = "x" * (REPLY_BYTES // 40)
    for i in range(40):
        await collection.upsert([m.PointStruct(id=i, vector={}, payload={"text": text})])


@pytest.fixture(params=["http", "https"])
def server(request, tmp_path):
    return Server(tmp_path, Files(tmp_path) if request.param == "https" else None)


@pytest.mark.parametrize("requests", [[SCROLL], [SCROLL] * 20], ids=["one", "twenty"])
async def test_a_reply_that_is_not_read_ends_the_connection(server, caplog, requests):
    async with server.listening(body_timeout_s=0.3, max_connections=1) as port:
        with await asyncio.to_thread(server.asking, port, *requests):
            await server.until_served(port)
    told = [record.message for record in caplog.records if "has not read" in record.message]
    assert len(told) == 1
    assert told[0].endswith("has not read its reply within 0.3 seconds")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_reply_after_which_the_connection_is_closed(server):
    close = SCROLL.replace(b"host: x", b"connection: close")
    async with server.listening(body_timeout_s=0.3, max_connections=1) as port:
        with await asyncio.to_thread(server.asking, port, close):
            await server.until_served(port)


async def test_a_slow_reader_gets_it_all(server, caplog):
    def read(port):
        begin, received = time.monotonic(), 0
        with server.asking(port, SCROLL) as asker:
            while received < REPLY_BYTES:
                part = asker.recv(256 << 10)
                assert part, "the connection was ended"
                received += len(part)
                if time.monotonic() - begin < 1.0:  # more than three times what it has
                    time.sleep(len(part) / (24 << 20))
        return time.monotonic() - begin

    async with server.listening(body_timeout_s=0.3) as port:
        assert await asyncio.to_thread(read, port) > 0.9
    assert not [record for record in caplog.records if "has not read" in record.message]


class Transport:
    """Closes when what was written is taken, which does not happen."""

    def __init__(self):
        self.written, self.closed, self.aborted = [], False, asyncio.Event()

    def write(self, data):
        self.written.append(data)

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def abort(self):
        self.aborted.set()


async def test_what_is_left_after_a_close_is_dropped_in_time():
    transport = Transport()
    ending = Outflow(transport, asyncio.get_running_loop(), 0.01)
    ending.write(b"a")
    ending.close()
    ending.close()
    ending.write(b"b")
    assert not transport.aborted.is_set()
    with anyio.fail_after(20):
        await transport.aborted.wait()
    assert transport.written == [b"a"]


async def test_a_connection_that_is_over_is_left_alone():
    transport = Transport()
    ending = Outflow(transport, asyncio.get_running_loop(), 0)
    ending.close()
    ending.forget()
    for _ in range(10):
        await anyio.lowlevel.checkpoint()
    assert not transport.aborted.is_set()


SIZES = [0, 1, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1, 3 * SLICE_BYTES, 3 * SLICE_BYTES + 7]


@pytest.mark.parametrize("size", SIZES)
async def test_slices_are_the_body(size):
    body, sent = (bytes(range(256)) * (size // 256 + 1))[:size], []

    async def send(message):
        sent.append(message)

    await send_body(send, body)
    assert b"".join(message["body"] for message in sent) == body
    assert all(len(message["body"]) <= SLICE_BYTES for message in sent)
    flags = [message.get("more_body", False) for message in sent]
    assert flags == [True] * (len(flags) - 1) + [False]
    assert len(flags) == max(1, -(-size // SLICE_BYTES))


async def test_head_and_body_of_a_short_reply_leave_at_once():
    transport = Transport()
    outflow = Outflow(transport, asyncio.get_running_loop(), 1)
    outflow.write(b"head")
    outflow.write(b"body")
    assert transport.written == []
    await anyio.lowlevel.checkpoint()
    assert transport.written == [b"headbody"]
    outflow.write(b"x" * SLICE_BYTES)  # a long one is not held back
    assert len(transport.written) == 2
    await anyio.lowlevel.checkpoint()
    assert len(transport.written) == 2
