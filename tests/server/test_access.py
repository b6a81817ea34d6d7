"""Keys: without one nothing is told, with that for reading nothing is changed."""

import pytest

from asyncstore.server.access import Need
from asyncstore.server.app import ENDPOINTS

pytestmark = pytest.mark.asyncio

KEYS = {"api_key": "secret", "read_only_api_key": "look"}


def example_of(endpoint):
    path = endpoint.path.replace("{collection_name}", "c")
    return path.replace("{point_id}", "1").replace("{field_name}", "f")


@pytest.mark.parametrize(
    "endpoint", ENDPOINTS, ids=[f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS]
)
async def test_every_endpoint_asks_for_what_it_needs(served, endpoint):
    async with served(**KEYS) as s:

        async def status(**headers):
            path = example_of(endpoint)
            return (await s.http.request(endpoint.method, path, headers=headers)).status_code

        kept_out = {401, 403}
        without, wrong = await status(), await status(**{"api-key": "secre"})
        reading = await status(**{"api-key": "look"})
        assert await status(**{"api-key": "secret"}) not in kept_out
        assert await status(authorization="Bearer secret") not in kept_out
        if endpoint.need is Need.NOTHING:
            assert kept_out.isdisjoint({without, wrong, reading})
        else:
            assert (without, wrong) == (401, 401)
            assert (reading == 403) == (endpoint.need is Need.WRITE)


async def test_what_reads_is_told_from_what_writes():
    """By the words that the interface uses for reads, so that no write is left open."""
    reading = {"query", "search", "recommend", "discover", "scroll", "count", "facet"}
    for endpoint in ENDPOINTS:
        words = set(endpoint.path.split("/"))
        is_read = endpoint.method == "GET" or bool(words & reading)
        is_retrieval = (endpoint.method, endpoint.path.endswith("/points")) == ("POST", True)
        assert (endpoint.need is Need.WRITE) == (not is_read and not is_retrieval), endpoint.path


async def test_an_empty_key_is_none(served):
    async with served(api_key="") as s:
        assert (await s.http.get("/collections")).status_code == 200


async def test_a_key_for_reading_alone_keeps_everybody_from_writing(served):
    async with served(read_only_api_key="look") as s:
        for key in ("", "look", "None"):
            reply = await s.http.put("/collections/c", json={}, headers={"api-key": key})
            assert reply.status_code in {401, 403}


async def test_what_a_request_may_carry(served):
    async with served(max_request_size_mb=1) as s:
        path = "/collections/c/points/count"
        assert (await s.http.post(path, content=b" " * (1 << 20))).status_code == 400
        assert (await s.http.post(path, content=b" " * ((1 << 20) + 1))).status_code == 413
