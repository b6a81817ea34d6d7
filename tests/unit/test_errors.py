import errno
import pickle
import re

import pytest

from asyncstore import errors
from asyncstore.bounds import OutOfBoundsError

CODES = (
    "invalid_argument dimension_mismatch collection_not_found point_not_found already_exists "
    "closed failed locked corruption io unsupported"
).split()


def test_the_docstring_draws_every_class_with_its_parents():
    drawn: list[tuple[int, type[BaseException]]] = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ([ │├└─]*)(\w+Error)\b", line)
        if match:
            depth, name = len(match[1]), match[2]
            error_class = getattr(errors, name)
            parents = [parent for above, parent in drawn if above < depth]
            if parents:
                assert parents[-1] in error_class.__bases__, line
            for other in re.findall(r"\((\w+)\)", line):
                assert other in {base.__name__ for base in error_class.__bases__}, line
            drawn.append((depth, error_class))
    known = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.AsyncStoreError)
    }
    assert {error_class for _, error_class in drawn} == known


@pytest.mark.parametrize("code", CODES)
def test_every_native_code_has_a_class_and_keeps_its_message(code):
    error = errors.error_from_native(code, "value 3, at most 2")
    assert isinstance(error, errors.AsyncStoreError)
    assert str(error) == "value 3, at most 2"


def test_an_unknown_code_is_a_bug_and_said_to_be_one():
    with pytest.raises(KeyError):
        errors.error_from_native("new", "text")


def test_corruption_names_its_place():
    error = errors.error_from_native("corruption", "bad block", file="/s/codes", offset_bytes=4096)
    assert isinstance(error, errors.CorruptionError)
    assert (error.file, error.offset_bytes) == ("/s/codes", 4096)


def test_an_io_error_is_an_oserror_with_number_and_file():
    error = errors.error_from_native("io", "disk full", file="/s/wal", os_errno=errno.ENOSPC)
    assert isinstance(error, OSError)
    assert (error.errno, error.filename) == (errno.ENOSPC, "/s/wal")
    assert str(error) == "disk full"


@pytest.mark.parametrize("code", CODES)
def test_errors_travel_between_processes(code):
    error = errors.error_from_native(code, "text", file="/f", offset_bytes=7, os_errno=5)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == "text"
    for name in ("file", "offset_bytes", "errno", "filename"):
        assert getattr(copy, name, None) == getattr(error, name, None)


def test_dimensions_travel_with_the_error():
    error = errors.DimensionMismatchError("3 for 4", expected=4, got=3)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.expected, copy.got) == ("3 for 4", 4, 3)
    assert errors.error_from_native("dimension_mismatch", "text").expected is None


def test_an_error_of_bounds_says_which_and_is_like_any_other_of_arguments():
    error = OutOfBoundsError(("a.b", "value 0 invalid"), ("", "must be closed"))
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, errors.InvalidArgumentError)
    assert str(copy) == "a.b: value 0 invalid; must be closed"
    assert copy.violations == (("a.b", "value 0 invalid"), ("", "must be closed"))
