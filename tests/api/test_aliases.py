"""Aliases: other names of collections, changed all at once, there again after a reopen."""

import functools

import anyio
import pytest

from asyncstore import (
    AlreadyExistsError,
    CollectionNotFoundError,
    CorruptionError,
    InvalidArgumentError,
)
from asyncstore import models as m

pytestmark = pytest.mark.asyncio


def create(alias, collection):
    return m.CreateAliasOperation(
        create_alias=m.CreateAlias(alias_name=alias, collection_name=collection)
    )


def delete(alias):
    return m.DeleteAliasOperation(delete_alias=m.DeleteAlias(alias_name=alias))


def rename(old, new):
    return m.RenameAliasOperation(
        rename_alias=m.RenameAlias(old_alias_name=old, new_alias_name=new)
    )


async def listed(store):
    return {one.alias_name: one.collection_name for one in await store.list_aliases()}


async def make(store, unnamed, *names):
    """Collections of two points, whose payloads say in which they are."""
    for name in names:
        collection = await store.create_collection(name, vectors=unnamed(size=2))
        await collection.upsert(
            [m.PointStruct(id=i, vector=[i, 1], payload={"of": name}) for i in (1, 2)]
        )


async def test_an_alias_works_wherever_a_name_does(open_store, unnamed):
    async with open_store() as store:
        await make(store, unnamed, "one", "two")
        assert await store.list_aliases() == []
        await store.update_aliases([create("Größe", "one"), create("b", "two")])
        assert await store.list_aliases() == [
            m.AliasDescription(alias_name="Größe", collection_name="one"),
            m.AliasDescription(alias_name="b", collection_name="two"),
        ]
        assert await store.collection_exists("Größe")
        assert await store.list_collections() == ["one", "two"]
        aliased = await store.get_collection("Größe")
        assert aliased.name == "one"
        await aliased.upsert([m.PointStruct(id=3, vector=[9, 9], payload={"of": "alias"})])
        one = await store.get_collection("one")
        assert [hit.id for hit in await one.search([1, 1], limit=1)] == [3]
        assert (await aliased.info()).points_count == 3
        other = {"collection": "b"}
        assert [hit.id for hit in await one.query(1, lookup_from=other, limit=1)] == [3]
        (group, *_) = await one.query_groups([1, 1], group_by="of", with_lookup="b", limit=1)
        assert group.hits[0].id == 3
        with pytest.raises(CollectionNotFoundError):
            await one.query(1, lookup_from={"collection": "c"})


async def test_an_alias_goes_over_and_what_was_got_by_it_stays(open_store, unnamed):
    async with open_store() as store:
        await make(store, unnamed, "one", "two")
        await store.update_aliases([create("a", "one")])
        before = await store.get_collection("a")
        await store.update_aliases([create("a", "two")])
        assert before.name == "one"
        assert (await store.get_collection("a")).name == "two"


async def test_dicts_renaming_and_deleting(open_store, unnamed):
    async with open_store() as store:
        await make(store, unnamed, "one", "two")
        await store.update_aliases(
            [
                {"create_alias": {"collection_name": "one", "alias_name": "a"}},
                {"create_alias": {"collection_name": "two", "alias_name": "b"}},
                {"rename_alias": {"old_alias_name": "a", "new_alias_name": "c"}},
                {"delete_alias": {"alias_name": "not there"}},
            ]
        )
        assert await listed(store) == {"b": "two", "c": "one"}
        await store.update_aliases([delete("b"), rename("c", "b"), rename("b", "b")])
        assert await listed(store) == {"b": "one"}
        await store.update_aliases([create("c", "two"), rename("b", "c")])  # takes its place
        assert await listed(store) == {"c": "one"}
        await store.update_aliases([])
        assert await listed(store) == {"c": "one"}
        with pytest.raises(CollectionNotFoundError, match="Collection `b` doesn't exist!"):
            await store.get_collection("b")
        assert not await store.collection_exists("b")


@pytest.mark.parametrize(
    ("action", "error", "text"),
    [
        (create("b", "nothing"), CollectionNotFoundError, "Collection `nothing` doesn't exist!"),
        (create("b", "a"), CollectionNotFoundError, "Collection `a` doesn't exist!"),
        (create("two", "one"), AlreadyExistsError, "Collection `two` already exists!"),
        (rename("b", "c"), CollectionNotFoundError, "Alias b does not exists!"),
        (rename("new", "two"), AlreadyExistsError, "Collection `two` already exists!"),
        (create("x/y", "one"), InvalidArgumentError, r'\[2\].*alias_name: .*cannot contain "/"'),
        (create("", "one"), InvalidArgumentError, "must be from 1 to 255 characters"),
        (rename("new", "x" * 256), InvalidArgumentError, "new_alias_name: .* 1 to 255 characters"),
        (create("\ud800", "one"), InvalidArgumentError, "not valid Unicode"),
        (delete("\ud800"), InvalidArgumentError, "not valid Unicode"),
        ({"create_alias": {"alias_name": "b"}}, InvalidArgumentError, "collection_name"),
        ({"create_alias": 7}, InvalidArgumentError, r"actions\[2\].create_alias"),
        ({}, InvalidArgumentError, "must be one of create_alias, delete_alias, rename_alias"),
        ({"delete_alias": {}, "create_alias": {}}, InvalidArgumentError, "must be one of"),
        ("b", InvalidArgumentError, "must be one of"),
    ],
    ids=repr,
)
async def test_one_wrong_action_and_nothing_is_done(open_store, unnamed, action, error, text):
    async with open_store() as store:
        await make(store, unnamed, "one", "two")
        await store.update_aliases([create("a", "one")])
        with pytest.raises(error, match=text):
            await store.update_aliases([delete("a"), create("new", "one"), action])
        assert await listed(store) == {"a": "one"}
    async with open_store() as store:
        assert await listed(store) == {"a": "one"}


