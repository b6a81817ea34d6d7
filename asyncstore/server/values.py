"""Values of requests that are decoded late: lists of numbers become arrays in one step."""

from __future__ import annotations

from typing import Any

import msgspec

from asyncstore.engine import parse_numbers
from asyncstore.server.failures import format_error

NULL = msgspec.Raw(b"null")

_BY_NAME = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY = msgspec.json.Decoder()
_OF_SPARSE = {"indices", "values"}


def value_of(given: object) -> Any:
    """What JSON text stands for; a flat list of numbers is an array (n,) float32.

    Raises:
        RequestError: A number or a string in it is none; the syntax was checked before.
    """
    if not isinstance(given, msgspec.Raw):
        return given  # decoded already
    return _value(bytes(given))


def vectors_of(given: msgspec.Raw) -> Any:
    """The vector of a point, or its vectors by name."""
    text = bytes(given)
    if not text.startswith(b"{"):
        return _value(text)
    named = _decoded(_BY_NAME, text)
    if named.keys() <= _OF_SPARSE:
        return _decoded(_ANY, text)
    return {name: _value(bytes(one)) for name, one in named.items()}


def _value(text: bytes) -> Any:
    numbers = parse_numbers(text) if text.startswith(b"[") else None
    return _decoded(_ANY, text) if numbers is None else numbers


def _decoded(decoder: msgspec.json.Decoder[Any], text: bytes) -> Any:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise format_error(str(error)) from error
