import uuid
from datetime import datetime

import msgspec
import pytest

from asyncstore import InvalidArgumentError, UnsupportedError
from asyncstore import models as m
from asyncstore.settings import CollectionSettings, checked_settings

UINT8_INDEX = m.SparseIndexParams(datatype=m.Datatype.UINT8)
INT8 = m.ScalarQuantization(
    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.99, always_ram=True)
)
MAX_SIM = m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM)
NOTHING = {
    "vectors": None,
    "sparse_vectors": None,
    "quantization_config": None,
    "hnsw_config": None,
    "optimizers_config": None,
    "wal_config": None,
    "on_disk_payload": True,
    "metadata": None,
}


def settings(**given):
    return checked_settings(**{**NOTHING, **given})


def json(model):
    return msgspec.json.decode(msgspec.json.encode(model))


def test_names_and_words_are_qdrants():
    assert [distance.value for distance in m.Distance] == ["Cosine", "Dot", "Euclid", "Manhattan"]
    assert [datatype.value for datatype in m.Datatype] == ["float32", "uint8", "float16"]
    assert m.UpdateStatus.COMPLETED.value == "completed"
    assert m.CollectionStatus.GREEN.value == "green"


def test_what_was_not_said_is_not_written():
    params = m.VectorParams(size=4, distance=m.Distance.DOT)
    assert json(params) == {"size": 4, "distance": "Dot"}
    params = m.VectorParams(
        size=4,
        distance=m.Distance.DOT,
        on_disk=True,
        datatype=m.Datatype.UINT8,
        quantization_config=INT8,
    )
    assert json(params) == {
        "size": 4,
        "distance": "Dot",
        "on_disk": True,
        "datatype": "uint8",
        "quantization_config": {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}},
    }


def test_a_scored_point_is_written_without_what_was_not_asked_for():
    point = m.ScoredPoint(id=2**64 - 1, version=3, score=0.5)
    assert json(point) == {"id": 2**64 - 1, "version": 3, "score": 0.5}


@pytest.mark.parametrize(
    "vectors",
    [
        None,
        {},
        m.VectorParams(size=1, distance=m.Distance.COSINE),
        {"a": m.VectorParams(size=65536, distance=m.Distance.EUCLID), "": None},
        {
            "image": m.VectorParams(
                size=3, distance=m.Distance.DOT, on_disk=True, quantization_config=INT8
            )
        },
    ],
)
def test_settings_survive_being_stored(vectors):
    if isinstance(vectors, dict) and "" in vectors:
        vectors = {**vectors, "": m.VectorParams(size=2, distance=m.Distance.MANHATTAN)}
    given = settings(vectors=vectors, quantization_config=INT8, metadata={"a": [1, {"b": None}]})
    assert CollectionSettings.decode(given.encode()) == given


def test_a_vectors_own_codes_go_before_the_collections():
    own = m.ScalarQuantization(
        scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.5)
    )
    fields = settings(
        vectors={
            "a": m.VectorParams(size=2, distance=m.Distance.DOT, quantization_config=own),
            "b": m.VectorParams(size=3, distance=m.Distance.COSINE, datatype=m.Datatype.FLOAT16),
        },
        quantization_config=INT8,
    ).native_fields()
    assert [field.name for field in fields] == ["a", "b"]
    assert [field.dim for field in fields] == [2, 3]
    assert [field.distance for field in fields] == ["Dot", "Cosine"]
    assert [field.datatype for field in fields] == ["float32", "float16"]
    assert [field.quantization for field in fields] == ["scalar_int8"] * 2
    assert [field.quantile for field in fields] == pytest.approx([0.5, 0.99])
    (plain,) = settings(vectors=m.VectorParams(size=2, distance=m.Distance.DOT)).native_fields()
    assert plain.quantization == "none"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"vectors": m.VectorParams(size=65537, distance=m.Distance.DOT)},
            "vectors.size: value 65537 invalid, must be from 1 to 65536",
        ),
        (
            {"vectors": {"a": m.VectorParams(size=0, distance=m.Distance.DOT)}},
            "vectors.a.size: value 0 invalid, must be from 1 to 65536",
        ),
        (
            {"vectors": m.VectorParams(size="4", distance=m.Distance.DOT)},
            "vectors.size: expected `int`, got `str` (value '4')",
        ),
        ({"vectors": m.VectorParams(size=True, distance=m.Distance.DOT)}, "vectors.size"),
        (
            {"vectors": m.VectorParams(size=4, distance="cosine")},
            "must be one of Cosine, Dot, Euclid, Manhattan",
        ),
        ({"vectors": {"size": 4}}, "vectors.size: must be a VectorParams"),
        ({"vectors": 4}, "vectors: must be a VectorParams or a dict of them"),
        ({"vectors": {3: None}}, "name must be text"),
        (
            {
                "quantization_config": m.ScalarQuantization(
                    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.4)
                )
            },
            "quantization_config.scalar.quantile: value 0.4 invalid, must be from 0.5 to 1.0",
        ),
        (
            {
                "vectors": m.VectorParams(
                    size=4,
                    distance=m.Distance.DOT,
                    quantization_config=m.ScalarQuantization(
                        scalar=m.ScalarQuantizationConfig(type="int4")
                    ),
                )
            },
            "vectors.quantization_config.scalar.type",
        ),
        ({"quantization_config": "scalar"}, "quantization_config: must be a quantization"),
        ({"metadata": {"a": object()}}, "metadata: is not JSON"),
        ({"metadata": [1]}, "metadata: must be a JSON object"),
    ],
)
def test_wrong_settings_are_named(given, sentence):
    with pytest.raises(InvalidArgumentError) as caught:
        settings(**given)
    assert sentence in str(caught.value)


