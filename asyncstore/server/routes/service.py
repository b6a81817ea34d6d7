"""What is asked about the server itself."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from starlette.responses import JSONResponse, PlainTextResponse

from asyncstore.errors import CollectionNotFoundError, CorruptionError
from asyncstore.server import results
from asyncstore.server.access import Need
from asyncstore.server.endpoint import Call, Endpoint
from asyncstore.server.json_schema import Like
from asyncstore.server.parameters import FLAG, TIMEOUT, Parameter
from asyncstore.version import __version__

# Clients compare this with their own: the interface that is spoken.
INTERFACE_VERSION = "1.18.0"
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
    return PlainTextResponse("healthz check passed")


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
    names = await call.store.list_collections()
    lines = [
        "# HELP app_info information about qdrant server",
        "# TYPE app_info gauge",
        f'app_info{{name="qdrant",version="{INTERFACE_VERSION}"}} 1',
        "# HELP collections_total number of collections",
        "# TYPE collections_total gauge",
        f"collections_total {len(names)}",
        "# HELP collection_points number of points of a collection",
        "# TYPE collection_points gauge",
    ]
    for name in names:
        # One that is damaged, or was deleted meanwhile, is counted as a collection alone.
        with suppress(CorruptionError, CollectionNotFoundError):
            points = (await call.store.get_collection(name)).statistics().points
            lines.append(f'collection_points{{id="{_label(name)}"}} {points}')
    lines += [
        "# HELP rest_responses_total number of replies",
        "# TYPE rest_responses_total counter",
    ]
    for method, path, status, count in call.counters.counts():
        labels = f'method="{method}",endpoint="{path}",status="{status}"'
        lines.append(f"rest_responses_total{{{labels}}} {count}")
    return PlainTextResponse("\n".join(lines) + "\n")


def _label(text: str) -> str:
    """As the value of a label is written."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


async def telemetry(call: Call[None]) -> Annotated[dict[str, object], Like(results.Telemetry)]:
    """What runs here, and how much it holds."""
    return {
        "id": call.store.path,
        "app": {"name": "asyncstore", "version": __version__},
        "collections": {"number_of_collections": len(await call.store.list_collections())},
        "cluster": {"enabled": False},
        "requests": {"rest": {"responses": call.counters.responses()}, "grpc": {"responses": {}}},
    }


_OF_STATISTICS = (
    Parameter("anonymize", "Changes nothing.", FLAG),
    Parameter("per_collection", "Changes nothing.", FLAG),
)
_DETAILS = Parameter("details_level", "Changes nothing.", least=0)

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
