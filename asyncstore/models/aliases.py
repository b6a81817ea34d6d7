"""Other names of collections, and the actions of ``Store.update_aliases``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec


class AliasDescription(msgspec.Struct, frozen=True, kw_only=True):
    """An alias and the collection that it stands for."""

    alias_name: str
    collection_name: str


class CollectionsAliasesResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Aliases, as the server lists them."""

    aliases: list[AliasDescription] = []


class CreateAlias(msgspec.Struct, frozen=True, kw_only=True):
    """A collection's own name and the alias it gets; one that is there goes over to it."""

    collection_name: str
    alias_name: str


class DeleteAlias(msgspec.Struct, frozen=True, kw_only=True):
    """An alias to be removed; it need not be there."""

    alias_name: str


class RenameAlias(msgspec.Struct, frozen=True, kw_only=True):
    """An alias that is there, and what it is to be called."""

    old_alias_name: str
    new_alias_name: str


class CreateAliasOperation(msgspec.Struct, frozen=True, kw_only=True):
    """Makes an alias, or points it elsewhere."""

    create_alias: CreateAlias


class DeleteAliasOperation(msgspec.Struct, frozen=True, kw_only=True):
    """Removes an alias."""

    delete_alias: DeleteAlias


class RenameAliasOperation(msgspec.Struct, frozen=True, kw_only=True):
    """Renames an alias."""

    rename_alias: RenameAlias


AliasOperations: TypeAlias = CreateAliasOperation | DeleteAliasOperation | RenameAliasOperation
AliasOperationsInput: TypeAlias = AliasOperations | Mapping[str, object]
