"""The settings of a collection: checked, kept as JSON, and turned into native fields.

The core keeps the JSON unchanged and gives it back when the store is opened again, so that
``info()`` can say every setting exactly as it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Required, TypeAlias, TypedDict

import msgspec

from asyncstore.automatic import AUTO, automatic_codes
from asyncstore.bounds import OutOfBoundsError, checked
from asyncstore.engine import (
    NativeField,
    NativeOptimizers,
    available_memory_bytes,
    translating,
)
from asyncstore.errors import InvalidArgumentError, UnsupportedError
from asyncstore.log_settings import checked_log
from asyncstore.models import (
    BinaryQuantization,
    BinaryQuantizationEncoding,
    BinaryQuantizationQueryEncoding,
    Datatype,
    Distance,
    HnswConfig,
    HnswConfigDiff,
    Modifier,
    OptimizersConfigDiff,
    ProductQuantization,
    QuantizationConfig,
    RabitqQuantization,
    ScalarQuantization,
    SparseVectorParams,
    VectorParams,
    WalConfigDiff,
)
from asyncstore.models.quantization import decode_quantization
from asyncstore.optimizers import UINT32_MAX, checked_optimizers, core_optimizers
from asyncstore.vectors import AnyField, MultivectorField, SparseField, VectorField

VectorsInput: TypeAlias = VectorParams | Mapping[str, VectorParams] | None

# What graphs and codes there are.
GRAPH_M_MIN, GRAPH_M_MAX = 4, 127
RABITQ_BITS = (1, 2, 4, 8)

# The name of the one vector of a collection whose vector has no name.
UNNAMED = ""


class CollectionSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The settings of a collection as they were given; an unnamed vector is named ""."""

    vectors: dict[str, VectorParams] = {}
    sparse_vectors: dict[str, SparseVectorParams] = {}
    quantization_config: QuantizationConfig | None = None
    hnsw_config: HnswConfigDiff | None = None
    optimizers_config: OptimizersConfigDiff | None = None
    wal_config: WalConfigDiff | None = None
    metadata: dict[str, object] | None = None

    @classmethod
    def decode(cls, text: bytes) -> CollectionSettings:
        """Reads what :meth:`encode` wrote."""
        return msgspec.json.decode(text, type=cls, dec_hook=decode_quantization)

    def encode(self) -> bytes:
        """Writes the settings as JSON."""
        return msgspec.json.encode(self)

    @property
    def has_unnamed_vector(self) -> bool:
        """Whether the collection has one vector and no names."""
        return list(self.vectors) == [UNNAMED]

    def native_fields(self) -> list[NativeField]:
        """One field for each dense vector, in the order given; the index is the field's number.

        Raises:
            UnsupportedError: Settings of a vector do not go together.
        """
        with translating():
            return [self._native_field(name, params) for name, params in self._dense.items()]

    def native_multivectors(self) -> list[NativeField]:
        """One field for each multivector, likewise."""
        with translating():
            return [_native_multivector(*one) for one in self._multivectors.items()]

    def native_optimizers(self) -> NativeOptimizers:
        """What the collection's optimizer has of its own."""
        return NativeOptimizers(**core_optimizers(self.optimizers_config))

    def fields_by_name(self, collection: str) -> dict[str, AnyField]:
        """The vectors as the core numbers them: dense ones, sparse ones, multivectors."""
        fields: dict[str, AnyField] = {
            name: VectorField(collection, number, name, params.size)
            for number, (name, params) in enumerate(self._dense.items())
        }
        for number, (name, sparse) in enumerate(self.sparse_vectors.items(), start=len(fields)):
            idf = sparse.modifier is Modifier.IDF
            fields[name] = SparseField(collection, number, name, idf)
        for number, (name, params) in enumerate(self._multivectors.items(), start=len(fields)):
            fields[name] = MultivectorField(collection, number, name, params.size)
        return fields

    def distance_of(self, field: AnyField) -> Distance:
        """By what its vectors are near; sparse ones by their dot product."""
        params = self.vectors.get(field.name)
        return Distance.DOT if params is None else params.distance

    @property
    def _dense(self) -> dict[str, VectorParams]:
        return {name: one for name, one in self.vectors.items() if not is_multivector(one)}

    @property
    def _multivectors(self) -> dict[str, VectorParams]:
        return {name: one for name, one in self.vectors.items() if is_multivector(one)}

    @property
    def graph(self) -> HnswConfig:
        """The settings of the graphs of vectors that have none of their own."""
        return _graph_of(self.hnsw_config)

    def codes_and_graphs(self) -> list[object]:
        """What decides of each vector which codes and which graph are made for it."""
        dense = [
            (_graph_of(self.hnsw_config, params.hnsw_config), self._codes_of(params))
            for params in self._dense.values()
        ]
        return [
            *dense,
            *(_native_codes(one.quantization_config) for one in self._multivectors.values()),
        ]

    def _codes_of(self, params: VectorParams) -> _NativeCodes:
        return _native_codes(params.quantization_config or self.quantization_config)

    def _native_field(self, name: str, params: VectorParams) -> NativeField:
        graph = _graph_of(self.hnsw_config, params.hnsw_config)
        return NativeField(
            name=name,
            dim=params.size,
            distance=params.distance.value,
            datatype=(params.datatype or Datatype.FLOAT32).value,
            graph_m=graph.m,
            ef_construct=graph.ef_construct,
            graph_threads=min(graph.max_indexing_threads, UINT32_MAX),  # no more than CPUs are used
            full_scan_threshold_kb=graph.full_scan_threshold,
            **self._codes_of(params),
        )


