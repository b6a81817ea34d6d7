"""Ids and vectors of every kind, turned into what the core takes."""

import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncstore import DimensionMismatchError, InvalidArgumentError
from asyncstore import models as m
from asyncstore.batch import PAYLOADS_MAX, Batch, batch_of_arrays, batch_of_points
from asyncstore.engine import WRITE_BYTES_MAX, WRITE_POINTS_MAX
from asyncstore.ids import point_ids
from asyncstore.pace import LIST_ELEMENTS_MAX, Pace
from asyncstore.vectors import VectorField, query_matrix, query_vector

pytestmark = pytest.mark.anyio

UNNAMED = {"": VectorField("docs", 0, "", 4)}
NAMED = {"text": VectorField("docs", 0, "text", 4), "image": VectorField("docs", 1, "image", 2)}
A_UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def ids_of(ids):
    return await point_ids(ids, Pace())


async def arrays(ids, vectors, fields=UNNAMED, payloads=None):
    return await batch_of_arrays(ids, vectors, payloads, fields, Pace())


async def points(*given, fields=UNNAMED):
    return await batch_of_points(given, fields, Pace())


async def whole(batch: Batch):
    """The chunks of a batch put together again."""
    chunks = [await batch.chunk(cut, Pace()) for cut in batch.cuts()]
    return {
        number: np.concatenate([chunk.vectors[number] for chunk in chunks])
        for number in batch.columns
    }


class TestIds:
    async def test_a_uint64_array_is_not_copied(self):
        ids = np.arange(10, dtype=np.uint64)
        assert np.shares_memory(await ids_of(ids), ids)
        assert np.shares_memory(await ids_of(ids[3:7]), ids)

    @pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint32, ">u8"])
    async def test_arrays_of_other_integers_are_converted(self, dtype):
        converted = await ids_of(np.arange(100).astype(dtype))
        assert converted.dtype == np.uint64
        assert converted.flags.c_contiguous
        assert converted.tolist() == list(range(100))

    async def test_strided_arrays_are_copied(self):
        converted = await ids_of(np.arange(20, dtype=np.uint64)[::2])
        assert converted.flags.c_contiguous
        assert converted.tolist() == list(range(0, 20, 2))

    @given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
    async def test_lists_of_integers_become_arrays(self, ids):
        converted = await ids_of(ids)
        assert isinstance(converted, np.ndarray)
        assert converted.dtype == np.uint64
        assert converted.tolist() == ids

    async def test_numpys_integers_in_a_list_are_integers(self):
        converted = await ids_of([np.uint64(2**64 - 1), np.int32(3), 4])
        assert isinstance(converted, np.ndarray)
        assert converted.tolist() == [2**64 - 1, 3, 4]

    async def test_long_sequences_are_converted_in_slices(self):
        assert (await ids_of(range(10_000))).tolist() == list(range(10_000))
        mixed = [*range(9_000), A_UUID]
        assert await ids_of(mixed) == mixed

    @pytest.mark.parametrize(
        "given_id",
        [A_UUID, uuid.UUID(A_UUID), A_UUID.upper(), A_UUID.replace("-", ""), f"urn:uuid:{A_UUID}"],
        ids=str,
    )
    async def test_uuids_become_canonical(self, given_id):
        assert await ids_of([7, given_id]) == [7, A_UUID]

    @pytest.mark.parametrize(
        "wrong",
        [True, -1, 2**64, 1.0, 1.5, None, "abc", "", b"1", (1,), np.float32(1), np.int64(-1)],
        ids=repr,
    )
    async def test_what_is_no_id_is_named_with_its_position(self, wrong):
        for ids in ([1, wrong, 3], [A_UUID, wrong]):
            with pytest.raises(InvalidArgumentError, match=r"ids\[1\]"):
                await ids_of(ids)
        with pytest.raises(InvalidArgumentError, match=r"ids\[5000\]"):
            await ids_of([*range(5000), wrong])

    @pytest.mark.parametrize(
        ("array", "where"),
        [
            (np.array([1, 2, -3]), r"ids\[2\]: value -3"),
            (np.array([1.0, 2.0]), r"ids\[0\]"),
            (np.array([True]), r"ids\[0\]"),
            (np.array([[1]], dtype=np.uint64), r"shape"),
            (np.array(7, dtype=np.uint64), r"shape"),
            (np.array([[1.0]]), r"shape"),
        ],
    )
    async def test_wrong_arrays_are_refused(self, array, where):
        with pytest.raises(InvalidArgumentError, match=where):
            await ids_of(array)

    @pytest.mark.parametrize("wrong", ["12", b"12", 5, {1}, iter([1]), None])
    async def test_what_is_no_sequence_is_refused(self, wrong):
        with pytest.raises(InvalidArgumentError, match="sequence"):
            await ids_of(wrong)

    async def test_arrays_of_objects_are_taken_as_lists(self):
        assert await ids_of(np.array([1, A_UUID], dtype=object)) == [1, A_UUID]


