import pytest

from asyncstore import InvalidArgumentError
from asyncstore.names import check_name, check_new_name


@pytest.mark.parametrize("name", ["a", "A b.c-d_e", "Größe", "x" * 255, "..", "中文"])
def test_names_that_may_be_given(name):
    assert check_new_name(name) == name


@pytest.mark.parametrize("character", list('<>:"/\\|?*\0\x1f'))
def test_characters_that_a_new_name_cannot_have(character):
    with pytest.raises(InvalidArgumentError, match="cannot contain"):
        check_new_name(f"a{character}b")


@pytest.mark.parametrize("character", list('<>:"\\|?*\x1f'))
def test_an_old_name_may_have_them(character):
    assert check_name(f"a{character}b")


@pytest.mark.parametrize(
    "name", ["", "x" * 256, "a/b", "a\0b", None, 3, b"bytes", "\ud800"], ids=repr
)
def test_what_is_never_a_name(name):
    for check in (check_name, check_new_name):
        with pytest.raises(InvalidArgumentError, match="collection_name"):
            check(name)
