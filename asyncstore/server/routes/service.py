"""What is asked about the server itself."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import JSONResponse, PlainTextResponse

from asyncstore.server import results
from asyncstore.server.access import Need
from asyncstore.server.endpoint import Call, Endpoint
from asyncstore.server.exposition import MEDIA_TYPE
from asyncstore.server.json_schema import Like
from asyncstore.server.metrics import exposition
from asyncstore.server.parameters import FLAG, TIMEOUT, Parameter
from asyncstore.version import __version__

# Clients compare this with their own: the interface that is spoken.
INTERFACE_VERSION = "1.18.0"
HEALTHY = "healthz check passed"
_COMMIT = "0" * 40


async def title(call: Call[None]) -> Annotated[JSONResponse, Like(results.Title)]:
    """Says what answers here; without the envelope."""
    return JSONResponse(
        {
            "title": "asyncstore - vector search engine",
            "version": INTERFACE_VERSION,
            "commit": _COMMIT,
        }
    )


async def health(call: Call[None]) -> PlainTextResponse:
    """The server answers."""
    return PlainTextResponse(HEALTHY)


async def ready(call: Call[None]) -> PlainTextResponse:
    """The store is open: an application is made of an open one."""
    return PlainTextResponse("all shards are ready")


async def issues(call: Call[None]) -> results.Issues:
    """There are never any."""
    return {"issues": []}


async def clear_issues(call: Call[None]) -> bool:
    """Nothing to do."""
    return True


async def cluster(call: Call[None]) -> results.ServerCluster:
    """A server is one node."""
    return {"status": "disabled"}


async def metrics(call: Call[None]) -> PlainTextResponse:
    """What Prometheus collects, as text."""
    text = await exposition(call.store, call.counters, INTERFACE_VERSION)
    return PlainTextResponse(text, media_type=MEDIA_TYPE)


async def telemetry(call: Call[None]) -> Annotated[dict[str, object], Like(results.Telemetry)]:
    """What runs here, how much it holds, and in detail what it has done."""
    told: dict[str, object] = {
        "id": call.store.path,
        "app": {"name": "asyncstore", "version": __version__},
        "collections": {"number_of_collections": len(await call.store.list_collections())},
        "cluster": {"enabled": False},
        "requests": {"rest": {"responses": call.counters.responses()}, "grpc": {"responses": {}}},
    }
    if int(call.query.get("details_level", 0)) > 0:
        told["statistics"] = call.store.statistics()
    return told


_OF_STATISTICS = (
    Parameter("anonymize", "Changes nothing.", FLAG),
    Parameter("per_collection", "Changes nothing.", FLAG),
)
_DETAILS = Parameter("details_level", "From 1 on, what the store has done is told too.", least=0)

ENDPOINTS: list[Endpoint[None]] = [
    Endpoint("GET", "/", title, need=Need.NOTHING),
    Endpoint("GET", "/healthz", health, need=Need.NOTHING),
    Endpoint("GET", "/livez", health, need=Need.NOTHING),
    Endpoint("GET", "/readyz", ready, need=Need.NOTHING),
    Endpoint("GET", "/issues", issues),
    Endpoint("DELETE", "/issues", clear_issues, need=Need.WRITE),
    Endpoint("GET", "/cluster", cluster),
    Endpoint("GET", "/metrics", metrics, others=(*_OF_STATISTICS, TIMEOUT)),
    Endpoint("GET", "/telemetry", telemetry, others=(_DETAILS, *_OF_STATISTICS, TIMEOUT)),
]
