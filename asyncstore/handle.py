"""A collection of the core together with its settings, as all calls of the public class need it."""

from __future__ import annotations

from collections.abc import Callable

from asyncstore.engine import Engine, NativeCollection
from asyncstore.models import UpdateResult, UpdateStatus
from asyncstore.operation import Operation
from asyncstore.pace import Pace
from asyncstore.settings import CollectionSettings
from asyncstore.snapshots import SnapshotOwner


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
        self._settings = CollectionSettings.decode(native.config)
        self._fields = self._settings.fields_by_name(self._name)
        self._is_unnamed = self._settings.has_unnamed_vector

    def __repr__(self) -> str:
        return f"<Collection {self._name!r} of {self._engine.path!r}>"

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._name

    async def _write(
        self, operation: Operation, pace: Pace, *, wait: bool, is_checked: bool = False
    ) -> UpdateResult:
        """Runs one operation."""
        operation_id = await operation.run(self._engine, self._native, pace, is_checked=is_checked)
        status = UpdateStatus.COMPLETED if wait else UpdateStatus.ACKNOWLEDGED
        return UpdateResult(operation_id=operation_id, status=status)