class TestArrays:
    async def test_contiguous_float32_is_not_copied(self):
        vectors = np.ones((5, 4), np.float32)
        batch = await arrays(range(5), vectors)
        chunk = await batch.chunk(slice(0, len(batch)), Pace())
        assert np.shares_memory(chunk.vectors[0], vectors)
        assert chunk.present == {}

    @pytest.mark.parametrize(
        "vectors",
        [
            np.asfortranarray(np.arange(20, dtype=np.float32).reshape(5, 4)),
            np.arange(40, dtype=np.float32).reshape(10, 4)[::2],
            np.arange(20, dtype=np.float64).reshape(5, 4),
            np.arange(20, dtype=np.float16).reshape(5, 4),
            np.arange(20, dtype=np.uint8).reshape(5, 4),
            np.arange(20, dtype=">f4").reshape(5, 4),
            np.arange(20).reshape(5, 4).tolist(),
            [np.arange(4.0)] * 5,
            tuple(map(tuple, np.arange(20.0).reshape(5, 4))),
            np.arange(20).reshape(5, 4).astype(object),
        ],
    )
    async def test_everything_else_is_converted(self, vectors):
        batch = await arrays(range(5), vectors)
        converted = (await whole(batch))[0]
        assert converted.dtype == np.float32
        assert converted.flags.c_contiguous
        assert converted.tolist() == [[float(number) for number in row] for row in vectors]

    async def test_a_large_batch_is_cut_at_the_limits(self):
        fields = {"": VectorField("docs", 0, "", 1024)}
        rows = 2 * (WRITE_BYTES_MAX // 4096) + 3
        vectors = np.arange(rows, dtype=np.float16).reshape(-1, 1).repeat(1024, axis=1)
        batch = await arrays(range(rows), vectors, fields)
        assert batch.chunk_points_max == WRITE_BYTES_MAX // 4096
        await batch.check_numbers(Pace())
        assert np.array_equal((await whole(batch))[0], vectors.astype(np.float32))
        many = await arrays(np.arange(WRITE_POINTS_MAX + 1), {}, UNNAMED)
        assert many.chunk_points_max == WRITE_POINTS_MAX

    async def test_a_point_beyond_the_limit_is_refused(self):
        fields = {
            str(number): VectorField("docs", number, str(number), 65536) for number in range(33)
        }
        batch = await arrays(
            [1], {name: np.zeros((1, 65536), np.float32) for name in fields}, fields
        )
        with pytest.raises(InvalidArgumentError, match=str(WRITE_BYTES_MAX)):
            _ = batch.chunk_points_max

    async def test_payloads_count_towards_the_limits(self):
        texts = [None, {"a": "x" * 5_000_000}, {"a": 1}, {"a": "x" * 12_000_000}, {}, {"a": 1}]
        batch = await arrays(range(6), np.ones((6, 4)), payloads=texts)
        assert list(batch.cuts()) == [slice(0, 3), slice(3, 4), slice(4, 6)]
        chunk = await batch.chunk(slice(0, 3), Pace())
        assert [text and len(text) for text in chunk.payloads] == [None, 5_000_008, 7]
        rows = PAYLOADS_MAX + 1
        batch = await arrays(range(rows), {}, payloads=[{"a": 1}] * rows)
        assert list(batch.cuts()) == [slice(0, PAYLOADS_MAX), slice(PAYLOADS_MAX, rows)]

    async def test_no_payload_at_all_costs_nothing(self):
        batch = await arrays(range(3), np.ones((3, 4)), payloads=[None, {}, None])
        assert batch.payloads is None
        assert (await batch.chunk(slice(0, 3), Pace())).payloads is None

    async def test_named_vectors_go_to_their_fields(self):
        batch = await arrays(
            [1, 2], {"image": np.ones((2, 2)), "text": np.zeros((2, 4))}, fields=NAMED
        )
        assert {number: rows.shape for number, rows in (await whole(batch)).items()} == {
            0: (2, 4),
            1: (2, 2),
        }

    @pytest.mark.parametrize(
        ("ids", "vectors", "sentence"),
        [
            ([], np.zeros((0, 4)), "empty"),
            ([1, 2], np.zeros((1, 4)), "vectors: has 1 rows, must be as many as there are ids, 2"),
            ([1], np.zeros(4), r"shape \(n, dim\), got \(4,\)"),
            ([1], np.zeros((1, 4), bool), "must hold numbers"),
            ([1], np.zeros((1, 4), complex), "must hold numbers"),
            ([1], [["a", "b", "c", "d"]], "flat list of numbers"),
            ([1], [["1", "2", "3", "4"]], "flat list of numbers"),
            ([1], [[1, 2, None, 4]], "flat list of numbers"),
            ([1], [3], "no vector"),
            ([1], "text", "array or a sequence"),
            ([1], 5, "array or a sequence"),
            ([1], np.zeros((1, 0)), "must not be empty"),
            ([1], [[]], "must not be empty"),
            ([1], {"other": np.zeros((1, 4))}, "Not existing vector name error: other"),
        ],
    )
    async def test_wrong_arrays_are_refused(self, ids, vectors, sentence):
        with pytest.raises(InvalidArgumentError, match=sentence):
            await arrays(ids, vectors)

    async def test_wrong_dimensions_are_refused(self):
        sentence = "vector has 3 dimensions, collection 'docs' has 4"
        for vectors in (np.zeros((2, 3), np.float32), [[0, 0, 0, 0], [0, 0, 0]]):
            with pytest.raises(DimensionMismatchError, match=sentence):
                await arrays([1, 2], vectors)
        with pytest.raises(DimensionMismatchError, match="vector 'image' has 3 dimensions"):
            await arrays([1], {"image": np.zeros((1, 3))}, NAMED)

    async def test_a_dense_vector_takes_no_multivectors(self):
        with pytest.raises(InvalidArgumentError, match=r"must have the shape \(n, dim\)"):
            await arrays([1, 2], np.zeros((2, 2, 4)))
        with pytest.raises(InvalidArgumentError, match=r"vectors\[0\]: vector must be a flat list"):
            await arrays([1, 2], [[[0, 0, 0, 0]], [[0, 0, 0, 0]]])

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39, -1e39])
    async def test_what_float32_cannot_hold_is_named_with_its_place(self, bad):
        vectors = np.zeros((3000, 4))
        vectors[2001, 2] = bad
        batch = await arrays(range(3000), vectors)
        with pytest.raises(InvalidArgumentError, match=r"vectors\[2001\] has \S+ at dimension 2"):
            await batch.check_numbers(Pace())
        with pytest.raises(InvalidArgumentError, match=r"vectors\[2001\] has \S+ at dimension 2"):
            await whole(batch)


