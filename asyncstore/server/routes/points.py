"""Points: written, read by id, page by page and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from asyncstore import models as m
from asyncstore.collection import Collection
from asyncstore.errors import InvalidArgumentError, PointNotFoundError
from asyncstore.ids import point_id
from asyncstore.server import bodies, replies, results
from asyncstore.server.access import Need
from asyncstore.server.endpoint import Call, Endpoint
from asyncstore.server.failures import RequestError, format_error
from asyncstore.server.values import vectors_of

_PAGE = 10


async def upsert(call: Call[bodies.Upsert]) -> m.UpdateResult:
    """Writes points, one by one or as columns."""
    collection, operation = await call.collection(), _upsert(call.body).upsert
    if isinstance(operation, m.PointsBatch):
        (result,) = await _operate(
            collection, [m.UpsertOperation(upsert=operation)], wait=call.wait
        )
        return result
    return await collection.upsert(
        operation.points,
        wait=call.wait,
        update_filter=operation.update_filter,
        update_mode=operation.update_mode,
    )


async def delete(call: Call[bodies.Selector]) -> m.UpdateResult:
    """Deletes points."""
    return await (await call.collection()).delete(**_selected(call.body), wait=call.wait)


async def update_vectors(call: Call[bodies.UpdateVectors]) -> m.UpdateResult:
    """Writes vectors of points that are there."""
    update = _update_vectors(call.body).update_vectors
    return await (await call.collection()).update_vectors(
        update.points, wait=call.wait, update_filter=update.update_filter
    )


async def delete_vectors(call: Call[bodies.DeleteVectors]) -> m.UpdateResult:
    """Takes vectors away from points."""
    collection = await call.collection()
    return await collection.delete_vectors(call.body.vector, **_selected(call.body), wait=call.wait)


async def set_payload(call: Call[bodies.SetPayload]) -> m.UpdateResult:
    """Merges into payloads."""
    body = call.body
    return await (await call.collection()).set_payload(
        body.payload, **_selected(body), key=body.key, wait=call.wait
    )


async def overwrite_payload(call: Call[bodies.SetPayload]) -> m.UpdateResult:
    """Replaces payloads."""
    body = call.body
    return await (await call.collection()).overwrite_payload(
        body.payload, **_selected(body), key=body.key, wait=call.wait
    )


async def delete_payload(call: Call[bodies.DeletePayload]) -> m.UpdateResult:
    """Takes keys out of payloads."""
    collection = await call.collection()
    return await collection.delete_payload(call.body.keys, **_selected(call.body), wait=call.wait)


async def clear_payload(call: Call[bodies.Selector]) -> m.UpdateResult:
    """Empties payloads."""
    return await (await call.collection()).clear_payload(**_selected(call.body), wait=call.wait)


async def update(call: Call[bodies.UpdateOperations]) -> list[m.UpdateResult]:
    """Several writes, in their order; all are checked before the first is made."""
    operations = [_operation(one, index) for index, one in enumerate(call.body.operations)]
    return await _operate(await call.collection(), operations, wait=call.wait)


async def get(call: Call[None]) -> results.Record:
    """One point, with all that it holds."""
    collection = await call.collection()
    given = call.path["point_id"]
    wanted = int(given) if given.isdecimal() and given.isascii() else given
    try:
        point_id(wanted, "point_id")
    except InvalidArgumentError as error:
        raise RequestError(400, f'Wrong input: Can not recognize "{given}" as point id') from error
    found = await collection.retrieve([wanted], with_payload=True, with_vectors=True)
    if not found:
        raise PointNotFoundError(f"Point with id {given} does not exists!")
    return replies.record(found[0])


async def retrieve(call: Call[bodies.Retrieve]) -> list[results.Record]:
    """Points by their ids."""
    body = call.body
    found = await (await call.collection()).retrieve(body.ids, **body.selection(payload=True))
    return await replies.records(found)


async def scroll(call: Call[bodies.Scroll]) -> results.Page:
    """A page of points."""
    body = call.body
    found, following = await (await call.collection()).scroll(
        filter=body.filter,
        limit=_PAGE if body.limit is None else body.limit,
        offset=body.offset,
        order_by=body.order_by,
        **body.selection(payload=True),
    )
    return {"points": await replies.records(found), "next_page_offset": following}


async def count(call: Call[bodies.Count]) -> results.PointsCount:
    """How many points there are, or match."""
    collection = await call.collection()
    counted = await collection.count(filter=call.body.filter, exact=call.body.exact is not False)
    return {"count": counted}


async def facet(call: Call[bodies.Facet]) -> results.Facets:
    """The values of a field that most points have."""
    body = call.body
    hits = await (await call.collection()).facet(
        body.key, limit=_PAGE if body.limit is None else body.limit, filter=body.filter
    )
    return {"hits": hits}


async def _operate(
    collection: Collection, operations: list[m.UpdateOperation], *, wait: bool
) -> list[m.UpdateResult]:
    return await collection.batch_update(operations, wait=wait)


def _selected(body: bodies.Selector) -> dict[str, Any]:
    """The arguments of a write that say which points it is for."""
    if body.points is None and body.filter is None:
        raise format_error("either points or filter must be there")
    return {"points": body.points, "filter": body.filter}


def _upsert(body: bodies.Upsert) -> m.UpsertOperation:
    rest = {"update_filter": body.update_filter, "update_mode": body.update_mode}
    if body.points is not None:
        points = [
            m.PointStruct(id=one.id, vector=vectors_of(one.vector), payload=one.payload)
            for one in body.points
        ]
        return m.UpsertOperation(upsert=m.PointsList(points=points, **rest))
    if body.batch is None:
        raise format_error("either points or batch must be there")
    columns = body.batch
    batch = m.Batch(ids=columns.ids, vectors=columns.vectors, payloads=columns.payloads)
    return m.UpsertOperation(upsert=m.PointsBatch(batch=batch, **rest))


def _update_vectors(body: bodies.UpdateVectors) -> m.UpdateVectorsOperation:
    points = [m.PointVectors(id=one.id, vector=vectors_of(one.vector)) for one in body.points]
    return m.UpdateVectorsOperation(
        update_vectors=m.UpdateVectors(points=points, update_filter=body.update_filter)
    )


def _selector(body: bodies.Selector) -> m.PointIdsList | m.FilterSelector:
    if body.points is not None:
        return m.PointIdsList(points=body.points)
    if body.filter is None:
        raise format_error("either points or filter must be there")
    return m.FilterSelector(filter=body.filter)


def _set_payload(body: bodies.SetPayload) -> m.SetPayload:
    return m.SetPayload(**_selected(body), payload=body.payload, key=body.key)


_MADE: dict[str, Callable[[Any], m.UpdateOperation]] = {
    "upsert": _upsert,
    "delete": lambda body: m.DeleteOperation(delete=_selector(body)),
    "set_payload": lambda body: m.SetPayloadOperation(set_payload=_set_payload(body)),
    "overwrite_payload": lambda body: m.OverwritePayloadOperation(
        overwrite_payload=_set_payload(body)
    ),
    "delete_payload": lambda body: m.DeletePayloadOperation(
        delete_payload=m.DeletePayload(**_selected(body), keys=body.keys)
    ),
    "clear_payload": lambda body: m.ClearPayloadOperation(clear_payload=_selector(body)),
    "update_vectors": _update_vectors,
    "delete_vectors": lambda body: m.DeleteVectorsOperation(
        delete_vectors=m.DeleteVectors(**_selected(body), vector=body.vector)
    ),
}


def _operation(given: dict[str, msgspec.Raw], index: int) -> m.UpdateOperation:
    """One member of a batch of writes: ``{"upsert": {…}}`` or one of its siblings."""
    known = [key for key in given if key in _MADE]
    if len(known) != 1:
        raise format_error(f"operations[{index}]: must have one of the keys {', '.join(_MADE)}")
    (key,) = known
    try:
        body = msgspec.json.decode(given[key], type=bodies.OPERATIONS[key])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise format_error(f"operations[{index}].{key}: {error}") from error
    return _MADE[key](body)


_POINTS = "/collections/{collection_name}/points"

ENDPOINTS: list[Endpoint[Any]] = [
    Endpoint("PUT", _POINTS, upsert, bodies.Upsert, Need.WRITE),
    Endpoint("POST", _POINTS, retrieve, bodies.Retrieve),
    Endpoint("POST", _POINTS + "/scroll", scroll, bodies.Scroll),
    Endpoint("POST", _POINTS + "/count", count, bodies.Count),
    Endpoint("POST", _POINTS + "/delete", delete, bodies.Selector, Need.WRITE),
    Endpoint("PUT", _POINTS + "/vectors", update_vectors, bodies.UpdateVectors, Need.WRITE),
    Endpoint("POST", _POINTS + "/vectors/delete", delete_vectors, bodies.DeleteVectors, Need.WRITE),
    Endpoint("POST", _POINTS + "/payload", set_payload, bodies.SetPayload, Need.WRITE),
    Endpoint("PUT", _POINTS + "/payload", overwrite_payload, bodies.SetPayload, Need.WRITE),
    Endpoint("POST", _POINTS + "/payload/delete", delete_payload, bodies.DeletePayload, Need.WRITE),
    Endpoint("POST", _POINTS + "/payload/clear", clear_payload, bodies.Selector, Need.WRITE),
    Endpoint("POST", _POINTS + "/batch", update, bodies.UpdateOperations, Need.WRITE),
    Endpoint("GET", _POINTS + "/{point_id}", get),
    Endpoint("POST", "/collections/{collection_name}/facet", facet, bodies.Facet),
]
