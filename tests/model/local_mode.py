"""The official client's local mode as a peer: it is asked the same things, in the same models.

Models are handed over as the JSON that they are, so that names and shapes are compared too.
"""

import msgspec
import numpy as np
from qdrant_client import QdrantClient
from qdrant_client import models as qm

from asyncstore import models as m

ALL = 10_000


def as_peer(model):
    """Its own model of what one of ours is in JSON."""
    given = msgspec.to_builtins(model, enc_hook=np.ndarray.tolist)
    said = {key: value for key, value in given.items() if value is not None}
    return getattr(qm, type(model).__name__).model_validate_json(msgspec.json.encode(said))


class LocalMode:
    """One collection of one client; what is asked of it is said in our models."""

    def __init__(self, client, name, vectors, sparse_vectors=None):
        self.client, self.name = client, name
        if isinstance(vectors, m.VectorParams):
            config = as_peer(vectors)
        else:
            config = {vector: as_peer(params) for vector, params in vectors.items()}
        sparse = {vector: as_peer(params) for vector, params in (sparse_vectors or {}).items()}
        client.create_collection(name, vectors_config=config, sparse_vectors_config=sparse)

    def upsert(self, points):
        if points:
            self.client.upsert(self.name, [as_peer(point) for point in points])

    def change(self, call, *arguments, filter=None, points=None, **how):
        """A write on points by their ids or by a filter."""
        selected = as_peer(filter) if filter is not None else list(points)
        getattr(self.client, call)(self.name, *arguments, selected, **how)

    def retrieve(self, ids, selection):
        if isinstance(selection, dict):
            selection = qm.PayloadSelectorExclude(**selection)
        return self.client.retrieve(self.name, ids, with_payload=selection)

    def count(self, filter=None):
        return self.client.count(self.name, None if filter is None else as_peer(filter)).count

    def scroll(self, filter=None, *, order_by=None, limit=ALL, offset=None, with_vectors=False):
        return self.client.scroll(
            self.name,
            scroll_filter=None if filter is None else as_peer(filter),
            order_by=None if order_by is None else as_peer(order_by),
            limit=limit,
            offset=offset,
            with_vectors=with_vectors,
        )

    def facet(self, key, filter=None, limit=ALL):
        given = None if filter is None else as_peer(filter)
        return self.client.facet(self.name, key, facet_filter=given, limit=limit).hits

    def query(self, query=None, **how):
        found = self.client.query_points(self.name, **self._asked(query, how))
        return found.points

    def query_groups(self, query=None, *, group_by, group_size, with_lookup=None, **how):
        lookup = with_lookup if with_lookup is None else as_peer(with_lookup)
        found = self.client.query_points_groups(
            self.name,
            group_by,
            group_size=group_size,
            with_lookup=lookup,
            **self._asked(query, how),
        )
        return found.groups

    def pairs(self, filter, limit, using):
        found = self.client.search_matrix_pairs(
            self.name, query_filter=as_peer(filter), limit=limit, sample=ALL, using=using
        )
        return found.pairs

    @staticmethod
    def _asked(query, how):
        asked = {"limit": ALL, "with_payload": False, **how}
        filter = asked.pop("filter", None)
        asked["query_filter"] = None if filter is None else as_peer(filter)
        if asked.get("prefetch") is not None:
            asked["prefetch"] = [as_peer(one) for one in asked["prefetch"]]
        if asked.get("lookup_from") is not None:
            asked["lookup_from"] = as_peer(asked["lookup_from"])
        return {"query": None if query is None else as_peer(query), **asked}


def peer():
    return QdrantClient(":memory:")
