"""How deeply JSON is nested, told before it is decoded."""

from __future__ import annotations

import re

import numpy as np

NESTING_MAX = 128
# What stands between brackets and quotes; a backslash takes what is behind it along.
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_REST = bytes(sorted(set(range(256)) - set(b'[]{}"')))
_STEP = np.zeros(256, np.int32)
_STEP[list(b"[{")] = 1
_STEP[list(b"]}")] = -1


def is_too_deep(text: bytes) -> bool:
    """Whether there are more than 128 arrays and objects inside of each other.

    Of a text that is no JSON it says one or the other.
    """
    if text.count(b"[") + text.count(b"{") <= NESTING_MAX:
        return False
    if b"\\" in text:
        text = _ESCAPED.sub(b"", text)
    outside = b"".join(text.translate(None, _REST).split(b'"')[::2])
    levels = np.cumsum(_STEP[np.frombuffer(outside, np.uint8)])
    return bool(levels.size) and int(levels.max()) > NESTING_MAX
