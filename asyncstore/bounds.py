"""Types and bounds of models and settings, checked in one place.

A field says its bounds where it is declared (``size: Annotated[int, Bounds(1, 65536)]``);
:func:`checked` converts the types and then lists every field that is out of bounds, with its
path, its value and the limit. The two steps are apart because they are two kinds of mistake (over
REST the first is a 400, the second a 422).
"""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeGuard, TypeVar

import msgspec
import numpy as np

from asyncstore.errors import InvalidArgumentError

T = TypeVar("T")


class OutOfBoundsError(InvalidArgumentError):
    """Values of the right types that break bounds, told from other errors by the server alone.

    Attributes:
        violations: Path and sentence of each; an empty path where there is none.
    """

    def __init__(self, *violations: tuple[str, str]) -> None:
        """The message lists them all."""
        super().__init__(*violations)
        self.violations = violations

    def __str__(self) -> str:
        return "; ".join(f"{path}: {what}" if path else what for path, what in self.violations)


# Not compared: typing would take Bounds(0, 1) for Bounds(0.0, 1.0), and messages would show it.
@dataclass(frozen=True, eq=False)
class Bounds:
    """The least and the greatest value of a number, both allowed; None: no limit."""

    low: float | None = None
    high: float | None = None

    def violation(self, value: float) -> str | None:
        """The sentence about a value that is out of bounds, or None."""
        inside = (self.low is None or value >= self.low) and (
            self.high is None or value <= self.high
        )
        if inside and (isinstance(value, int) or not math.isnan(value)):
            return None
        if self.low is not None and self.high is not None:
            limit = f"must be from {self.low} to {self.high}"
        elif self.low is not None:
            limit = f"must be {self.low} or larger"
        elif self.high is not None:
            limit = f"must be {self.high} or smaller"
        else:
            limit = "must be a number"
        return f"value {value} invalid, {limit}"


def checked(
    value: object,
    expected: type[T],
    path: str,
    *,
    lax: bool = False,
    dec_hook: Callable[[type, object], object] | None = None,
) -> T:
    """Returns ``value`` as an ``expected``, with every type right and every number in bounds.

    Args:
        value: A struct of the same kind, or the dicts and lists it would be written as.
        expected: The struct's class.
        path: What to call the value in messages; an empty path names fields alone.
        lax: Take numbers, booleans and null from strings, as environment variables bring them.
        dec_hook: msgspec's, for the types it does not know.

    Raises:
        InvalidArgumentError: A type is wrong; or at least one number is out of bounds, and then it
            is an ``OutOfBoundsError``.
    """
    plain: object = None
    try:
        plain = msgspec.to_builtins(value, enc_hook=_plain_number)
        converted = msgspec.convert(plain, expected, strict=not lax, dec_hook=dec_hook)
    except (msgspec.ValidationError, NotImplementedError) as error:
        raise InvalidArgumentError(_type_sentence(str(error), plain, expected, path)) from error
    violations = list(_violations(converted, path))
    if violations:
        raise OutOfBoundsError(*violations)
    return converted


def check_number(value: object, bounds: Bounds, path: str, *, integer: bool = True) -> None:
    """Checks a single argument in the same words as a field of a struct.

    Raises:
        InvalidArgumentError: ``value`` is not a number of the kind wanted, or is out of bounds.
    """
    kinds = (int, np.integer) if integer else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds):
        wanted = "an integer" if integer else "a number"
        raise InvalidArgumentError(f"{path}: must be {wanted}, got {value!r}")
    violation = bounds.violation(typing.cast(float, value))
    if violation is not None:
        raise OutOfBoundsError((path, violation))


def _plain_number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"Unexpected value of type `{type(value).__name__}`")


def _type_sentence(message: str, plain: object, expected: type, path: str) -> str:
    """Turns msgspec's "Expected `int`, got `str` - at `$.size`" into a sentence with the value."""
    text, _, place = message.partition(" - at `$")
    keys = place.rstrip("`").lstrip(".").split(".") if place else []
    found, hint = plain, expected
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
        hint = typing.get_type_hints(hint).get(key, object) if _is_struct(hint) else object
    sentence = text[:1].lower() + text[1:]
    if found is not None and repr(found) not in text:
        sentence += f" (value {found!r})"
    for kind in (hint, *typing.get_args(hint)):
        if isinstance(kind, type) and issubclass(kind, Enum):
            sentence += f", must be one of {', '.join(str(choice.value) for choice in kind)}"
    where = ".".join([path, *keys] if path else keys)
    return f"{where}: {sentence}" if where else sentence


def _is_struct(hint: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _violations(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Path and sentence of every number that is out of bounds, in the order of the fields."""
    if isinstance(value, msgspec.Struct):
        for name, bounds in _field_bounds(type(value)):
            member = getattr(value, name)
            member_path = f"{path}.{name}" if path else name
            if bounds is not None and member is not None and not isinstance(member, str):
                violation = bounds.violation(member)
                if violation is not None:
                    yield member_path, violation
            else:
                yield from _violations(member, member_path)
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _violations(member, f"{path}.{key}" if path else str(key))


@functools.cache
def _field_bounds(struct: type[msgspec.Struct]) -> tuple[tuple[str, Bounds | None], ...]:
    hints = typing.get_type_hints(struct, include_extras=True)
    return tuple((name, _bounds_of(hints[name])) for name in struct.__struct_fields__)


def _bounds_of(hint: Any) -> Bounds | None:
    """Finds the ``Bounds`` in ``Annotated[int, Bounds(…)]``, also beside ``| None``."""
    if typing.get_origin(hint) is typing.Annotated:
        for extra in hint.__metadata__:
            if isinstance(extra, Bounds):
                return extra
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for member in typing.get_args(hint):
            found = _bounds_of(member)
            if found is not None:
                return found
    return None
