"""A collection of the core together with its settings, as all calls of the public class need it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from asyncstore.engine import Engine, NativeCollection
from asyncstore.models import UpdateResult, UpdateStatus
from asyncstore.operation import Operation
from asyncstore.pace import Pace
from asyncstore.settings import CollectionSettings
from asyncstore.snapshots import SnapshotOwner
from asyncstore.vectors import AnyField


class Handle:
    """What reads and writes share; the public class is :class:`asyncstore.Collection`."""

    def __init__(
        self,
        engine: Engine,
        native: NativeCollection,
        find_other: Callable[[str], NativeCollection],
        owner: SnapshotOwner,
    ) -> None:
        """Made by the store, the owner; ``find_other`` gives its other collections."""
        self._engine = engine
        self._owner = owner
        self._find_other = find_other
        self._use(native)

    def _use(self, native: NativeCollection) -> None:
        """Stands for this collection of the core from now on."""
        self._native = native
        self._name = native.name
        self._read_settings()
        self._is_unnamed = self._known_settings.has_unnamed_vector

    def __repr__(self) -> str:
        return f"<Collection {self._name!r} of {self._engine.path!r}>"

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._name

    @property
    def _settings(self) -> CollectionSettings:
        """Those in force now."""
        if self._native.config_version != self._settings_version:
            self._read_settings()
        return self._known_settings

    @property
    def _fields(self) -> Mapping[str, AnyField]:
        """The vectors by name, as the settings in force say."""
        if self._native.config_version != self._settings_version:
            self._read_settings()
        return self._known_fields

    def _read_settings(self) -> None:
        # The version first: settings that are replaced in between are read once more.
        self._settings_version = self._native.config_version
        self._known_settings, self._known_fields = _settings_of(self._native.config, self._name)

    async def _write(
        self, operation: Operation, pace: Pace, *, wait: bool, is_checked: bool = False
    ) -> UpdateResult:
        """Runs one operation."""
        operation_id = await operation.run(self._engine, self._native, pace, is_checked=is_checked)
        status = UpdateStatus.COMPLETED if wait else UpdateStatus.ACKNOWLEDGED
        return UpdateResult(operation_id=operation_id, status=status)


@functools.lru_cache(256)
def _settings_of(
    config: bytes, collection: str
) -> tuple[CollectionSettings, Mapping[str, AnyField]]:
    """The settings and the vectors by name; a server asks for the same with each request."""
    settings = CollectionSettings.decode(config)
    return settings, settings.fields_by_name(collection)
