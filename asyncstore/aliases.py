"""The actions of one ``update_aliases``, each turned into what the core takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from asyncstore import models as m
from asyncstore.bounds import checked
from asyncstore.errors import InvalidArgumentError
from asyncstore.names import check_name, check_new_name

# What is done, the alias, and what it is to point at or to be called.
NativeAction: TypeAlias = tuple[str, str, str]

_OPERATIONS: dict[str, type[m.AliasOperations]] = {
    "create_alias": m.CreateAliasOperation,
    "delete_alias": m.DeleteAliasOperation,
    "rename_alias": m.RenameAliasOperation,
}


def checked_actions(actions: object) -> list[NativeAction]:
    """Checks the argument of ``update_aliases``.

    Raises:
        InvalidArgumentError: An action is wrong; the message begins with its position.
    """
    if isinstance(actions, str | bytes) or not isinstance(actions, Sequence):
        raise InvalidArgumentError(f"actions: must be a sequence, got {type(actions).__name__}")
    return [_checked_action(action, f"actions[{at}]") for at, action in enumerate(actions)]


def _checked_action(action: object, path: str) -> NativeAction:
    match checked(action, _operation_of(action, path), path):
        case m.CreateAliasOperation(create_alias=creation):
            path += ".create_alias"
            collection = check_name(creation.collection_name, f"{path}.collection_name")
            alias = check_new_name(creation.alias_name, f"{path}.alias_name")
            return "create", alias, collection
        case m.DeleteAliasOperation(delete_alias=deletion):
            return "delete", check_name(deletion.alias_name, f"{path}.delete_alias.alias_name"), ""
        case m.RenameAliasOperation(rename_alias=renaming):
            path += ".rename_alias"
            old_alias = check_name(renaming.old_alias_name, f"{path}.old_alias_name")
            new_alias = check_new_name(renaming.new_alias_name, f"{path}.new_alias_name")
            return "rename", old_alias, new_alias


def _operation_of(action: object, path: str) -> type[m.AliasOperations]:
    """By its class, or by the one key of a dict."""
    if isinstance(action, msgspec.Struct) and isinstance(action, m.AliasOperations):
        return type(action)
    if isinstance(action, Mapping):
        named = [operation for name, operation in _OPERATIONS.items() if name in action]
        if len(named) == 1:
            return named[0]
    raise InvalidArgumentError(f"{path}: must be one of {', '.join(_OPERATIONS)}, got {action!r}")
