"""JSON schemas of what requests and replies carry, made from the types that they have in Python.

msgspec makes none of unions of structs, which filters and queries are. What counts here is what may
stand in JSON: an array of numpy's is a list there, and a mapping beside structs in a union is only
another way to give one of them in Python.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, NotRequired, Required, TypeAlias

import msgspec
import numpy as np

from asyncstore.bounds import Bounds
from asyncstore.ids import ID_MAX
from asyncstore.models import (
    BinaryQuantization,
    LookupLocation,
    ProductQuantization,
    QuantizationConfig,
    RabitqQuantization,
    ScalarQuantization,
)

Schema: TypeAlias = dict[str, Any]

_PLAIN: dict[object, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    uuid.UUID: {"type": "string"},
    date: {"type": "string"},
    datetime: {"type": "string"},
    type(None): {"type": "null"},
    object: {},
    Any: {},
    bytes: {"type": "string", "format": "binary"},  # in a form
    msgspec.Raw: {},
}
# A base class stands for those of its children that there are.
_KINDS: dict[object, Any] = {
    QuantizationConfig: ScalarQuantization
    | ProductQuantization
    | BinaryQuantization
    | RabitqQuantization
}
# Of what is defined there collections refuse unknown keys (asyncstore/members.py): by its keys one
# kind of condition, query or expression is told from the other.
_CLOSED = {f"asyncstore.models.{name}" for name in ("filters", "formulas", "geo", "queries")}
_ID = Annotated[int, Bounds(0, ID_MAX)]


@dataclass(frozen=True)
class Like:
    """What the JSON of an ``Annotated[Any, Like(kind)]`` is to be like; a collection checks it."""

    kind: Any


@dataclass(frozen=True)
class OneKey:
    """Objects that have one of some keys, each with a value of its own type."""

    kinds: tuple[tuple[str, Any], ...]


class Schemas:
    """Schemas of types; those of classes are kept aside, under their names."""

    def __init__(self, folder: str) -> None:
        """``folder`` is where the document has ``components``."""
        self.components: dict[str, Schema] = {}
        self._folder = folder
        self._classes: dict[str, object] = {}

    def of(self, hint: Any) -> Schema:
        """The schema of a type.

        Raises:
            TypeError: It is no type that there is in JSON.
        """
        hint = _KINDS.get(hint, hint)
        origin, members = typing.get_origin(hint), typing.get_args(hint)
        if hint in _PLAIN:
            return dict(_PLAIN[hint])
        if origin is Annotated:
            return self._annotated(members[0], hint.__metadata__)
        if origin in (typing.Union, types.UnionType):
            return self._union(members)
        if origin is typing.Literal:
            return {"enum": list(members)}
        if origin in (NotRequired, Required):
            return self.of(members[0])
        if origin in (list, Sequence):
            return {"type": "array", "items": self.of(members[0])}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(members[1])}
        if isinstance(hint, type):
            return self._class(hint)
        raise TypeError(f"{hint!r} has no JSON schema")

    def _annotated(self, hint: Any, notes: Sequence[object]) -> Schema:
        schema: Schema | None = None
        for note in notes:
            if isinstance(note, Like):
                schema = self.of(note.kind)
            elif isinstance(note, OneKey):
                schema = {"anyOf": [self._with_key(key, kind) for key, kind in note.kinds]}
        schema = self.of(hint) if schema is None else schema
        for note in notes:
            if isinstance(note, msgspec.Meta):
                schema |= _limits(note.ge, note.le)
                if note.min_length is not None:
                    schema["minLength"] = note.min_length
                if note.max_length is not None:
                    schema["maxLength"] = note.max_length
            elif isinstance(note, Bounds):
                schema |= _limits(note.low, note.high)
        return schema

    def _with_key(self, key: str, kind: Any) -> Schema:
        return {"type": "object", "properties": {key: self.of(kind)}, "required": [key]}

    def _union(self, members: Sequence[Any]) -> Schema:
        has_struct = any(_is_struct(member) for member in members)
        schemas: list[Schema] = []
        for member in members:
            origin = typing.get_origin(member)
            if origin is np.ndarray or member is msgspec.UnsetType:
                continue
            if has_struct and origin is Mapping:
                continue
            # Beside UUIDs integers are ids.
            is_id = member is int and uuid.UUID in members
            schema = self.of(_ID if is_id else member)
            for one in schema["anyOf"] if set(schema) == {"anyOf"} else [schema]:
                if one not in schemas:
                    schemas.append(one)
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _class(self, kind: type) -> Schema:
        name = kind.__name__
        if self._classes.setdefault(name, kind) is not kind:
            raise TypeError(f"two types are called {name}: {kind} and {self._classes[name]}")
        if name not in self.components:
            self.components[name] = {}  # it may hold itself
            self.components[name] = self._described(kind)
        return {"$ref": f"{self._folder}/{name}"}

    def _described(self, kind: type) -> Schema:
        about = inspect.cleandoc(kind.__doc__ or "")
        description = about.split("\n\n")[0].replace("\n", " ")
        if issubclass(kind, Enum):
            values = [member.value for member in kind]
            return {"description": description, "type": "string", "enum": values}
        hints = typing.get_type_hints(kind, include_extras=True)
        if issubclass(kind, msgspec.Struct):
            fields = msgspec.structs.fields(kind)
            named = {field.encode_name: hints[field.name] for field in fields}
            required = [field.encode_name for field in fields if field.required]
        elif typing.is_typeddict(kind):
            named = hints  # __required_keys__ knows nothing of annotations that are texts
            required = [
                name for name, hint in hints.items() if typing.get_origin(hint) is not NotRequired
            ]
        else:
            raise TypeError(f"{kind!r} has no JSON schema")
        told = _attributes(about)
        properties = {}
        for name, hint in named.items():
            properties[name] = self.of(hint)
            if name in told:
                properties[name]["description"] = told[name]
        schema: Schema = {
            "description": description,
            "type": "object",
            "properties": properties,
        }
        if required:
            schema["required"] = required
        if kind.__module__ in _CLOSED and kind is not LookupLocation:
            schema["additionalProperties"] = False
        return schema


def _limits(low: float | None, high: float | None) -> Schema:
    limits = {"minimum": low, "maximum": high}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _is_struct(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _attributes(about: str) -> dict[str, str]:
    """What a docstring says of each attribute."""
    _, _, section = about.partition("Attributes:\n")
    section = section.split("\n\n")[0]
    return {
        name: re.sub(r"\s+", " ", text).strip()
        for name, text in re.findall(r"^    (\w+): ((?:.*\n?)(?:^ {8}.*\n?)*)", section, re.M)
    }
