"""Points compared with each other."""

import numpy as np
import pytest

from asyncstore import InvalidArgumentError
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

A_UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize("distance", list(m.Distance))
async def test_the_matrix_is_that_of_brute_force(open_store, distance):
    vectors = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32)
    ids = [2, 3, 10, 11, 12, A_UUID]
    async with open_store() as store:
        rows = await store.create_collection(
            "rows", vectors={"one": m.VectorParams(size=4, distance=distance)}
        )
        points = [
            m.PointStruct(id=ids[i], vector={"one": vectors[i]}, payload={"n": i})
            for i in (5, 3, 1, 0, 2, 4)
        ]
        without = m.PointStruct(id=1, vector={})
        await rows.upsert([*points, without])
        found = await rows.search_matrix_offsets(sample=100, limit=2, using="one")
        assert found.ids == ids
        pairs = await rows.search_matrix_pairs(sample=100, limit=2, using="one")
        places = {point: place for place, point in enumerate(ids)}
        assert [(places[pair.a], places[pair.b], pair.score) for pair in pairs.pairs] == list(
            zip(found.offsets_row, found.offsets_col, found.scores, strict=True)
        )
        assert found.offsets_row == [place for place in range(6) for _ in range(2)]
        for place in range(6):
            nearest = await rows.search(
                vectors[place],
                using="one",
                limit=2,
                filter=m.Filter(must_not=m.HasIdCondition(has_id=[ids[place]])),
            )
            own = slice(2 * place, 2 * place + 2)
            assert [ids[other] for other in found.offsets_col[own]] == [hit.id for hit in nearest]
            np.testing.assert_allclose(
                found.scores[own], [hit.score for hit in nearest], rtol=1e-4, atol=1e-6
            )
        some = await rows.search_matrix_offsets(sample=3, limit=10, using="one")
        assert len(some.ids) == 3
        assert len(some.scores) == 6
        few = m.Filter(must=m.FieldCondition(key="n", range=m.Range(lt=2)))
        pairs = await rows.search_matrix_pairs(filter=few, using="one")
        assert {(pair.a, pair.b) for pair in pairs.pairs} == {(2, 3), (3, 2)}
        one = m.Filter(must=m.HasIdCondition(has_id=[2]))
        assert (await rows.search_matrix_pairs(filter=one, using="one")).pairs == []
        for wanted, message in [
            ({"sample": 1}, "sample: value 1 invalid, must be from 2 to 10000"),
            ({"limit": 0}, "limit: value 0 invalid"),
            ({"using": "nix"}, "Not existing vector name error: nix"),
            ({"filter": {"must": 1}}, r"filter\.must"),
        ]:
            with pytest.raises(InvalidArgumentError, match=message):
                await rows.search_matrix_pairs(**{"using": "one", **wanted})