def is_multivector(params: VectorParams) -> bool:
    """Whether a vector is a list of rows."""
    return params.multivector_config is not None


def _native_multivector(name: str, params: VectorParams) -> NativeField:
    """Without a graph, and with codes only where it has its own."""
    return NativeField(
        name=name,
        dim=params.size,
        distance=params.distance.value,
        datatype=(params.datatype or Datatype.FLOAT32).value,
        graph_m=0,
        **_native_codes(params.quantization_config),
    )


def _graph_of(*diffs: HnswConfigDiff | None) -> HnswConfig:
    """What the last one says that says something, else the default; for each setting."""
    said = HnswConfig()
    for diff in diffs:
        if diff is not None:
            given = {name: getattr(diff, name) for name in HnswConfig.__struct_fields__}
            said = msgspec.structs.replace(
                said, **{name: value for name, value in given.items() if value is not None}
            )
    return said


class _NativeCodes(TypedDict, total=False):
    """The part of a native field that says how its vectors are encoded."""

    quantization: Required[str]
    quantile: float
    bits: int
    compression: int
    encoding: str
    query_encoding: str


def _native_codes(quantization: QuantizationConfig | None) -> _NativeCodes:
    match quantization:
        case ScalarQuantization(scalar=scalar):
            # None means the whole range of values, as in Qdrant.
            return {"quantization": "scalar_int8", "quantile": scalar.quantile or 1.0}
        case RabitqQuantization(rabitq=rabitq):
            return {"quantization": "rabitq", "bits": rabitq.bits}
        case ProductQuantization(product=product):
            compression = int(product.compression.value.removeprefix("x"))
            return {"quantization": "product", "compression": compression}
        case BinaryQuantization(binary=binary):
            return {
                "quantization": "binary",
                "encoding": (binary.encoding or BinaryQuantizationEncoding.ONE_BIT).value,
                "query_encoding": (
                    binary.query_encoding or BinaryQuantizationQueryEncoding.DEFAULT
                ).value,
            }
        case _:
            return {"quantization": "none"}


