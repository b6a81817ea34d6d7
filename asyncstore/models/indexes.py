"""Payload indexes: what one is made for, and what is told of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

import msgspec

from asyncstore.bounds import Bounds


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


class TokenizerType(StrEnum):
    """Where the tokens of a text begin and end."""

    WORD = "word"
    WHITESPACE = "whitespace"
    PREFIX = "prefix"
    MULTILINGUAL = "multilingual"


class StopwordsSet(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Words that are left out.

    Attributes:
        languages: Names of languages, as "english". Their stop words are those of the package
            stop-words that is installed when the index is made, which keeps them.
        custom: Further words, 10,000 at most.
    """

    languages: list[str] | None = None
    custom: list[str] | None = None


class SnowballParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stemmer of Snowball, which takes off endings: "searching" becomes "search".

    Attributes:
        language: Its name, as "english".
    """

    type: Literal["snowball"]
    language: str


class TextIndexParams(_IndexParams, frozen=True, kw_only=True):
    """Tokens of strings, for ``text``, ``text_any`` and ``phrase``, which then mean tokens.

    All strings at the path count as one text. Each word goes through folding to ASCII, lower case,
    stop words, the stemmer, and the limits of length, in this order; so does what is looked for.

    Attributes:
        tokenizer: ``word`` (as None): runs of letters and numbers, with the marks that belong to
            them. ``whitespace``: what stands between white space. ``prefix``: as ``word``, and a
            word is found by each of its beginnings of ``min_token_len`` to ``max_token_len``
            characters. ``multilingual``: as ``word``, and each character of Han, Hiragana and
            Katakana is a token of its own.
        min_token_len: Characters; shorter tokens are left out.
        max_token_len: Characters; longer tokens are left out. With ``prefix`` 128 at most, and
            longer words are found by as many characters of theirs.
        lowercase: None means yes.
        ascii_folding: Letters of Latin script become those of ASCII: "ação" is "acao".
        phrase_matching: Phrases are found whatever this says.
        stopwords: A language, or a set.
        stemmer: Which one; None means none.
    """

    type: Literal["text"]
    tokenizer: TokenizerType | None = None
    min_token_len: Annotated[int, Bounds(0, 2**32 - 1)] | None = None
    max_token_len: Annotated[int, Bounds(1, 2**32 - 1)] | None = None
    lowercase: bool | None = None
    ascii_folding: bool | None = None
    phrase_matching: bool | None = None
    stopwords: str | StopwordsSet | None = None
    stemmer: SnowballParams | None = None


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
