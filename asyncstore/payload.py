"""Payloads: dicts as callers give them, turned into the JSON texts that the core keeps, and back.

A text is made once, here, and passed on by the core byte for byte, so that an integer of any length
comes back as it was given. msgspec writes what JSON has no word for as best it can: a tuple or set
as an array, a date or a UUID as a string, a key that is a number as a string. Where it would change
a value silently (NaN becomes null) the payload is refused.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import anyio.to_thread
import msgspec
import numpy as np
from numpy.typing import NDArray

from asyncstore.engine import check_path as native_check_path
from asyncstore.engine import check_payload
from asyncstore.errors import InvalidArgumentError
from asyncstore.models import PayloadSelectorExclude, PayloadSelectorInclude
from asyncstore.pace import Pace

# False, True, or which JSON paths of a payload are wanted, or are not; what the core takes.
PayloadSelection: TypeAlias = bool | tuple[str, list[str]]

# Bytes that the core checks in about 0.2 ms; longer texts are checked on a thread.
_CHECKED_INLINE_BYTES = 32 << 10


@dataclass(frozen=True)
class PayloadColumn:
    """The payloads of a batch.

    Attributes:
        texts: The n JSON texts; None for a point without payload.
        sizes_bytes: (n,) their lengths.
    """

    texts: list[bytes | None]
    sizes_bytes: NDArray[np.int64]

    @classmethod
    async def of(cls, payloads: Iterable[object], path: str, pace: Pace) -> PayloadColumn | None:
        """Writes payloads as JSON, in slices; None when no point has any.

        Args:
            payloads: n mappings or None.
            path: How messages name the payload at a position, as in ``payloads[{}]``.
            pace: Lets other tasks run in between.

        Raises:
            InvalidArgumentError: A payload cannot be written as JSON, or is beyond the limits.
        """
        texts: list[bytes | None] = []
        sizes_bytes = array("q")
        is_any = False
        for row, payload in enumerate(payloads):
            text = None
            if payload is not None and payload != {}:
                is_any = True
                text = await payload_text(payload, path, row)
            texts.append(text)
            sizes_bytes.append(0 if text is None else len(text))
            await pace.breathe()
        return cls(texts, np.frombuffer(sizes_bytes, np.int64)) if is_any else None


async def payload_text(payload: object, path: str, row: int | None = None) -> bytes:
    """The JSON text of one payload.

    Raises:
        InvalidArgumentError: It is no mapping, holds what JSON cannot, is deeper than 64 levels or
            larger than 16 MiB. The message begins with ``path``, which may have a place for
            ``row``.
    """
    try:
        text = _encoded(payload)
        if len(text) <= _CHECKED_INLINE_BYTES:
            check_payload(text)
        else:
            await anyio.to_thread.run_sync(check_payload, text)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidArgumentError(f"{path.format(row)}: {_reason(error)}") from error
    return text


def decode_payload(text: bytes | None) -> dict[str, object]:
    """The payload of a text; ``{}`` where there is none."""
    if text is None:
        return {}
    try:
        return cast("dict[str, object]", _DECODER.decode(text))
    except msgspec.DecodeError:  # a number that is kept as it was given, but too large for float64
        return cast("dict[str, object]", json.loads(text))


def payload_selection(with_payload: object) -> PayloadSelection:
    """What of the payload is wanted, in the core's words.

    Raises:
        InvalidArgumentError: It is neither a bool nor a selection of JSON paths.
    """
    if isinstance(with_payload, bool):
        return with_payload
    kind, paths = "include", with_payload
    if isinstance(with_payload, PayloadSelectorInclude):
        paths = with_payload.include
    elif isinstance(with_payload, PayloadSelectorExclude):
        kind, paths = "exclude", with_payload.exclude
    elif isinstance(with_payload, Mapping) and len(with_payload) == 1:
        ((kind, paths),) = with_payload.items()
    if kind not in ("include", "exclude") or not _is_sequence(paths):
        raise InvalidArgumentError(
            "with_payload: must be a bool, a list of paths, or one of include and exclude with a "
            f"list of paths, got {with_payload!r}"
        )
    return kind, check_paths(cast("Sequence[object]", paths), f"with_payload.{kind}")


def check_paths(paths: object, where: str) -> list[str]:
    """Returns the paths as a list.

    Raises:
        InvalidArgumentError: It is no sequence, or one of them is no JSON path.
    """
    if not _is_sequence(paths):
        raise InvalidArgumentError(f"{where}: must be a list of JSON paths, got {paths!r}")
    listed = list(cast("Sequence[str]", paths))
    for index, path in enumerate(listed):
        check_path(path, f"{where}[{index}]")
    return listed


def check_path(path: object, where: str) -> int:
    """Returns how many steps a JSON path has (``a.b``, ``a[].b``, ``a[0].b``, ``"quoted.key"``).

    Raises:
        InvalidArgumentError: It is none.
    """
    try:
        return native_check_path(cast("str", path))
    except ValueError as error:
        raise InvalidArgumentError(
            f"{where}: {error} A path is keys joined by dots, with [] or [index] behind the keys "
            'of arrays; a key of other characters is quoted: "a b".c'
        ) from error


async def check_depth_at(text: bytes, steps: int, where: str) -> None:
    """Raises where a payload put at the end of a path would be too deep, whatever is there."""
    nested = b'{"":' * steps + text + b"}" * steps
    try:
        if len(nested) <= _CHECKED_INLINE_BYTES:
            check_payload(nested)
        else:
            await anyio.to_thread.run_sync(check_payload, nested)
    except ValueError as error:
        raise InvalidArgumentError(f"{where}: at the end of the path: {error}") from error


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _encoded(payload: object) -> bytes:
    if not isinstance(payload, Mapping):
        raise TypeError(f"must be a dict or None, got {payload!r}")
    text = _ENCODER.encode(payload if isinstance(payload, dict) else dict(payload))
    if b"null" in text:
        _check_finite(msgspec.to_builtins(payload, str_keys=True, enc_hook=_plain))
    return text


def _check_finite(value: object) -> None:
    """Raises where msgspec has written null for a number that JSON cannot hold."""
    unseen = [value]
    while unseen:
        seen = unseen.pop()
        if isinstance(seen, float):
            if not math.isfinite(seen):
                raise ValueError(f"JSON has no number {seen}")
        elif isinstance(seen, dict):
            unseen.extend(seen.values())
        elif isinstance(seen, list | tuple):
            unseen.extend(seen)


def _plain(value: object) -> object:
    """What msgspec does not know by itself."""
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, np.integer | np.bool_ | np.str_):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"JSON has no word for a key or value of type {type(value).__name__}")


def _reason(error: BaseException) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
_DECODER = msgspec.json.Decoder()
