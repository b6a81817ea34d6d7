"""Which names a collection, or an alias of one, may have."""

from __future__ import annotations

from asyncstore.bounds import OutOfBoundsError
from asyncstore.errors import InvalidArgumentError

NAME_CHARACTERS_MAX = 255
COLLECTION_NAME = "collection_name"  # what a name is called in messages
# "/" and NUL are refused wherever a name is given, the others when a collection is created.
_FORBIDDEN_ANYWHERE = "/\0"
_FORBIDDEN_AT_CREATION = '<>:"/\\|?*\0\x1f'


def check_name(name: object, path: str = COLLECTION_NAME) -> str:
    """Returns ``name`` if it can be a collection's, or that of what ``path`` names.

    Raises:
        InvalidArgumentError: It is no text, too short, too long, or has a forbidden character.
    """
    return _checked(name, _FORBIDDEN_ANYWHERE, path)


def check_new_name(name: object, path: str = COLLECTION_NAME) -> str:
    """Returns ``name`` if a new collection, or what ``path`` names, may have it.

    Raises:
        InvalidArgumentError: As for :func:`check_name`; more characters are forbidden.
    """
    return _checked(name, _FORBIDDEN_AT_CREATION, path)


def _checked(name: object, forbidden: str, path: str) -> str:
    if not isinstance(name, str):
        raise InvalidArgumentError(f"{path}: must be text, got {name!r}")
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX:
        raise OutOfBoundsError(
            (path, f"value {name!r} invalid, must be from 1 to {NAME_CHARACTERS_MAX} characters")
        )
    for character in forbidden:
        if character in name:
            shown = character if character.isprintable() else f"\\x{ord(character):02x}"
            raise OutOfBoundsError((path, f'collection name cannot contain "{shown}" char'))
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"{path}: {name!r} is not valid Unicode") from error
    return name
