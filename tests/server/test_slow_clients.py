"""Clients that are slow, never done, too many, or speak no HTTP; over sockets."""

import json
import time

import anyio
import pytest

from asyncstore.server.protocol import HEADERS_BYTES_MAX
from serving import listening

pytestmark = pytest.mark.asyncio


async def talk(port, *parts):
    """All that comes back for what is sent, until the connection is closed: status and error."""
    with anyio.fail_after(20):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            for part in parts:
                await stream.send(part)
            return parsed(await rest_of(stream))


async def rest_of(stream):
    received = b""
    try:
        while True:
            received += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return received


def parsed(received):
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower(), received
    told = json.loads(body)
    assert set(told) == {"status", "time"}
    return int(head.split()[1]), told["status"]["error"]


COUNT = b"POST /collections/c/points/count HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET / HT", COUNT, COUNT + b"a: b"])
async def test_headers_that_do_not_come(tmp_path, sent):
    async with listening(tmp_path, body_timeout_s=0.3) as port:
        status, text = await talk(port, sent)
        assert (status, text) == (408, "Timeout: no request has come within 0.3 seconds")


async def test_headers_that_come_drop_by_drop(tmp_path):
    async with listening(tmp_path, body_timeout_s=0.3) as port:
        begin = time.monotonic()
        with anyio.fail_after(20):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                async with anyio.create_task_group() as tasks:

                    async def drip():
                        await stream.send(COUNT)
                        while True:
                            await stream.send(b"a: b\r\n")
                            await anyio.sleep(0.05)

                    tasks.start_soon(drip)
                    status, _ = parsed(await rest_of(stream))
                    tasks.cancel_scope.cancel()
        assert status == 408
        assert time.monotonic() - begin < 10


@pytest.mark.parametrize("sent", [b"", b'{"limit"', b" " * 70_000])
async def test_a_body_that_does_not_come(tmp_path, sent):
    async with listening(tmp_path, body_timeout_s=0.3) as port:
        head = COUNT + b"content-length: 100000\r\n\r\n"
        status, text = await talk(port, head, sent)
        assert (status, text) == (408, "Timeout: the body has not come within 0.3 seconds")


async def test_a_body_that_is_too_long_is_not_waited_for(tmp_path):
    async with listening(tmp_path, max_request_size_mb=1) as port:
        status, text = await talk(port, COUNT + b"content-length: 9999999999999999999\r\n\r\n")
        assert (status, text) == (413, "Payload error: the body is larger than 1048576 bytes")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET\r\n\r\n",
        COUNT + b"content-length: -1\r\n\r\n",
        COUNT + b"content-length: x\r\n\r\n",
        COUNT + b"content-length: 3\r\ncontent-length: 4\r\n\r\n{}  ",
        COUNT + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_http(tmp_path, sent):
    async with listening(tmp_path, body_timeout_s=2) as port:
        status, text = await talk(port, sent)
        assert (status, text.startswith("Bad request: ")) == (400, True)


async def test_a_body_that_is_shorter_than_told_is_followed_by_what_is_no_request(tmp_path):
    async with listening(tmp_path, body_timeout_s=2) as port:
        with anyio.fail_after(20):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(COUNT + b"content-length: 2\r\n\r\n{}{}")
                received = await rest_of(stream)
        assert b"HTTP/1.1 400 Bad Request" in received


async def test_headers_without_end(tmp_path):
    async with listening(tmp_path) as port:
        with anyio.fail_after(20):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(COUNT + b"a: " + b"b" * HEADERS_BYTES_MAX)
                received = await rest_of(stream)
        assert received.startswith(b"HTTP/1.1 431 ")


async def test_connections_too_many(tmp_path):
    async with listening(tmp_path, max_connections=3) as port:
        with anyio.fail_after(20):
            held = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(3)]
            for stream in held:
                await stream.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                refusal = await rest_of(stream)
            status, text = parsed(refusal)
            assert (status, text) == (503, "Service unavailable: there are 3 connections already")
            assert b"\r\nretry-after: 1\r\n" in refusal
            await held.pop().aclose()
            while True:  # the server has to see the end of the one that was closed
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    await stream.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                    if (await stream.receive()).startswith(b"HTTP/1.1 200 "):
                        break
            for stream in held:
                await stream.aclose()


async def test_keep_alive(tmp_path):
    async with listening(tmp_path) as port:
        with anyio.fail_after(20):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                for _ in range(3):
                    await stream.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                    assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_goes_in_the_middle_of_a_body_is_no_failure_of_the_server(
    tmp_path, caplog
):
    caplog.set_level("INFO", "asyncstore.server")
    async with listening(tmp_path) as port:
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(COUNT + b"content-length: 100\r\n\r\n{")
        with anyio.fail_after(20):
            while not caplog.records:
                await anyio.lowlevel.checkpoint()
    (record,) = caplog.records
    assert (record.levelname, "status=400" in record.message) == ("INFO", True)
