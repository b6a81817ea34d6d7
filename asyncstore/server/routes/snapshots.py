"""Snapshots of collections and of the whole store."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import anyio.to_thread

from asyncstore import models as m
from asyncstore.archive import check_space
from asyncstore.errors import AsyncStoreError, InvalidArgumentError, StorageIOError
from asyncstore.names import check_new_name
from asyncstore.server import bodies
from asyncstore.server.access import Need
from asyncstore.server.endpoint import Call, Endpoint
from asyncstore.server.failures import RequestError, format_error
from asyncstore.server.files import Accepted, Download
from asyncstore.server.parameters import FLAG, Parameter
from asyncstore.server.upload import snapshot_parts
from asyncstore.snapshot_locations import file_of, is_url

_logger = logging.getLogger("asyncstore.server")

T = TypeVar("T")


async def list_snapshots(call: Call[None]) -> list[m.SnapshotDescription]:
    """Those of a collection."""
    return await (await call.collection()).list_snapshots()


async def create(call: Call[None]) -> m.SnapshotDescription | Accepted:
    """Makes one."""
    collection = await call.collection()
    return await _waited_for(call, collection.create_snapshot)


async def delete(call: Call[None]) -> bool | Accepted:
    """Deletes one."""
    collection, name = await call.collection(), call.path["snapshot_name"]
    await call.store.snapshots.path(collection.name, name)  # must be there, whoever waits
    return await _waited_for(call, lambda: collection.delete_snapshot(name))


async def download(call: Call[None]) -> Download:
    """The file."""
    return await _file(call, (await call.collection()).name)


async def recover(call: Call[bodies.RecoverSnapshot]) -> Literal[True] | Accepted:
    """Fetches one, or takes a file in the folder of snapshots; makes the collection if need be."""
    body = call.body
    check_new_name(call.path["collection_name"])
    location = body.location
    if not is_url(location):
        location = str(await anyio.to_thread.run_sync(_file_to_recover, call, location))

    async def work() -> Literal[True]:
        await _recovered(call, location, body.checksum, body.api_key)
        return True

    return await _waited_for(call, work)


async def upload(call: Call[None]) -> Literal[True] | Accepted:
    """Takes one in, as it comes, and recovers it."""
    check_new_name(call.path["collection_name"])  # before anything is taken in
    snapshots = call.store.snapshots
    checksum = call.query.get("checksum")
    async with snapshots.new_part() as part:
        _check_room(call, part.path.parent)
        async for chunk in snapshot_parts(call.request):
            await snapshots.append(part, chunk)
        await _recovered(call, part.path, checksum, None)
    return True if _waits(call) else Accepted()


async def list_full(call: Call[None]) -> list[m.SnapshotDescription]:
    """Those of the whole store."""
    return await call.store.list_snapshots()


async def create_full(call: Call[None]) -> m.SnapshotDescription | Accepted:
    """Makes one."""
    return await _waited_for(call, call.store.create_snapshot)


async def delete_full(call: Call[None]) -> bool | Accepted:
    """Deletes one."""
    name = call.path["snapshot_name"]
    await call.store.snapshots.path(None, name)
    return await _waited_for(call, lambda: call.store.delete_snapshot(name))


async def download_full(call: Call[None]) -> Download:
    """The file."""
    return await _file(call, None)


async def _file(call: Call[None], collection: str | None) -> Download:
    name = call.path["snapshot_name"]
    return Download(await call.store.snapshots.path(collection, name), name)


def _check_room(call: Call[None], folder: Path) -> None:
    """Refuses what is announced to be larger than the disk has room for."""
    announced = call.request.headers.get("content-length", "")
    if not announced.isdecimal():
        return
    try:
        check_space(folder, int(announced[:20]))
    except StorageIOError as error:
        raise RequestError(413, f"Payload error: {error}") from error


async def _recovered(
    call: Call[Any], location: str | Path, checksum: str | None, api_key: str | None
) -> None:
    try:
        await call.store.recover_snapshot(
            location,
            collection=call.path["collection_name"],
            checksum=checksum,
            api_key=api_key,
        )
    except InvalidArgumentError as error:
        if str(error).startswith("Checksum mismatch"):
            raise RequestError(400, str(error)) from error
        raise
    except StorageIOError as error:
        if error.filename == str(location) and is_url(error.filename):
            raise RequestError(400, f"Bad request: {error}") from error
        raise


def _file_to_recover(call: Call[bodies.RecoverSnapshot], location: str) -> Path:
    """A file that whoever may write over HTTP may have read: one in the folder of snapshots."""
    if "://" not in location:
        raise format_error(f"location: {location!r} is a relative URL without a base")
    try:
        path = file_of(location)
    except InvalidArgumentError as error:
        raise RequestError(400, f"Bad request: {error}") from error
    try:
        inside = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # also of names too long, and of links in a circle
        sentence = f'Bad request: Snapshot file "{path}" does not exist'
        raise RequestError(400, sentence) from error
    if not inside.is_relative_to(call.store.snapshots.root.resolve()):
        raise RequestError(
            403, "Forbidden: Snapshot file path must be inside the snapshots directory.."
        )
    return inside


def _waits(call: Call[Any]) -> bool:
    return call.flag("wait", default=True)


async def _waited_for(call: Call[Any], work: Callable[[], Awaitable[T]]) -> T | Accepted:
    """Does it, or says that it will be done and does it behind the reply."""
    if _waits(call):
        return await work()

    async def behind() -> None:
        try:
            await work()
        except (AsyncStoreError, RequestError) as error:  # nobody waits to be told
            _logger.error("a snapshot's call that was accepted failed: %s", error)

    return Accepted(behind)


_OF_ONE = "/collections/{collection_name}/snapshots"
_ONE = "/{snapshot_name}"

_WAIT = Parameter("wait", "Whether the reply comes when it is done; it does by default.", FLAG)
_OF_UPLOAD = (
    _WAIT,
    Parameter("priority", "Changes nothing.", bodies.PRIORITIES),
    Parameter("checksum", "SHA-256 of the file, in hexadecimal digits."),
)

ENDPOINTS: list[Endpoint[Any]] = [
    Endpoint("GET", _OF_ONE, list_snapshots),
    Endpoint("POST", _OF_ONE, create, need=Need.WRITE, others=(_WAIT,)),
    Endpoint(
        "PUT",
        _OF_ONE + "/recover",
        recover,
        bodies.RecoverSnapshot,
        Need.WRITE,
        (_WAIT,),
        may_be_absent=True,
    ),
    Endpoint(
        "POST",
        _OF_ONE + "/upload",
        upload,
        need=Need.WRITE,
        others=_OF_UPLOAD,
        form=bodies.SnapshotForm,
        may_be_absent=True,
    ),
    Endpoint("GET", _OF_ONE + _ONE, download),
    Endpoint("DELETE", _OF_ONE + _ONE, delete, need=Need.WRITE, others=(_WAIT,)),
    Endpoint("GET", "/snapshots", list_full),
    Endpoint("POST", "/snapshots", create_full, need=Need.WRITE, others=(_WAIT,)),
    Endpoint("GET", "/snapshots" + _ONE, download_full),
    Endpoint("DELETE", "/snapshots" + _ONE, delete_full, need=Need.WRITE, others=(_WAIT,)),
]
