"""The includes of native/ against the picture in native/README.md."""

import re
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"

MAY_USE = {
    "base": set(),
    "simd": {"base"},
    "quantize": {"simd", "base"},
    "index": {"base"},
    "io": {"base"},
    "wal": {"io", "base"},
    "gridstore": {"io", "base"},
    "payload": {"base"},
    "sparse": {"io", "simd", "base"},
    "text": {"base"},
    "filter": {"text", "payload", "points", "base"},
    "fields": {"filter", "text", "payload", "points", "io", "base"},
    "points": {"io", "base"},
    "segment": {"points", "index", "quantize", "io", "simd", "base"},
    "multivector": {"segment", "quantize", "io", "simd", "base"},
    "engine": {
        "multivector",
        "segment",
        "gridstore",
        "fields",
        "filter",
        "text",
        "payload",
        "sparse",
        "points",
        "wal",
        "index",
        "quantize",
        "io",
        "simd",
        "base",
    },
}
MAY_USE["python"] = MAY_USE["engine"] | {"engine"}
FILES = sorted(path for path in NATIVE.rglob("*") if path.suffix in (".h", ".cc"))


def includes_of(path: Path) -> list[str]:
    return re.findall(r'^#include [<"]([^">]+)[">]', path.read_text(), re.MULTILINE)


def test_there_is_something_to_check():
    assert len(FILES) > 50
    assert {path.parent.name for path in FILES} == set(MAY_USE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_includes_only_from_its_own_folder_and_those_below(path):
    folder = path.parent.name
    own = {include.split("/")[0] for include in includes_of(path) if "/" in include}
    assert own & set(MAY_USE) <= MAY_USE[folder] | {folder}


def test_only_io_uses_liburing():
    users = {path.parent.name for path in FILES if "liburing.h" in includes_of(path)}
    assert users == {"io"}


def test_only_payload_uses_simdjson():
    users = {path.name for path in FILES if "simdjson.h" in includes_of(path)}
    assert users == {"scan.cc"}


def test_only_the_slot_bitmap_uses_croaring():
    users = {path.name for path in FILES if "roaring/roaring.h" in includes_of(path)}
    assert users == {"slot_bitmap.cc"}


def test_only_text_uses_utf8proc_and_snowball():
    users = {path.name for path in FILES if "utf8proc.h" in includes_of(path)}
    assert users == {"characters.cc"}
    users = {path.name for path in FILES if "libstemmer.h" in includes_of(path)}
    assert users == {"stemmer.cc"}


def test_only_gridstore_uses_lz4():
    users = {path.parent.name for path in FILES if "lz4.h" in includes_of(path)}
    assert users == {"gridstore"}


def test_only_simd_uses_intrinsics():
    headers = {"immintrin.h", "arm_neon.h", "x86intrin.h"}
    users = {path.parent.name for path in FILES if headers & set(includes_of(path))}
    assert users == {"simd"}


def test_only_python_knows_python():
    users = {
        path.parent.name
        for path in FILES
        if any(include.startswith(("nanobind", "Python.h")) for include in includes_of(path))
    }
    assert users == {"python"}


def test_headers_have_one_guard_and_a_word_on_what_they_are():
    for path in FILES:
        if path.suffix == ".h":
            lines = path.read_text().splitlines()
            assert lines[0].startswith("//"), path
            assert "#pragma once" in lines, path


@pytest.mark.parametrize(
    ("name", "begin"),
    [("write.cc", "void Collection::write("), ("search.cc", "Task::Next SearchTask::step(")],
)
def test_each_of_the_two_lines_fits_on_a_screen(name, begin):
    text = (NATIVE / "engine" / name).read_text()
    function = text[text.index(begin) :]
    assert function[: function.index("\n}\n")].count("\n") <= 45
