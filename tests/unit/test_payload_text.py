"""Payloads as texts, and the paths into them."""

import math

import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncstore import InvalidArgumentError
from asyncstore import models as m
from asyncstore.pace import Pace
from asyncstore.payload import (
    PayloadColumn,
    check_path,
    decode_payload,
    payload_selection,
    payload_text,
)

pytestmark = pytest.mark.anyio

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@given(st.dictionaries(st.text(), values))
async def test_a_payload_survives_being_text(payload):
    text = await payload_text(payload, "payload")
    assert repr(decode_payload(text)) == repr(payload)


@given(values, st.sampled_from([math.nan, math.inf, -math.inf]))
async def test_a_number_that_json_lacks_is_found_wherever_it_is(value, bad):
    for hidden in ([bad], {"a": bad}, (1, [bad]), {bad}):
        with pytest.raises(InvalidArgumentError, match=r"^p\[7\]: JSON has no number"):
            await payload_text({"a": value, "b": [{}, hidden]}, "p[{}]", 7)


async def test_the_word_null_in_a_text_is_no_number():
    payload = {"a": "null", "null": None, "b": [1.5, None]}
    assert decode_payload(await payload_text(payload, "payload")) == payload


async def test_payloads_are_written_in_slices():
    """Another task gets its turns while many payloads are converted."""
    turns = 0
    done = False

    async def count():
        nonlocal turns
        while not done:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(count)
        column = await PayloadColumn.of(({"n": n} for n in range(20_000)), "payloads[{}]", Pace())
        done = True
    assert len(column.texts) == len(column.sizes_bytes) == 20_000
    assert turns > 10


@pytest.mark.parametrize(
    ("given_selection", "expected"),
    [
        (True, True),
        (False, False),
        (["a", "b[].c"], ("include", ["a", "b[].c"])),
        ([], ("include", [])),
        ({"exclude": ("a",)}, ("exclude", ["a"])),
        (m.PayloadSelectorInclude(include=["a"]), ("include", ["a"])),
        (m.PayloadSelectorExclude(exclude=[]), ("exclude", [])),
    ],
)
def test_selections(given_selection, expected):
    assert payload_selection(given_selection) == expected


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", 1),
        ("a.b", 2),
        ("a[]", 2),
        ("a[][0].b", 4),
        ('"a.b".c', 2),
        ('"".a', 2),
        ("ключ-1_x[4294967295]", 2),
        ('"a[]"[]', 2),
        (".".join("a" * 64), 64),
    ],
)
def test_paths(path, steps):
    assert check_path(path, "key") == steps
