"""Models taken as they are, or out of the dicts that they are in JSON, one level at a time.

What a member holds is looked at when its turn comes, so that a message has the whole path to what
is wrong, and dicts may stand anywhere inside of models.
"""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Mapping, Sequence
from typing import TypeVar, get_args

import msgspec

from asyncstore.bounds import OutOfBoundsError, checked
from asyncstore.errors import InvalidArgumentError

T = TypeVar("T", bound=msgspec.Struct)


def struct_of(value: object, kind: type[T], path: str) -> T:
    """Returns ``value``, made a ``kind`` if it is a dict; its members are as they were given.

    Raises:
        InvalidArgumentError: It is neither, has a key that there is not, or lacks one.
    """
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(
            f"{path}: must be a {kind.__name__} or the dict of one, got {shown(value)}"
        )
    names, required, nullable = _names(kind)
    for key in value:
        if key not in names:
            raise InvalidArgumentError(f"{path}: {_unknown(key, list(names))}")
    for key in required:
        if key not in value or (value[key] is None and key not in nullable):
            raise InvalidArgumentError(f"{path}.{key}: is missing")
    return kind(**{names[key]: member for key, member in value.items()})


def leaf_of(value: object, kind: type[T], path: str) -> T:
    """As :func:`struct_of`, with every member's type right and every number in bounds."""
    return checked(struct_of(value, kind, path), kind, path)


def list_of(value: object, path: str, what: str) -> Sequence[object]:
    """Returns ``value`` if it is a sequence.

    Raises:
        InvalidArgumentError: It is none; the message says of ``what`` it must be a list.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise InvalidArgumentError(f"{path}: must be a list of {what}, got {shown(value)}")
    return value


def text_of(value: object, path: str) -> str:
    """Returns ``value`` if it is text.

    Raises:
        InvalidArgumentError: It is none, or holds half of a surrogate pair.
    """
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{path}: must be text, got {shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"{path}: {value!r} is not valid Unicode") from error
    return str(value)


def finite(value: float, path: str) -> float:
    """Returns ``value``; raises where it is infinite."""
    if math.isinf(value):
        raise OutOfBoundsError((path, f"value {value} invalid, must be finite"))
    return float(value)


def shown(value: object) -> str:
    """A value as messages show it: large ones by their type alone."""
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str | bytes):
        return type(value).__name__
    return repr(value)


@functools.cache
def _names(kind: type[msgspec.Struct]) -> tuple[dict[str, str], list[str], set[str]]:
    """The members by their names in JSON; which of these must be there; which may then be null."""
    fields = msgspec.structs.fields(kind)
    names = {field.encode_name: field.name for field in fields}
    required = [field for field in fields if field.required]
    nullable = {field.encode_name for field in required if type(None) in get_args(field.type)}
    return names, [field.encode_name for field in required], nullable


def _unknown(key: object, known: list[str]) -> str:
    nearest = difflib.get_close_matches(str(key), known, n=1)
    hint = f", did you mean {nearest[0]}?" if nearest else f", known are {', '.join(known)}"
    return f"unknown key {key!r}{hint}"
