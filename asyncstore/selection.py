"""Which points a write is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from asyncstore.engine import Engine, NativeCollection
from asyncstore.errors import InvalidArgumentError
from asyncstore.filter import lower
from asyncstore.ids import Ids, IdsInput, point_ids
from asyncstore.models import PointIdsList
from asyncstore.pace import Pace
from asyncstore.vectors import AnyField

if TYPE_CHECKING:
    from asyncstore.engine import NativeFilter


@dataclass(frozen=True, eq=False)
class Selection:
    """The ids of points, or a filter that they match; the other one is None."""

    ids: Ids | None = None
    filter: NativeFilter | None = None

    @classmethod
    async def of(
        cls, points: object, filter: object, fields: Mapping[str, AnyField], pace: Pace
    ) -> Selection:
        """Checks the arguments ``points`` and ``filter`` of a write, of which it has one.

        Raises:
            InvalidArgumentError: Both are given or none is, an id or the filter is wrong, or there
                is no id.
        """
        if points is not None and filter is not None:
            raise InvalidArgumentError("points, filter: only one of them may be given")
        if filter is not None:
            return cls(filter=await lower(filter, fields, pace))
        if points is None:
            raise InvalidArgumentError("points: the ids of the points are missing, or a filter")
        given: IdsInput = points.points if isinstance(points, PointIdsList) else points  # type: ignore[assignment]
        ids = await point_ids(given, pace)
        if len(ids) == 0:
            raise InvalidArgumentError("points: the batch is empty")
        return cls(ids=ids)

    async def ids_in(self, engine: Engine, collection: NativeCollection) -> Ids:
        """The ids given, or those of the points that match now."""
        if self.ids is not None:
            return self.ids
        assert self.filter is not None
        submit = partial(engine.native.submit_matching_ids, collection, self.filter)
        return cast("Ids", await engine.call(engine.reads, submit))