def checked_settings(
    *,
    vectors: VectorsInput,
    sparse_vectors: Mapping[str, SparseVectorParams] | None,
    quantization_config: QuantizationConfig | str | None,
    hnsw_config: HnswConfigDiff | None,
    optimizers_config: OptimizersConfigDiff | None,
    wal_config: WalConfigDiff | None,
    on_disk_payload: bool,
    metadata: Mapping[str, object] | None,
) -> CollectionSettings:
    """Checks the arguments of ``create_collection``.

    Raises:
        InvalidArgumentError: A value has the wrong type or is out of bounds; all are listed.
        UnsupportedError: A setting would have no effect yet.
    """
    if not on_disk_payload:
        raise UnsupportedError("on_disk_payload: payload in memory is not supported yet")
    dense = _checked_vectors(vectors)
    if quantization_config == AUTO:
        # Each vector its own: what is right for one is not for another.
        quantization_config = None
        for name, params in dense.items():
            if params.quantization_config is None and not is_multivector(params):
                dense[name] = _with_automatic_codes(params)
    settings = CollectionSettings(
        vectors=dense,
        sparse_vectors=_checked_sparse(sparse_vectors),
        quantization_config=checked_quantization(quantization_config, "quantization_config"),
        hnsw_config=checked_graph(hnsw_config, "hnsw_config"),
        optimizers_config=checked_optimizers(optimizers_config, "optimizers_config"),
        wal_config=checked_log(wal_config, "wal_config"),
        metadata=checked_metadata(metadata),
    )
    for name in settings.sparse_vectors:
        if name in settings.vectors:
            raise InvalidArgumentError(
                f"Dense and sparse vector names must be unique - duplicate found with '{name}'"
            )
    for name, params in settings.vectors.items():
        refuse_unsupported(params, path_of_vector(name))
    return settings


def _checked_vectors(vectors: VectorsInput) -> dict[str, VectorParams]:
    if vectors is None:
        return {}
    if isinstance(vectors, VectorParams):
        return {UNNAMED: _checked_params(vectors, "vectors")}
    if not isinstance(vectors, Mapping):
        raise InvalidArgumentError(
            f"vectors: must be a VectorParams or a dict of them, got {vectors!r}"
        )
    checked_vectors: dict[str, VectorParams] = {}
    violations: list[tuple[str, str]] = []
    for name, params in vectors.items():
        if not isinstance(name, str):
            raise InvalidArgumentError(f"vectors: a vector's name must be text, got {name!r}")
        try:
            checked_vectors[name] = _checked_params(params, f"vectors.{name}")
        except OutOfBoundsError as error:
            violations += error.violations
    if violations:
        raise OutOfBoundsError(*violations)
    return checked_vectors


def _checked_sparse(
    sparse_vectors: Mapping[str, SparseVectorParams] | None,
) -> dict[str, SparseVectorParams]:
    if sparse_vectors is None:
        return {}
    if not isinstance(sparse_vectors, Mapping):
        raise InvalidArgumentError(
            f"sparse_vectors: must be a dict of SparseVectorParams, got {sparse_vectors!r}"
        )
    checked_vectors: dict[str, SparseVectorParams] = {}
    for name, params in sparse_vectors.items():
        path = f"sparse_vectors.{name}"
        if not isinstance(name, str):
            raise InvalidArgumentError(f"sparse_vectors: a name must be text, got {name!r}")
        if name == UNNAMED:
            raise InvalidArgumentError("sparse_vectors: Sparse vector name cannot be empty")
        if not isinstance(params, SparseVectorParams):
            raise InvalidArgumentError(f"{path}: must be a SparseVectorParams, got {params!r}")
        checked_vectors[name] = checked_sparse_params(params, path)
    return checked_vectors


def checked_sparse_params(params: object, path: str) -> SparseVectorParams:
    """Those of one vector."""
    given = checked(params, SparseVectorParams, path)
    # What else is said of the index costs or saves memory elsewhere, and changes no result.
    if given.index is not None and given.index.datatype not in (None, Datatype.FLOAT32):
        raise UnsupportedError(
            f"{path}.index.datatype: not supported yet, sparse vectors are float32"
        )
    return given


