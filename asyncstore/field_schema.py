"""What a payload index is asked for, checked and in the core's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from asyncstore.bounds import OutOfBoundsError, checked
from asyncstore.errors import InvalidArgumentError
from asyncstore.models import (
    BoolIndexParams,
    DatetimeIndexParams,
    FloatIndexParams,
    GeoIndexParams,
    IntegerIndexParams,
    KeywordIndexParams,
    PayloadIndexInfo,
    PayloadIndexParams,
    PayloadSchemaType,
    TextIndexParams,
    UuidIndexParams,
)
from asyncstore.text_schema import native_text

if TYPE_CHECKING:
    from asyncstore.engine import NativeText

_PARAMS: dict[str, type[PayloadIndexParams]] = {
    "keyword": KeywordIndexParams,
    "integer": IntegerIndexParams,
    "float": FloatIndexParams,
    "datetime": DatetimeIndexParams,
    "uuid": UuidIndexParams,
    "geo": GeoIndexParams,
    "bool": BoolIndexParams,
    "text": TextIndexParams,
}
_KINDS = ", ".join(_PARAMS)


@dataclass(frozen=True)
class FieldSchema:
    """One payload index.

    Attributes:
        kind: What the core calls the kind of its values.
        lookup: Whether an index of integers answers for single values.
        range: Whether it answers for ranges.
        text: Of an index of text, what it makes of texts.
        given: The JSON text of what was given, for :func:`index_info`.
    """

    kind: str
    lookup: bool
    range: bool
    text: NativeText | None
    given: bytes

    @classmethod
    def of(cls, given: object) -> FieldSchema:
        """Checks what was asked for; reads files where stop words of a language are wanted.

        Raises:
            InvalidArgumentError: It is no kind of index, or a parameter is wrong.
            UnsupportedError: Stop words of a language are wanted, and their package is not there.
        """
        params = _params(given)
        kind = given if params is None else params.type
        lookup = range_ = True
        if isinstance(params, IntegerIndexParams):
            lookup = params.lookup is not False
            range_ = params.range is not False
        if not lookup and not range_:
            what = "the 'lookup' and 'range' capabilities can't be both disabled"
            raise OutOfBoundsError(("field_schema", f"Validation error: {what}"))
        text = None
        if kind == "text":
            of_text = params if isinstance(params, TextIndexParams) else None
            text = native_text(of_text or TextIndexParams(type="text"))
        as_given = msgspec.json.encode(kind if params is None else params)
        return cls(str(kind), lookup, range_, text, as_given)


def index_info(kind: str, given: bytes, points: int | None) -> PayloadIndexInfo:
    """What is told of an index: its parameters only where parameters were given."""
    decoded = msgspec.json.decode(given)
    params = None
    if isinstance(decoded, dict):
        params = msgspec.convert(decoded, _PARAMS[kind])
    return PayloadIndexInfo(data_type=PayloadSchemaType(kind), params=params, points=points or 0)


def kind_of_value(value: object) -> str | None:
    """The kind of index that a value, or the first one inside of it, calls for."""
    if isinstance(value, dict) and {"lon", "lat"} <= value.keys():
        return "geo"
    if isinstance(value, dict | list):
        inside = value.values() if isinstance(value, dict) else value
        return next(filter(None, map(kind_of_value, inside)), None)
    kinds: dict[type, str] = {bool: "bool", int: "integer", float: "float", str: "keyword"}
    return kinds.get(type(value))


def _params(given: object) -> PayloadIndexParams | None:
    """The parameters; None where only a kind is given."""
    if isinstance(given, str) and given in _PARAMS:
        return None
    kind = given.get("type") if isinstance(given, dict) else getattr(given, "type", None)
    if not isinstance(kind, str) or kind not in _PARAMS:
        raise InvalidArgumentError(
            f"field_schema: must be one of {_KINDS}, or parameters whose type is one of them, "
            f"got {given!r}"
        )
    params = checked(given, _PARAMS[kind], "field_schema")
    unknown = given.keys() - set(params.__struct_fields__) if isinstance(given, dict) else ()
    if unknown:
        raise InvalidArgumentError(
            f"field_schema: {kind} has no parameter {sorted(unknown)[0]!r}; it has "
            f"{', '.join(params.__struct_fields__)}"
        )
    return params