class TestPoints:
    async def test_points_become_matrices(self):
        batch = await points(
            m.PointStruct(id=1, vector=[1, 2, 3, 4]),
            m.PointStruct(id=2, vector=np.array([5, 6, 7, 8], np.float16)),
            m.PointStruct(id=A_UUID, vector=(9.5, 10, 11, 12), payload={}),
        )
        assert batch.ids == [1, 2, A_UUID]
        assert batch.present == {}
        assert (await whole(batch))[0].tolist() == [
            [1, 2, 3, 4],
            [5, 6, 7, 8],
            [9.5, 10, 11, 12],
        ]

    async def test_missing_vectors_are_masked(self):
        batch = await points(
            m.PointStruct(id=1, vector={"text": [1, 2, 3, 4]}),
            m.PointStruct(id=2, vector={}),
            m.PointStruct(id=3, vector={"image": [5, 6], "text": [0, 0, 0, 1]}),
            fields=NAMED,
        )
        chunk = await batch.chunk(slice(0, len(batch)), Pace())
        assert {number: mask.tolist() for number, mask in chunk.present.items()} == {
            0: [True, False, True],
            1: [False, False, True],
        }
        assert chunk.vectors[1].tolist() == [[0, 0], [0, 0], [5, 6]]

    async def test_points_without_any_vector_are_points(self):
        batch = await points(m.PointStruct(id=1, vector={}))
        chunk = await batch.chunk(slice(0, len(batch)), Pace())
        assert (chunk.ids.tolist(), chunk.vectors, chunk.present) == ([1], {}, {})

    async def test_the_unnamed_vector_may_be_named_by_nothing(self):
        batch = await points(m.PointStruct(id=1, vector={"": [1, 2, 3, 4]}))
        assert (await whole(batch))[0].tolist() == [[1, 2, 3, 4]]

    async def test_vectors_longer_than_a_slice(self):
        dim = 3 * LIST_ELEMENTS_MAX + 7
        fields = {"": VectorField("docs", 0, "", dim)}
        numbers = [float(number % 97) for number in range(dim)]
        batch = await points(m.PointStruct(id=1, vector=numbers), fields=fields)
        assert (await whole(batch))[0][0].tolist() == numbers

    @pytest.mark.parametrize(
        ("point", "error", "sentence"),
        [
            (
                {"id": -1, "vector": [1, 2, 3, 4]},
                InvalidArgumentError,
                r"points\[1\]\.id: value -1",
            ),
            ({"id": 1, "vector": [1, 2, 3]}, DimensionMismatchError, r"points\[1\]: vector has 3"),
            ({"id": 1, "vector": []}, InvalidArgumentError, "must not be empty"),
            ({"id": 1, "vector": None}, InvalidArgumentError, r"points\[1\]: None is no vector"),
            ({"id": 1, "vector": "1234"}, InvalidArgumentError, r"points\[1\]"),
            ({"id": 1, "vector": [1, 2, 3, "4"]}, InvalidArgumentError, r"points\[1\]"),
            ({"id": 1, "vector": [1, 2, 3, [4]]}, InvalidArgumentError, r"points\[1\]"),
            ({"id": 1, "vector": [1, 2, 3, np.nan]}, InvalidArgumentError, r"points\[1\].*nan"),
            ({"id": 1, "vector": [1, 2, 3, 1e300]}, InvalidArgumentError, "beyond float32"),
            ({"id": 1, "vector": [1, 2, 3, 10**400]}, InvalidArgumentError, r"points\[1\]"),
            ({"id": 1, "vector": {"x": [1]}}, InvalidArgumentError, "vector name error: x"),
            ({"id": 1, "vector": {"": {"indices": [1]}}}, InvalidArgumentError, "vector is dense"),
            ({"id": 1, "vector": [[1, 2, 3, 4]]}, InvalidArgumentError, "must be a flat list"),
            ({"id": 1, "vector": np.zeros((1, 4))}, InvalidArgumentError, "must be flat"),
            ({"id": 1, "vector": np.float32(1)}, InvalidArgumentError, r"points\[1\]"),
            (
                {"id": 1, "vector": [1, 2, 3, 4], "payload": {"a": object()}},
                InvalidArgumentError,
                r"points\[1\]\.payload: JSON has no word for a key or value of type object",
            ),
        ],
    )
    async def test_a_wrong_point_is_named_with_its_position(self, point, error, sentence):
        good = m.PointStruct(id=1, vector=[1, 2, 3, 4])
        with pytest.raises(error, match=sentence):
            await points(good, m.PointStruct(**point))

    async def test_what_is_no_point_is_refused(self):
        with pytest.raises(InvalidArgumentError, match="empty"):
            await points()
        with pytest.raises(InvalidArgumentError, match=r"points\[0\]: must be a PointStruct"):
            await points({"id": 1, "vector": [1, 2, 3, 4]})
        for wrong in (5, None, {1}, "points"):
            with pytest.raises(InvalidArgumentError, match="points"):
                await batch_of_points(wrong, UNNAMED, Pace())