def _checked_params(params: object, path: str) -> VectorParams:
    if not isinstance(params, VectorParams):
        raise InvalidArgumentError(f"{path}: must be a VectorParams, got {params!r}")
    codes: object = params.quantization_config  # whatever the caller gave
    if codes != AUTO:
        return checked(params, VectorParams, path, dec_hook=decode_quantization)
    if is_multivector(params):
        raise UnsupportedError(
            f"{path}.quantization_config: auto is not supported yet for multivectors"
        )
    rest = msgspec.structs.replace(params, quantization_config=None)
    return _with_automatic_codes(checked(rest, VectorParams, path, dec_hook=decode_quantization))


def _with_automatic_codes(params: VectorParams) -> VectorParams:
    codes = automatic_codes(params, available_memory_bytes())
    return msgspec.structs.replace(params, quantization_config=codes)


def checked_quantization(value: object, path: str) -> QuantizationConfig | None:
    """Codes that there are; None: nothing is said."""
    if value is None:
        return None
    if not isinstance(value, msgspec.Struct) or not isinstance(value, QuantizationConfig):
        raise InvalidArgumentError(f"{path}: must be a quantization of models, got {value!r}")
    quantization = checked(value, type(value), path)
    _refuse_unsupported_codes(quantization, path)
    return quantization


def checked_graph(value: object, path: str) -> HnswConfigDiff | None:
    """Graphs that there are; None: nothing is said."""
    if value is None:
        return None
    graph = checked(value, HnswConfigDiff, path)
    if graph.m is not None and graph.m != 0 and not GRAPH_M_MIN <= graph.m <= GRAPH_M_MAX:
        limit = f"must be 0 or from {GRAPH_M_MIN} to {GRAPH_M_MAX}"
        raise OutOfBoundsError((f"{path}.m", f"value {graph.m} invalid, {limit}"))
    if graph.on_disk:
        raise UnsupportedError(f"{path}.on_disk: true is not supported, a graph is kept in memory")
    if graph.payload_m:
        raise UnsupportedError(f"{path}.payload_m: graphs of payload values are not supported yet")
    return graph


def checked_metadata(metadata: object) -> dict[str, object] | None:
    """A copy that is JSON."""
    if metadata is None:
        return None
    try:
        copy = msgspec.json.decode(msgspec.json.encode(metadata))
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise InvalidArgumentError(f"metadata: is not JSON: {error}") from error
    if not isinstance(copy, dict):
        raise InvalidArgumentError(f"metadata: must be a JSON object, got {metadata!r}")
    return copy


def path_of_vector(name: str) -> str:
    """What a vector's settings are called in messages."""
    return f"vectors.{name}" if name else "vectors"


def refuse_unsupported(params: VectorParams, path: str) -> None:
    """Refuses settings of a vector that would have no effect."""
    graph = checked_graph(params.hnsw_config, f"{path}.hnsw_config")
    if is_multivector(params) and graph is not None and graph.m != 0:
        raise UnsupportedError(f"{path}.hnsw_config: multivectors have no graph yet, m must be 0")
    _refuse_unsupported_codes(params.quantization_config, f"{path}.quantization_config")


def _refuse_unsupported_codes(quantization: QuantizationConfig | None, path: str) -> None:
    match quantization:
        case ScalarQuantization(scalar=inner):
            kind = "scalar"
        case RabitqQuantization(rabitq=inner):
            kind = "rabitq"
            if inner.bits not in RABITQ_BITS:
                what = f"value {inner.bits} invalid, must be 1, 2, 4 or 8"
                raise OutOfBoundsError((f"{path}.rabitq.bits", what))
        case ProductQuantization(product=inner):
            kind = "product"
        case BinaryQuantization(binary=inner):
            kind = "binary"
        case _:
            return
    if inner.always_ram is False:
        raise UnsupportedError(
            f"{path}.{kind}.always_ram: false is not supported yet, codes are always in memory"
        )