def test_all_wrong_settings_are_listed():
    wrong = m.VectorParams(size=0, distance=m.Distance.DOT)
    with pytest.raises(InvalidArgumentError, match=r"vectors\.a\.size.*; vectors\.b\.size"):
        settings(vectors={"a": wrong, "b": wrong})


@pytest.mark.parametrize(
    "given",
    [
        {
            "sparse_vectors": {
                "s": m.SparseVectorParams(index=m.SparseIndexParams(datatype=m.Datatype.UINT8))
            }
        },
        {"hnsw_config": m.HnswConfigDiff(payload_m=8)},
        {"optimizers_config": m.OptimizersConfigDiff(max_optimization_threads=1)},
        {"optimizers_config": m.OptimizersConfigDiff(prevent_unoptimized=True)},
        {"wal_config": m.WalConfigDiff(wal_segments_ahead=1)},
        {"wal_config": m.WalConfigDiff(wal_retain_closed=2)},
        {"on_disk_payload": False},
        {
            "quantization_config": m.ScalarQuantization(
                scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, always_ram=False)
            )
        },
        {
            "quantization_config": m.RabitqQuantization(
                rabitq=m.RabitqQuantizationConfig(always_ram=False)
            )
        },
        *(
            {"vectors": m.VectorParams(size=4, distance=m.Distance.DOT, **setting)}
            for setting in (
                {"multivector_config": MAX_SIM, "hnsw_config": m.HnswConfigDiff(m=16)},
                {"multivector_config": MAX_SIM, "quantization_config": "auto"},
            )
        ),
    ],
)
def test_what_would_have_no_effect_is_refused(given):
    with pytest.raises(UnsupportedError, match=r"not supported yet|no graph yet"):
        settings(**given)


def test_a_graph_is_set_by_its_vector_then_by_the_collection():
    own = m.VectorParams(
        size=4,
        distance=m.Distance.DOT,
        hnsw_config=m.HnswConfigDiff(ef_construct=50, max_indexing_threads=2**40),
    )
    made = settings(vectors=own, hnsw_config=m.HnswConfigDiff(m=8, ef_construct=200))
    assert made.graph == m.HnswConfig(m=8, ef_construct=200)
    assert CollectionSettings.decode(made.encode()) == made
    assert made.native_fields()


@pytest.mark.parametrize(
    "wrong", [m.HnswConfigDiff(m=2), m.HnswConfigDiff(m=1000), m.HnswConfigDiff(ef_construct=3)]
)
def test_a_graph_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidArgumentError, match=r"hnsw_config"):
        settings(vectors=m.VectorParams(size=4, distance=m.Distance.DOT), hnsw_config=wrong)


@pytest.mark.parametrize("bits", [0, 3, 16])
def test_rabitq_has_1_2_4_or_8_bits(bits):
    wrong = m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=bits))
    with pytest.raises(InvalidArgumentError, match=rf"bits.*{bits}"):
        settings(vectors=m.VectorParams(size=4, distance=m.Distance.DOT), quantization_config=wrong)


def test_filters_are_written_as_qdrant_has_them():
    here = m.GeoPoint(lon=9.99, lat=48.4)
    ring = m.GeoLineString(points=[here] * 4)
    field = m.PayloadField(key="a")
    asked = {
        "match": (m.MatchExcept(except_=["x"]), {"except": ["x"]}),
        "range": (m.DatetimeRange(gt=datetime(2024, 2, 29), lt="2025"), None),
        "geo_bounding_box": (m.GeoBoundingBox(top_left=here, bottom_right=here), None),
        "geo_radius": (m.GeoRadius(center=here, radius=5.0), None),
        "geo_polygon": (m.GeoPolygon(exterior=ring), {"exterior": {"points": [json(here)] * 4}}),
        "values_count": (m.ValuesCount(gte=2), {"gte": 2}),
        "is_empty": (False, False),
    }
    written = json(m.FieldCondition(key="a", **{name: test for name, (test, _) in asked.items()}))
    assert written.pop("key") == "a"
    assert written["range"] == {"gt": "2024-02-29T00:00:00", "lt": "2025"}
    assert written["geo_radius"] == {"center": {"lon": 9.99, "lat": 48.4}, "radius": 5.0}
    assert list(written) == list(asked)
    for name, (_, expected) in asked.items():
        assert expected is None or written[name] == expected
    conditions = [
        m.IsEmptyCondition(is_empty=field),
        m.IsNullCondition(is_null=field),
        m.HasIdCondition(has_id=[1, uuid.UUID(int=1)]),
        m.HasVectorCondition(has_vector=""),
        m.NestedCondition(nested=m.Nested(key="a", filter=m.Filter())),
        m.SliceCondition(slice=m.Slice(total=2, index=0)),
        m.Filter(should=m.IsNullCondition(is_null=field)),
    ]
    least = m.MinShould(conditions=[], min_count=0)
    assert json(m.Filter(must=conditions, min_should=least)) == {
        "must": [
            {"is_empty": {"key": "a"}},
            {"is_null": {"key": "a"}},
            {"has_id": [1, "00000000-0000-0000-0000-000000000001"]},
            {"has_vector": ""},
            {"nested": {"key": "a", "filter": {}}},
            {"slice": {"total": 2, "index": 0}},
            {"should": {"is_null": {"key": "a"}}},
        ],
        "min_should": {"conditions": [], "min_count": 0},
    }
