"""Points in the order of a field's values, in the core's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from asyncstore.bounds import Bounds, check_number
from asyncstore.errors import InvalidArgumentError
from asyncstore.filter.ranges import core_number, microseconds
from asyncstore.members import shown, struct_of
from asyncstore.models import Direction, OrderBy
from asyncstore.payload import check_path


@dataclass(frozen=True)
class Order:
    """The values of a field, rising or falling.

    Attributes:
        key: The field's JSON path.
        start_from: The first value wanted; of datetimes microseconds since 1970.
        from_is_datetime: Whether it is one.
    """

    key: str
    is_descending: bool = False
    start_from: int | float | None = None
    from_is_datetime: bool = False

    @classmethod
    def of(cls, given: object, path: str) -> Order:
        """Checks what was given; a text is the field's path.

        Raises:
            InvalidArgumentError: Something is wrong; the message begins with the path to it.
        """
        order = struct_of({"key": given} if isinstance(given, str) else given, OrderBy, path)
        check_path(order.key, f"{path}.key")
        try:
            direction = Direction(order.direction or Direction.ASC)
        except ValueError as error:
            raise InvalidArgumentError(
                f"{path}.direction: {shown(order.direction)} invalid, must be one of "
                f"{', '.join(Direction)}"
            ) from error
        start, where = order.start_from, f"{path}.start_from"
        is_datetime = isinstance(start, str | date)
        if is_datetime:
            first: int | float | None = microseconds(start, where)
        else:
            if start is not None:
                check_number(start, Bounds(), where, integer=False)
            first = core_number(start, where)  # type: ignore[arg-type]
        return cls(str(order.key), direction is Direction.DESC, first, is_datetime)
