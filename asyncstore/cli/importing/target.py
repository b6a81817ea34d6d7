"""The collection that an import writes to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from asyncstore.cli.codes import config_of
from asyncstore.cli.importing.plan import ImportPlan
from asyncstore.collection import Collection
from asyncstore.errors import (
    CollectionNotFoundError,
    DimensionMismatchError,
    InvalidArgumentError,
)
from asyncstore.models import VectorParams
from asyncstore.settings import UNNAMED, is_multivector
from asyncstore.store import Store


@asynccontextmanager
async def opened_target(
    store: Store, plan: ImportPlan, dims: Mapping[str, int]
) -> AsyncIterator[Collection]:
    """That of the plan; one that was made goes again when bad input leaves it without points.

    Raises:
        InvalidArgumentError: It has no such vectors.
        DimensionMismatchError: Its vectors have other numbers of dimensions.
    """
    try:
        collection = await store.get_collection(plan.collection)
    except CollectionNotFoundError:
        collection = await _made(store, plan, dims)
        try:
            yield collection
        except InvalidArgumentError:
            if collection.statistics().points == 0:
                await store.delete_collection(plan.collection)
            raise
        return
    await _check_vectors(collection, dims)
    yield collection


async def _made(store: Store, plan: ImportPlan, dims: Mapping[str, int]) -> Collection:
    params = {
        name: VectorParams(size=dim, distance=plan.distance, on_disk=True)
        for name, dim in dims.items()
    }
    return await store.create_collection(
        plan.collection,
        vectors=params[UNNAMED] if list(params) == [UNNAMED] else params,
        quantization_config=config_of(plan.codes),
    )


async def _check_vectors(collection: Collection, dims: Mapping[str, int]) -> None:
    """Raises before anything is written."""
    params = (await collection.info()).config.params.vectors or {}
    by_name = {UNNAMED: params} if isinstance(params, VectorParams) else params
    for name, dim in dims.items():
        known = by_name.get(name)
        if known is None or is_multivector(known):
            names = ", ".join(f"'{one}'" for one in by_name) or "none"
            raise InvalidArgumentError(
                f"collection '{collection.name}' has no dense vector '{name}', its vectors are: "
                f"{names}; --vector NAME=COLUMN says which one a column is"
            )
        if dim != known.size:
            vector = f"vector '{name}'" if name else "vector"
            raise DimensionMismatchError(
                f"{vector} has {dim} dimensions, collection '{collection.name}' has {known.size}",
                expected=known.size,
                got=dim,
            )
