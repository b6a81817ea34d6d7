"""Payload indexes: what one is made for, and what is told of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec


class PayloadSchemaType(StrEnum):
    """The kind of values that an index holds."""

    KEYWORD = "keyword"
    INTEGER = "integer"
    FLOAT = "float"
    GEO = "geo"
    TEXT = "text"
    BOOL = "bool"
    DATETIME = "datetime"
    UUID = "uuid"


class _IndexParams(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What parameters of indexes have in common.

    Attributes:
        on_disk: An index is held in memory and saved on disk, whatever this says.
        enable_hnsw: A graph is walked for every filter that it pays for, whatever this says.
    """

    on_disk: bool | None = None
    enable_hnsw: bool | None = None


class KeywordIndexParams(_IndexParams, frozen=True, kw_only=True):
    """Strings, for ``match``, facets and prefixes.

    Attributes:
        is_tenant: Changes nothing.
        prefix: Every index of keywords answers for prefixes.
    """

    type: Literal["keyword"]
    is_tenant: bool | None = None
    prefix: bool | None = None


class IntegerIndexParams(_IndexParams, frozen=True, kw_only=True):
    """Integers of 64 bits.

    Attributes:
        lookup: Whether it is for ``match`` and facets; None means yes.
        range: Whether it is for ``range`` and ``order_by``; None means yes.
        is_principal: Changes nothing.
    """

    type: Literal["integer"]
    lookup: bool | None = None
    range: bool | None = None
    is_principal: bool | None = None


class FloatIndexParams(_IndexParams, frozen=True, kw_only=True):
    """Numbers, for ``range`` and ``order_by``."""

    type: Literal["float"]
    is_principal: bool | None = None


class DatetimeIndexParams(_IndexParams, frozen=True, kw_only=True):
    """Points in time, for ``range`` and ``order_by``."""

    type: Literal["datetime"]
    is_principal: bool | None = None


class UuidIndexParams(_IndexParams, frozen=True, kw_only=True):
    """UUIDs with hyphens and lower-case digits, in less memory than keywords."""

    type: Literal["uuid"]
    is_tenant: bool | None = None


class GeoIndexParams(_IndexParams, frozen=True, kw_only=True):
    """Places, objects ``{"lon": …, "lat": …}``."""

    type: Literal["geo"]


class BoolIndexParams(_IndexParams, frozen=True, kw_only=True):
    """Booleans."""

    type: Literal["bool"]


class TextIndexParams(_IndexParams, frozen=True, kw_only=True):
    """Words of texts; not supported yet."""

    type: Literal["text"]
    tokenizer: str | None = None
    min_token_len: int | None = None
    max_token_len: int | None = None
    lowercase: bool | None = None
    phrase_matching: bool | None = None
    stopwords: object = None
    stemmer: object = None
    ascii_folding: bool | None = None


PayloadIndexParams: TypeAlias = (
    KeywordIndexParams
    | IntegerIndexParams
    | FloatIndexParams
    | DatetimeIndexParams
    | UuidIndexParams
    | GeoIndexParams
    | BoolIndexParams
    | TextIndexParams
)

# A name of a kind, or parameters.
PayloadFieldSchema: TypeAlias = PayloadSchemaType | str | PayloadIndexParams


class PayloadIndexInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A payload index.

    Attributes:
        data_type: The kind of values that it holds.
        params: Its parameters as they were given, where parameters were.
        points: Points with such a value; 0 while the index is being made.
    """

    data_type: PayloadSchemaType
    params: PayloadIndexParams | None = None
    points: int = msgspec.field(default_factory=int)
