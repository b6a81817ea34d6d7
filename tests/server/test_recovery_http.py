"""A server whose store is still being opened: what it answers, and how it ends."""

import os
import signal
import socket
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

import asyncstore
from asyncstore.cli.output import Output
from asyncstore.cli.serve import serve_store
from asyncstore.config import Config
from asyncstore.models import RecoveryProgress
from asyncstore.server.recovery import Recovery, progress_text
from asyncstore.store import OpenStore

pytestmark = pytest.mark.asyncio


def progress(collections=3, collections_opened=1, log_bytes=1000, log_bytes_replayed=429):
    return RecoveryProgress(
        collections=collections,
        collections_opened=collections_opened,
        log_bytes=log_bytes,
        log_bytes_replayed=log_bytes_replayed,
    )


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (progress(), "recovering: 1 of 3 collections, 42 % of the log"),
        (progress(3, 3, 1000, 1000), "recovering: 3 of 3 collections, 100 % of the log"),
        (progress(2, 0, 0, 0), "recovering: 0 of 2 collections, 0 % of the log"),
        (progress(0, 0, 0, 0), "recovering: looking for collections"),
    ],
)
async def test_progress_is_told_in_words(told, text):
    assert progress_text(told) == text


@asynccontextmanager
async def recovering():
    recovery = Recovery(progress)
    wire = httpx.ASGITransport(app=recovery)
    async with httpx.AsyncClient(transport=wire, base_url="http://store") as http:
        yield recovery, http


async def test_it_lives_and_is_not_ready():
    async with recovering() as (_, http):
        for path in ("/healthz", "/livez", "/livez/"):
            reply = await http.get(path)
            assert (reply.status_code, reply.text) == (200, "healthz check passed")
        reply = await http.get("/readyz")
        assert reply.status_code == 503
        assert reply.headers["content-type"].startswith("text/plain")
        assert reply.headers["retry-after"] == "1"
        assert reply.text == "recovering: 1 of 3 collections, 42 % of the log"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/metrics"),
        ("GET", "/collections"),
        ("PUT", "/collections/c"),
        ("POST", "/healthz"),
        ("POST", "/collections/c/points/query"),
        ("DELETE", "/nowhere"),
    ],
)
async def test_all_else_is_asked_to_come_again(method, path):
    async with recovering() as (_, http):
        reply = await http.request(method, path, content=b"{}")
        assert reply.status_code == 503
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["retry-after"] == "1"
        assert set(reply.json()) == {"status", "time"}
        text = "Service unavailable: recovering: 1 of 3 collections, 42 % of the log"
        assert reply.json()["status"]["error"] == text


async def test_afterwards_the_application_answers():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with recovering() as (recovery, http):
        recovery.done(app)
        assert (await http.get("/readyz")).status_code == 204


class Held(OpenStore):
    """A store that is not opened before the test says so, or something stops it."""

    def __init__(self, path):
        super().__init__(str(path), Config())
        self.may_open = anyio.Event()

    def stop(self):
        super().stop()
        self.may_open.set()

    async def __aenter__(self):
        await self.may_open.wait()
        return await super().__aenter__()


async def with_a_collection(folder):
    async with asyncstore.open_store(folder) as store:
        await store.create_collection("c")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@asynccontextmanager
async def serving(opening):
    """The address of a server in this process; at the end of the block it must end by itself."""
    port = free_port()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                serve_store, opening, Config(), "127.0.0.1", port, Output(is_json=True)
            )
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                while not await listens(http):
                    await anyio.lowlevel.checkpoint()
                yield http


async def listens(http):
    try:
        return (await http.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def test_it_listens_before_the_store_is_open(tmp_path):
    await with_a_collection(tmp_path / "store")
    opening = Held(tmp_path / "store")
    async with serving(opening) as http:
        assert (await http.get("/readyz")).text == "recovering: looking for collections"
        assert (await http.get("/collections")).status_code == 503
        opening.may_open.set()
        while (await http.get("/readyz")).status_code == 503:
            pass
        assert (await http.get("/readyz")).text == "all shards are ready"
        assert (await http.get("/collections")).json()["result"]["collections"] == [{"name": "c"}]
        assert opening.progress().collections_opened == opening.progress().collections == 1
        os.kill(os.getpid(), signal.SIGTERM)
    await check_it_is_there(tmp_path / "store")


async def check_it_is_there(folder):
    async with asyncstore.open_store(folder) as store:
        assert await store.list_collections() == ["c"]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_recovery(tmp_path, ending):
    await with_a_collection(tmp_path / "store")
    opening = Held(tmp_path / "store")
    async with serving(opening) as http:
        assert (await http.get("/readyz")).status_code == 503
        os.kill(os.getpid(), ending)
    assert opening.progress().collections_opened == 0
    await check_it_is_there(tmp_path / "store")


async def test_what_cannot_be_opened_ends_the_server(tmp_path):
    (tmp_path / "letter.txt").write_text("dear reader")
    opening = Held(tmp_path)
    opening.may_open.set()
    with pytest.raises(asyncstore.InvalidArgumentError, match="is not a store"):
        await serve_store(opening, Config(), "127.0.0.1", free_port(), Output(is_json=True))
