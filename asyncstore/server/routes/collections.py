"""Collections and their payload indexes."""

from __future__ import annotations

from typing import Any

import msgspec

from asyncstore import models as m
from asyncstore.bounds import checked
from asyncstore.errors import UnsupportedError
from asyncstore.models.quantization import decode_quantization
from asyncstore.server import bodies, results
from asyncstore.server.access import Need
from asyncstore.server.endpoint import Call, Endpoint
from asyncstore.server.failures import format_error


async def list_collections(call: Call[None]) -> results.Collections:
    """Their names."""
    return {"collections": [{"name": name} for name in await call.store.list_collections()]}


async def get(call: Call[None]) -> m.CollectionInfo:
    """State and settings."""
    return await (await call.collection()).info()


async def exists(call: Call[None]) -> results.Existence:
    """Whether there is one of this name."""
    return {"exists": await call.store.collection_exists(call.path["collection_name"])}


async def create(call: Call[bodies.CreateCollection]) -> bool:
    """Makes one; also of no vectors at all."""
    body = call.body
    codes = body.quantization if body.quantization_config is None else body.quantization_config
    await call.store.create_collection(
        call.path["collection_name"],
        vectors=_vectors(body.vectors),
        sparse_vectors=body.sparse_vectors,
        quantization_config=None if codes is None else _codes(codes),
        hnsw_config=body.hnsw_config,
        optimizers_config=body.optimizers_config,
        wal_config=body.wal_config,
        on_disk_payload=body.on_disk_payload is not False,
        metadata=body.metadata,
    )
    return True


async def update(call: Call[bodies.UpdateCollection]) -> bool:
    """Changes settings of one."""
    body = call.body
    if body.strict_mode_config is not None:
        raise UnsupportedError("strict_mode_config is not supported yet")
    await call.store.update_collection(
        call.path["collection_name"],
        vectors=body.vectors,
        sparse_vectors=body.sparse_vectors,
        optimizers_config=body.optimizers_config,
        params=body.params,
        hnsw_config=body.hnsw_config,
        quantization_config=body.quantization_config,
        metadata=body.metadata,
    )
    return True


async def delete(call: Call[None]) -> bool:
    """Deletes one; false if there was none."""
    return await call.store.delete_collection(call.path["collection_name"])


async def change_aliases(call: Call[bodies.ChangeAliases]) -> bool:
    """Makes, removes and renames aliases."""
    await call.store.update_aliases(call.body.actions)
    return True


async def aliases(call: Call[None]) -> m.CollectionsAliasesResponse:
    """All of them."""
    return m.CollectionsAliasesResponse(aliases=await call.store.list_aliases())


async def aliases_of(call: Call[None]) -> m.CollectionsAliasesResponse:
    """Those of one collection."""
    name = (await call.collection()).name
    found = await call.store.list_aliases()
    return m.CollectionsAliasesResponse(
        aliases=[alias for alias in found if alias.collection_name == name]
    )


async def create_index(call: Call[bodies.CreateIndex]) -> m.UpdateResult:
    """Makes an index of a payload field."""
    return await (await call.collection()).create_payload_index(
        call.body.field_name, call.body.field_schema, wait=call.wait
    )


async def delete_index(call: Call[None]) -> m.UpdateResult:
    """Drops it."""
    return await (await call.collection()).delete_payload_index(
        call.path["field_name"], wait=call.wait
    )


async def cluster(call: Call[None]) -> results.CollectionCluster:
    """The one shard that there is."""
    statistics = (await call.collection()).statistics()
    shard: results.LocalShard = {
        "shard_id": 0,
        "points_count": statistics.points,
        "state": "Active",
    }
    return {
        "peer_id": 0,
        "shard_count": 1,
        "local_shards": [shard],
        "remote_shards": [],
        "shard_transfers": [],
    }


def _vectors(given: Any) -> Any:
    """The one unnamed vector, or those by name."""
    if isinstance(given, dict) and not ("size" in given and "distance" in given):
        return {name: _params(one, f"vectors.{name}") for name, one in given.items()}
    return None if given is None else _params(given, "vectors")


def _params(given: object, path: str) -> m.VectorParams:
    return checked(given, m.VectorParams, path, dec_hook=decode_quantization)


def _codes(given: Any) -> Any:
    if isinstance(given, str):
        return given
    try:
        return decode_quantization(m.QuantizationConfig, given)
    except msgspec.ValidationError as error:
        raise format_error(str(error)) from error


_ONE = "/collections/{collection_name}"

ENDPOINTS: list[Endpoint[Any]] = [
    Endpoint("GET", "/collections", list_collections),
    Endpoint("GET", "/aliases", aliases),
    Endpoint(
        "POST",
        "/collections/aliases",
        change_aliases,
        bodies.ChangeAliases,
        Need.WRITE,
        refusals=(404, 409),
    ),
    Endpoint("GET", _ONE + "/aliases", aliases_of),
    Endpoint("GET", _ONE, get),
    Endpoint(
        "PUT",
        _ONE,
        create,
        bodies.CreateCollection,
        Need.WRITE,
        may_be_absent=True,
        refusals=(409,),
    ),
    Endpoint("PATCH", _ONE, update, bodies.UpdateCollection, Need.WRITE),
    Endpoint("DELETE", _ONE, delete, need=Need.WRITE, may_be_absent=True),
    Endpoint("GET", _ONE + "/exists", exists, may_be_absent=True),
    Endpoint("GET", _ONE + "/cluster", cluster),
    Endpoint("PUT", _ONE + "/index", create_index, bodies.CreateIndex, Need.WRITE),
    Endpoint("DELETE", _ONE + "/index/{field_name}", delete_index, need=Need.WRITE),
]