class TestQueries:
    field = UNNAMED[""]

    @pytest.mark.parametrize(
        "query",
        [
            [1, 2, 3, 4],
            (1.0, 2.0, 3.0, 4.0),
            np.array([1, 2, 3, 4]),
            np.array([1, 2, 3, 4], np.float16),
            np.array([1, 9, 2, 9, 3, 9, 4], np.float32)[::2],
            np.array([1, 2, 3, 4], ">f4"),
        ],
        ids=repr,
    )
    async def test_queries_of_every_kind(self, query):
        converted = await query_vector(query, self.field)
        assert converted.dtype == np.float32
        assert converted.dtype.isnative
        assert converted.flags.c_contiguous
        assert converted.tolist() == [1, 2, 3, 4]

    @pytest.mark.parametrize(
        "query",
        [
            [1, 2, 3, float("nan")],
            np.array([1, 2, 3, np.inf], np.float32),
            np.array([1, 2, 3, 1e39]),
            [],
            "text",
            None,
            7,
        ],
        ids=repr,
    )
    async def test_wrong_queries(self, query):
        with pytest.raises(InvalidArgumentError):
            await query_vector(query, self.field)

    async def test_queries_of_the_wrong_dimension(self):
        for query in ([1, 2], np.zeros(5, np.float32), np.zeros(5)):
            with pytest.raises(DimensionMismatchError, match="collection 'docs' has 4"):
                await query_vector(query, self.field)

    async def test_batches_of_queries(self):
        queries = np.arange(8, dtype=np.float32).reshape(2, 4)
        assert np.shares_memory(await query_matrix(queries, self.field), queries)
        assert np.array_equal(await query_matrix(queries.tolist(), self.field), queries)
        with pytest.raises(InvalidArgumentError, match="empty"):
            await query_matrix(np.zeros((0, 4), np.float32), self.field)
        queries[1, 1] = np.nan
        with pytest.raises(InvalidArgumentError, match=r"vectors\[1\] has nan at dimension 1"):
            await query_matrix(queries, self.field)
