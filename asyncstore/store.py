"""A store: a folder of collections, open in one process at a time."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, cast

from asyncstore.aliases import checked_actions
from asyncstore.collection import Collection
from asyncstore.config import Config, ConfigSource
from asyncstore.engine import Engine, NativeCollection, Pending, native_aliases, translated
from asyncstore.errors import AlreadyExistsError, CollectionNotFoundError
from asyncstore.log_settings import log_file_bytes
from asyncstore.models import (
    AliasDescription,
    AliasOperationsInput,
    CollectionParamsDiff,
    Disabled,
    HnswConfigDiff,
    OptimizersConfigDiff,
    QuantizationConfig,
    RecoveryProgress,
    SnapshotDescription,
    SparseVectorParams,
    StoreStatistics,
    VectorParamsDiff,
    WalConfigDiff,
)
from asyncstore.names import check_name, check_new_name
from asyncstore.settings import CollectionSettings, VectorsInput, checked_settings
from asyncstore.settings_changes import checked_changes
from asyncstore.snapshot_contents import Brought
from asyncstore.snapshots import Snapshots

if TYPE_CHECKING:
    from asyncstore.engine import NativeError


def open_store(path: str | os.PathLike[str], *, config: ConfigSource = None) -> OpenStore:
    """Opens the store in a folder, and makes one in a folder that is empty or not there.

    The store is closed at the end of the ``async with`` block, also when the block raises or is
    cancelled: writes that were taken are finished, searches in flight get ``StoreClosedError``.

    Args:
        path: The folder.
        config: None for the defaults, a ``Config``, a dict of its shape, or a YAML file's path.

    Returns:
        What is entered with ``async with``; the block gets the :class:`Store`.

    Raises:
        InvalidArgumentError: A setting is wrong, or the folder holds something else than a store.
        StoreLockedError: Another process, or this one, has the store open.
        UnsupportedError: The store has a newer format; or ``async_scorer`` is ``true`` and io_uring
            does not work here; or a setting is not supported yet.
        CorruptionError: What the store needs to open is damaged and cannot be rebuilt.
        StorageIOError: The folder cannot be read or written.

    Example:
        >>> import tempfile, anyio, asyncstore
        >>> from asyncstore import models as m
        >>> async def main(folder):
        ...     async with asyncstore.open_store(folder) as store:
        ...         docs = await store.create_collection(
        ...             "docs", vectors=m.VectorParams(size=2, distance=m.Distance.DOT))
        ...         await docs.upsert([m.PointStruct(id=7, vector=[0.5, 1.0])])
        ...         return (await docs.search([1.0, 1.0]))[0].score
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     anyio.run(main, folder)
        1.5
    """
    return OpenStore(os.fspath(path), Config.load(config))


class OpenStore:
    """What :func:`open_store` returns: a store that is open inside ``async with``."""

    def __init__(
        self, path: str, config: Config, native_options: Mapping[str, object] | None = None
    ) -> None:
        """Made by ``open_store``; the last argument by :mod:`asyncstore.testing`."""
        self._engine = Engine(path, config, native_options)

    @property
    def path(self) -> str:
        """The store's folder."""
        return self._engine.path

    def progress(self) -> RecoveryProgress:
        """How far the opening has come, for who looks on while another task waits for it."""
        return self._engine.progress()

    def stop(self) -> None:
        """Ends an opening that is under way: who waits for it gets ``StoreClosedError``.

        The logs may have been replayed in part: the next opening goes on from there, as after a
        crash. Does nothing to a store that is open.
        """
        self._engine.stop_opening()

    async def __aenter__(self) -> Store:
        """Opens the store on a thread, as this reads files."""
        engine = await self._engine.__aenter__()
        self._snapshots = Snapshots(engine)
        try:
            await self._snapshots.open()
        except BaseException as error:
            await self._engine.__aexit__(type(error), error, error.__traceback__)
            raise
        return Store(engine, self._snapshots)

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the store; shielded, so that it closes under cancellation too."""
        try:
            await self._snapshots.close()
        finally:
            await self._engine.__aexit__(error_class, error, traceback)


class Store:
    """An open store. Its methods belong to the event loop that opened it.

    In a child process after a fork every call raises ``StoreClosedError``; the parent goes on. Such
    a child must end with ``os._exit``, as those of ``multiprocessing`` do: an event loop of asyncio
    that is taken down in the child takes its descriptors from the parent's.
    """

    def __init__(self, engine: Engine, snapshots: Snapshots) -> None:
        """Made by :func:`open_store`."""
        self._engine = engine
        self.snapshots = snapshots
        # Only this process has the store open: what was read stays true until a change of ours. One
        # whose caller was cancelled may still be under way, so each is kept until it is done.
        self._collections: dict[str, NativeCollection] | None = None
        self._broken: dict[str, NativeError] = {}
        self._aliases: dict[str, str] = {}
        self._aliases_damage: NativeError | None = None
        self._changes: list[Pending] = []

    def __repr__(self) -> str:
        return f"<Store {self._engine.path!r}>"

    @property
    def path(self) -> str:
        """The store's folder."""
        return self._engine.path

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._engine.config

    async def create_collection(
        self,
        name: str,
        *,
        vectors: VectorsInput = None,
        sparse_vectors: Mapping[str, SparseVectorParams] | None = None,
        quantization_config: QuantizationConfig | str | None = None,
        hnsw_config: HnswConfigDiff | None = None,
        optimizers_config: OptimizersConfigDiff | None = None,
        wal_config: WalConfigDiff | None = None,
        on_disk_payload: bool = True,
        metadata: Mapping[str, object] | None = None,
    ) -> Collection:
        r"""Makes a collection; it is there, durably, when this returns.

        Args:
            name: 1 to 255 characters, none of ``< > : " / \ | ? *``, NUL and 0x1F.
            vectors: One vector without a name, or named ones; None for points without vectors.
            sparse_vectors: Sparse vectors by name.
            quantization_config: Codes of all dense vectors that do not have their own, not of
                multivectors: scalar, rabitq, product or binary. "auto" lets the store choose for
                each vector by its dimensions and by the memory that is left, 4 bits a dimension
                where a million codes of them fit into half of it; ``info()`` says what was chosen.
                Without codes a search reads all originals.
            hnsw_config: Settings of the graphs over the codes, of all vectors that do not have
                their own; ``m=0``: no graph, codes are scanned.
            optimizers_config: What the collection's optimizer has of its own; what is None is the
                store's (``storage.optimizers``). ``indexing_threshold=0``: nothing is sealed by
                itself, until :meth:`update_collection` says otherwise.
            wal_config: ``wal_capacity_mb`` is the size of one file of the log, 32 MiB unless it is
                given.
            on_disk_payload: Must be True; payload kept in memory is not supported yet.
            metadata: A JSON object that ``info()`` gives back.

        Raises:
            AlreadyExistsError: There is a collection of this name.
            InvalidArgumentError: The name or a setting is wrong; all wrong settings are listed. Or
                the name is an alias.
            UnsupportedError: A setting would have no effect yet.
            StorageIOError: The disk is full or fails.
            CorruptionError: The file of the aliases is damaged, and the name may be one of these.
            StoreFailedError: As of :meth:`update_aliases`.

        Cancellation: leaves behind the whole collection or none.
        """
        check_new_name(name)
        settings = checked_settings(
            vectors=vectors,
            sparse_vectors=sparse_vectors,
            quantization_config=quantization_config,
            hnsw_config=hnsw_config,
            optimizers_config=optimizers_config,
            wal_config=wal_config,
            on_disk_payload=on_disk_payload,
            metadata=metadata,
        )
        engine = self._engine
        engine.check_open()
        text, fields = settings.encode(), settings.native_fields()
        optimizers = settings.native_optimizers()
        sparse = list(settings.sparse_vectors)
        multivectors = settings.native_multivectors()
        log_bytes = log_file_bytes(settings.wal_config)
        created = await self._change(
            lambda: engine.native.submit_create_collection(
                name, text, fields, sparse, multivectors, optimizers, log_bytes
            )
        )
        return self._handle(cast(NativeCollection, created))

    async def get_collection(self, name: str) -> Collection:
        """The collection of this name, or the one that has it as an alias.

        What was got by an alias stays the same collection when the alias goes over to another.

        Raises:
            CollectionNotFoundError: There is none.
            CorruptionError: It is damaged and could not be opened; the others can be used. Or the
                file of the aliases is damaged, and it may be one of these.
        """
        check_name(name)
        await self._engine.checkpoint()
        return self._handle(self._find(name))

    def _handle(self, native: NativeCollection) -> Collection:
        return Collection(self._engine, native, self._find, self)

    def _find(self, name: str) -> NativeCollection:
        known = self._known()
        own_name = self._own_name(name)
        if own_name in known:
            return known[own_name]
        if own_name in self._broken:
            raise translated(self._broken[own_name])
        self._check_aliases()
        raise CollectionNotFoundError(f"Collection `{name}` doesn't exist!")

    async def list_collections(self) -> list[str]:
        """The names of all collections in order, also of those that could not be opened."""
        await self._engine.checkpoint()
        return sorted({*self._known(), *self._broken})

    async def collection_exists(self, name: str) -> bool:
        """Whether there is a collection of this name or alias, be it one that could not be opened.

        Raises:
            CorruptionError: The file of the aliases is damaged, and it may be one of these.
        """
        check_name(name)
        await self._engine.checkpoint()
        known, own_name = self._known(), self._own_name(name)
        if own_name in known or own_name in self._broken:
            return True
        self._check_aliases()
        return False

    async def delete_collection(self, name: str) -> bool:
        """Deletes a collection with all its points and its aliases.

        Args:
            name: Its own; an alias is none here, so that nobody deletes what he does not see.

        Returns:
            False if there was none.

        Raises:
            StorageIOError: The disk fails.

        Cancellation: leaves behind the whole collection or none of it.
        """
        check_name(name)
        engine = self._engine
        engine.check_open()
        deleted = await self._change(lambda: engine.native.submit_delete_collection(name))
        return cast(bool, deleted)

    async def update_collection(
        self,
        name: str,
        *,
        vectors: Mapping[str, VectorParamsDiff | Mapping[str, object]] | None = None,
        sparse_vectors: Mapping[str, SparseVectorParams | Mapping[str, object]] | None = None,
        optimizers_config: OptimizersConfigDiff | None = None,
        params: CollectionParamsDiff | None = None,
        hnsw_config: HnswConfigDiff | None = None,
        quantization_config: QuantizationConfig | Disabled | Mapping[str, object] | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Changes settings of a collection; durably, and for all calls that begin afterwards.

        What is not mentioned stays. Codes and graphs cannot be changed yet: settings of these are
        taken where they come to what is in force, and are said by ``info()`` then.

        Args:
            name: The collection's, or an alias of it.
            vectors: What changes of vectors and multivectors, by name, "" for the unnamed one.
            sparse_vectors: Likewise; ``modifier`` can be switched on (``IDF``) and off (``NONE``).
            optimizers_config: Field by field; the optimizer goes by it within a quarter of a
                second, whether or not anything is written.
            params: See :class:`CollectionParamsDiff`.
            hnsw_config: Field by field.
            quantization_config: As a whole; ``Disabled.DISABLED`` stands for none.
            metadata: Each key takes the place of the one that is there; None takes it away.

        Raises:
            CollectionNotFoundError: There is none.
            InvalidArgumentError: A setting is wrong, or there is no vector of a name.
            UnsupportedError: A setting would have no effect yet.
            StorageIOError: The disk is full or fails.
            StoreFailedError: An earlier change failed so that nobody knows what a crash would show;
                open the store again.

        Cancellation: leaves behind all changes or none.
        """
        changes = checked_changes(
            vectors=vectors,
            sparse_vectors=sparse_vectors,
            optimizers_config=optimizers_config,
            params=params,
            hnsw_config=hnsw_config,
            quantization_config=quantization_config,
            metadata=metadata,
        )
        check_name(name)
        await self._engine.checkpoint()
        native, engine = self._find(name), self._engine
        is_done = False
        while not is_done:  # another task may have changed them meanwhile
            before = native.config
            after = changes.merged(CollectionSettings.decode(before))
            submit = functools.partial(
                engine.native.submit_configure_collection,
                native,
                before,
                after.encode(),
                after.native_optimizers(),
            )
            is_done = cast(bool, await engine.call(engine.writes, submit))

    async def update_aliases(self, actions: Sequence[AliasOperationsInput]) -> None:
        """Makes, removes and renames aliases: all actions, one after the other, or none.

        An alias may be given wherever the name of a collection may, but for deleting it. When this
        returns, the change is durable, and every call that begins afterwards goes by it.

        Args:
            actions: ``CreateAliasOperation`` (an alias that is there goes over to the collection),
                ``DeleteAliasOperation`` (of one that need not be there), ``RenameAliasOperation``,
                or dicts of their shape.

        Raises:
            CollectionNotFoundError: An alias is to be made of what is no collection's own name, or
                renamed and not there.
            AlreadyExistsError: A collection has the name that an alias is to have.
            InvalidArgumentError: An action or a name is wrong; or there are too many aliases.
            CorruptionError: The file of the aliases is damaged.
            StorageIOError: The disk is full or fails.
            StoreFailedError: An earlier change failed so that nobody knows what a crash would show;
                open the store again.

        Cancellation: leaves behind all actions or none.

        Example:
            >>> async def switch(store):
            ...     await store.update_aliases([
            ...         {"create_alias": {"collection_name": "docs-2", "alias_name": "docs"}}])
        """
        native_actions = checked_actions(actions)
        engine = self._engine
        engine.check_open()
        await self._change(lambda: engine.native.submit_update_aliases(native_actions))

    async def list_aliases(self) -> list[AliasDescription]:
        """All aliases in the order of their names.

        Raises:
            CorruptionError: Their file is damaged.
        """
        await self._engine.checkpoint()
        self._known()
        self._check_aliases()
        return [
            AliasDescription(alias_name=alias, collection_name=name)
            for alias, name in sorted(self._aliases.items())
        ]

    async def create_snapshot(self) -> SnapshotDescription:
        """Makes a snapshot of all collections and aliases, in ``storage.snapshots_path``.

        Each is as of a moment of its own; see :meth:`Collection.create_snapshot`.

        Raises:
            CorruptionError: A collection, or the file of the aliases, is damaged.
            StorageIOError: A disk is full or fails; the store is as it was.
            StoreFailedError: Writing has stopped after a failed sync.

        Cancellation: leaves no snapshot behind, or a whole one.
        """
        await self._engine.checkpoint()
        natives = [self._find(name) for name in sorted({*self._known(), *self._broken})]
        self._check_aliases()
        return await self.snapshots.create_full(natives, dict(self._aliases))

    async def list_snapshots(self) -> list[SnapshotDescription]:
        """The snapshots of the whole store, the oldest first."""
        return await self.snapshots.listing(None)

    async def delete_snapshot(self, name: str) -> bool:
        """Deletes a snapshot of the whole store; returns True.

        Raises:
            NotFoundError: There is none of this name.
            StorageIOError: The disk fails.
        """
        await self.snapshots.delete(None, name)
        return True

    async def recover_snapshot(
        self,
        location: str | os.PathLike[str],
        *,
        collection: str | None = None,
        checksum: str | None = None,
        api_key: str | None = None,
    ) -> None:
        """Puts what a snapshot holds in the place of what is there.

        A snapshot of the whole store replaces the collections that it holds, and leaves others as
        they are, and so with its aliases; that of one collection replaces the one named, or makes
        it. All is verified before anything is replaced. Writes that come in meanwhile go with what
        is replaced, and whoever holds a replaced collection gets ``CollectionNotFoundError``:
        ``get_collection`` gives the new one.

        Args:
            location: A path, a ``file://`` URI, or a URL of the loopback or of one of
                ``storage.snapshot_hosts``.
            collection: Which is to get the snapshot; None: it is of a whole store.
            checksum: SHA-256 of the file in hexadecimal digits, to be compared.
            api_key: Sent to the URL's host.

        Raises:
            InvalidArgumentError: There is no such file, the checksum differs, the file is no
                snapshot of this kind or is damaged, or the host may not be asked; nothing changed.
            AlreadyExistsError: A collection has the name of one of its aliases; nothing changed.
            UnsupportedError: A newer asyncstore made it.
            StorageIOError: The disk is full or fails, or the connection does. Of a whole store some
                collections may have been replaced, each of them whole.

        Cancellation: leaves behind what was there or what the snapshot holds, of each collection.
        """
        await self.snapshots.recover(
            location, collection, self._take_over, checksum=checksum, api_key=api_key
        )

    async def _take_over(self, brought: Brought) -> None:
        """Puts collections and aliases of a snapshot in the place of those that are there."""
        for alias in brought.aliases:
            if alias in self._known() or alias in self._broken:
                raise AlreadyExistsError(
                    f"Collection `{alias}` already exists! The snapshot has an alias of this name"
                )
        given = [(name, str(folder)) for name, folder in brought.collections]
        native = self._engine.native
        await self._change(lambda: native.submit_recover_collections(given))
        if brought.aliases:
            await self.update_aliases(
                [
                    {"create_alias": {"alias_name": alias, "collection_name": name}}
                    for alias, name in brought.aliases.items()
                ]
            )

    def statistics(self) -> StoreStatistics:
        """What the store has done since it was opened, and which reader serves."""
        self._engine.check_open()
        return self._engine.statistics()

    async def _change(self, submit: Callable[[], int]) -> object:
        """Changes collections or aliases; the change goes on when its caller is cancelled."""
        change = await self._engine.begin(self._engine.writes, submit)
        self._changes.append(change)
        await change.wait()
        return change.outcome()

    def _known(self) -> dict[str, NativeCollection]:
        """The collections that can be used; reads them and the aliases anew after a change."""
        if self._collections is None or self._changes:
            self._changes = [change for change in self._changes if not change.done]
            native = self._engine.native
            self._collections = {known.name: known for known in native.collections()}
            self._broken = dict(native.broken_collections())
            self._aliases, self._aliases_damage = native_aliases(native)
        return self._collections

    def _own_name(self, name: str) -> str:
        """The collection's own name, where it is an alias."""
        return self._aliases.get(name, name)

    def _check_aliases(self) -> None:
        """Raises why the aliases could not be read, where they could not."""
        if self._aliases_damage is not None:
            raise translated(self._aliases_damage)