@pytest.mark.parametrize("actions", [None, 7, "actions", {"create_alias": {}}])
async def test_what_is_no_list_of_actions(open_store, actions):
    async with open_store() as store:
        with pytest.raises(InvalidArgumentError, match="actions: must be a sequence"):
            await store.update_aliases(actions)


async def test_a_collection_and_an_alias_do_not_share_a_name(open_store, unnamed):
    async with open_store() as store:
        await make(store, unnamed, "one")
        await store.update_aliases([create("a", "one")])
        sentence = "Can't create collection with name a. Alias with the same name already exists"
        with pytest.raises(InvalidArgumentError, match=sentence):
            await store.create_collection("a", vectors=unnamed())
        await store.update_aliases([delete("a")])
        await store.create_collection("a", vectors=unnamed())


async def test_the_aliases_of_a_collection_go_with_it(open_store, unnamed):
    async with open_store() as store:
        await make(store, unnamed, "one", "two")
        await store.update_aliases([create("a", "one"), create("b", "one"), create("c", "two")])
        assert await store.delete_collection("a") is False  # by its own name alone
        assert await store.delete_collection("one") is True
        assert await listed(store) == {"c": "two"}
        await make(store, unnamed, "one")
        assert await listed(store) == {"c": "two"}
    async with open_store() as store:
        assert await listed(store) == {"c": "two"}


async def test_aliases_are_there_again(open_store, unnamed):
    async with open_store() as store:
        await make(store, unnamed, "one")
        await store.update_aliases([create(f"a{i}", "one") for i in range(1000)])
    async with open_store() as store:
        assert await listed(store) == {f"a{i}": "one" for i in range(1000)}
        assert (await store.get_collection("a999")).name == "one"
        await store.update_aliases([delete(f"a{i}") for i in range(1000)])
    async with open_store() as store:
        assert await listed(store) == {}


async def test_a_change_goes_on_when_its_caller_is_cancelled(open_store, unnamed):
    async with open_store() as store:
        await make(store, unnamed, "one")
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(store.update_aliases, [create("a", "one")])
                await anyio.lowlevel.checkpoint()
                scope.cancel()
        await store.update_aliases([create("b", "one")])
        assert await listed(store) in ({"b": "one"}, {"a": "one", "b": "one"})


async def test_changes_of_many_tasks_are_all_made(open_store, unnamed):
    async with open_store() as store:
        await make(store, unnamed, "one")
        async with anyio.create_task_group() as group:
            for i in range(20):
                group.start_soon(functools.partial(store.update_aliases, [create(f"a{i}", "one")]))
        assert await listed(store) == {f"a{i}": "one" for i in range(20)}


async def test_a_damaged_file_of_aliases_leaves_the_collections(open_store, unnamed, tmp_path):
    async with open_store() as store:
        await make(store, unnamed, "one", "two")
        await store.update_aliases([create("a", "one")])
    path = tmp_path / "store" / "collections" / "ALIASES"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    async with open_store() as store:
        assert (await (await store.get_collection("one")).count()) == 2
        assert await store.collection_exists("one")
        for call in (
            store.list_aliases,
            lambda: store.update_aliases([]),
            lambda: store.get_collection("a"),
            lambda: store.collection_exists("a"),
            lambda: store.create_collection("a", vectors=unnamed()),
        ):
            with pytest.raises(CorruptionError, match="ALIASES") as raised:
                await call()
            assert raised.value.file == str(path)
        assert await store.delete_collection("two") is True
    path.write_bytes(whole)  # from a copy
    async with open_store() as store:
        assert await listed(store) == {"a": "one"}
    path.unlink()
    async with open_store() as store:
        assert await listed(store) == {}
        await store.update_aliases([create("a", "one")])


async def test_aliases_of_a_collection_that_cannot_be_opened(open_store, unnamed, tmp_path):
    async with open_store() as store:
        await make(store, unnamed, "one")
        await store.update_aliases([create("a", "one")])
    path = tmp_path / "store" / "collections" / "1" / "COLLECTION"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])  # nobody knows its name
    async with open_store() as store:
        assert await listed(store) == {"a": "one"}
        with pytest.raises(CollectionNotFoundError):
            await store.get_collection("a")
        await store.update_aliases([rename("a", "b")])
    path.write_bytes(whole)
    manifest = path.with_name("MANIFEST")
    manifest.write_bytes(manifest.read_bytes()[:-1])  # its name is known
    async with open_store() as store:
        assert await store.collection_exists("b")
        with pytest.raises(CorruptionError, match="MANIFEST"):
            await store.get_collection("b")
        await store.update_aliases([create("c", "one")])
        assert await listed(store) == {"b": "one", "c": "one"}
        assert await store.delete_collection("one")
        assert await listed(store) == {}
