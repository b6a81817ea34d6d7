"""A server without a socket: the application on a store, with the official client before it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
import qdrant_client

import asyncstore
import asyncstore.testing
from asyncstore.server import create_app
from described import check


@dataclass
class Served:
    """A store, the official client of its server, and one that says what goes over the wire."""

    store: asyncstore.Store
    client: qdrant_client.AsyncQdrantClient
    http: httpx.AsyncClient

    async def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Status and text of a request that must fail."""
        reply = await self.http.request(method, path, json=body)
        told = reply.json()
        assert set(told) == {"status", "time"}, told
        return reply.status_code, told["status"]["error"]


@pytest.fixture
def described(monkeypatch):
    """Whatever is answered is held against the server's description."""
    handle = httpx.ASGITransport.handle_async_request

    async def checked(transport, request):
        body = await request.aread()
        response = await handle(transport, request)
        await response.aread()
        check(request, body, response)
        return response

    monkeypatch.setattr(httpx.ASGITransport, "handle_async_request", checked)


@pytest.fixture
def served(tmp_path, described):
    """Opens the server's store; to be entered by the test itself."""

    @asynccontextmanager
    async def opening(**service: object) -> AsyncIterator[Served]:
        config = {"service": service}
        async with asyncstore.open_store(tmp_path / "store", config=config) as store:
            wire = httpx.ASGITransport(app=create_app(store))
            async with (
                asyncstore.testing.client(store) as client,
                httpx.AsyncClient(transport=wire, base_url="http://store") as http,
            ):
                yield Served(store, client, http)

    return opening
