"""A collection of three points with payload, for the tests of payload."""

from asyncstore import models as m

CITY = {
    "name": "Ulm",
    "big": 10**40,
    "size": {"km2": 118.7, "people": [1, {"year": 2020, "count": 126_329}]},
    "districts": [{"name": "Mitte", "code": 1}, {"name": "Söflingen", "code": 2}, 7],
    "a.b": {"c d": True},
    "nothing": None,
}


class Docs:
    """A store with a collection of points 1, 2, 3; 3 has no payload."""

    def __init__(self, open_store, vectors):
        self._open_store, self._vectors = open_store, vectors

    async def __aenter__(self):
        self._opening = self._open_store()
        self.store = await self._opening.__aenter__()
        docs = await self.store.create_collection("docs", vectors=self._vectors)
        await docs.upsert(
            [
                m.PointStruct(id=1, vector=[1, 0], payload=CITY),
                m.PointStruct(id=2, vector=[2, 0], payload={"name": "Bern", "n": 2}),
                m.PointStruct(id=3, vector=[3, 0]),
            ]
        )
        return docs

    async def __aexit__(self, *error):
        await self._opening.__aexit__(*error)


async def payload(collection, point_id, selection=True):
    (record,) = await collection.retrieve([point_id], with_payload=selection)
    return record.payload


async def payloads(collection):
    return [record.payload for record in (await collection.scroll(limit=10_000))[0]]


async def vectors(collection, ids):
    return [record.vector for record in await collection.retrieve(ids, with_vectors=True)]
