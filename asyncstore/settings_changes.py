"""The arguments of ``update_collection``, checked and merged into a collection's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypeVar

import msgspec

from asyncstore import models as m
from asyncstore.bounds import checked
from asyncstore.errors import InvalidArgumentError, UnsupportedError
from asyncstore.models.quantization import decode_quantization
from asyncstore.optimizers import checked_optimizers
from asyncstore.settings import (
    CollectionSettings,
    checked_graph,
    checked_metadata,
    checked_quantization,
    checked_sparse_params,
    path_of_vector,
    refuse_unsupported,
)

T = TypeVar("T")
D = TypeVar("D", bound=msgspec.Struct)


Codes: TypeAlias = m.QuantizationConfig | m.Disabled


class VectorChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``VectorParamsDiff`` says."""

    hnsw_config: m.HnswConfigDiff | None
    quantization_config: Codes | None
    on_disk: bool | None


class SettingsChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What ``update_collection`` was given, with every type right; None: left as it is."""

    vectors: dict[str, VectorChanges] = {}
    sparse_vectors: dict[str, m.SparseVectorParams] = {}
    hnsw_config: m.HnswConfigDiff | None = None
    optimizers_config: m.OptimizersConfigDiff | None = None
    quantization_config: Codes | None = None
    metadata: dict[str, object] = {}

    def merged(self, settings: CollectionSettings) -> CollectionSettings:
        """The settings with these changes.

        Raises:
            InvalidArgumentError: There is no vector of a name.
            UnsupportedError: A setting would have no effect yet: other codes or graphs above all.
        """
        merged = msgspec.structs.replace(
            settings,
            vectors=settings.vectors
            | {
                name: _changed_vector(_named(settings.vectors, name), diff)
                for name, diff in self.vectors.items()
            },
            sparse_vectors=settings.sparse_vectors
            | {
                name: _overlaid(_named(settings.sparse_vectors, name), params)
                for name, params in self.sparse_vectors.items()
            },
            hnsw_config=_overlaid(settings.hnsw_config, self.hnsw_config),
            optimizers_config=_overlaid(settings.optimizers_config, self.optimizers_config),
            quantization_config=_replaced(settings.quantization_config, self.quantization_config),
            metadata=_merged_metadata(settings.metadata, self.metadata),
        )
        for name in self.vectors:
            refuse_unsupported(merged.vectors[name], path_of_vector(name))
        if merged.codes_and_graphs() != settings.codes_and_graphs():
            raise UnsupportedError(
                "hnsw_config, quantization_config: other codes or graphs of a collection that is "
                "there are not supported yet; make another one, and let an alias go over to it"
            )
        return merged


def checked_changes(
    *,
    vectors: object,
    sparse_vectors: object,
    optimizers_config: object,
    params: object,
    hnsw_config: object,
    quantization_config: object,
    metadata: object,
) -> SettingsChanges:
    """Checks the arguments of ``update_collection`` by themselves.

    Raises:
        InvalidArgumentError: A value has the wrong type or is out of bounds.
        UnsupportedError: A setting would have no effect.
    """
    if params is not None:
        _check_params(checked(params, m.CollectionParamsDiff, "params"))
    return SettingsChanges(
        vectors={
            name: _checked_vector(diff, path_of_vector(name))
            for name, diff in _items(vectors, "vectors")
        },
        sparse_vectors={
            name: checked_sparse_params(one, f"sparse_vectors.{name}")
            for name, one in _items(sparse_vectors, "sparse_vectors")
        },
        hnsw_config=checked_graph(hnsw_config, "hnsw_config"),
        optimizers_config=checked_optimizers(optimizers_config, "optimizers_config"),
        quantization_config=_checked_codes(quantization_config, "quantization_config"),
        metadata=checked_metadata(metadata) or {},
    )


def _check_params(params: m.CollectionParamsDiff) -> None:
    if params.on_disk_payload is False:
        raise UnsupportedError("params.on_disk_payload: payload in memory is not supported yet")
    for name in ("replication_factor", "write_consistency_factor"):
        value = getattr(params, name)
        if value is not None and value != 1:
            raise UnsupportedError(f"params.{name}: value {value}, but a store has no replicas")
    for name in ("read_fan_out_factor", "read_fan_out_delay_ms"):
        if getattr(params, name):
            raise UnsupportedError(f"params.{name}: not supported, a store has no replicas")


def _checked_vector(given: object, path: str) -> VectorChanges:
    # The codes apart: a union of them and a word is none that msgspec takes.
    if isinstance(given, m.VectorParamsDiff):
        given = {name: getattr(given, name) for name in given.__struct_fields__}
    if not isinstance(given, Mapping):
        raise InvalidArgumentError(f"{path}: must be a VectorParamsDiff, got {given!r}")
    others = {name: value for name, value in given.items() if name != "quantization_config"}
    diff = checked(others, m.VectorParamsDiff, path)
    return VectorChanges(
        hnsw_config=checked_graph(diff.hnsw_config, f"{path}.hnsw_config"),
        quantization_config=_checked_codes(
            given.get("quantization_config"), f"{path}.quantization_config"
        ),
        on_disk=diff.on_disk,
    )


def _checked_codes(given: object, path: str) -> Codes | None:
    if given == m.Disabled.DISABLED:
        return m.Disabled.DISABLED
    if isinstance(given, Mapping):
        try:
            given = decode_quantization(m.QuantizationConfig, dict(given))
        except (ValueError, msgspec.ValidationError) as error:
            raise InvalidArgumentError(f"{path}: {error}") from error
    return checked_quantization(given, path)


def _items(given: object, path: str) -> Iterable[tuple[str, object]]:
    if given is None:
        return ()
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise InvalidArgumentError(f"{path}: must be a dict by the vectors' names, got {given!r}")
    return given.items()


def _named(vectors: Mapping[str, T], name: str) -> T:
    if name not in vectors:
        raise InvalidArgumentError(f"Not existing vector name error: {name}")
    return vectors[name]


def _changed_vector(params: m.VectorParams, diff: VectorChanges) -> m.VectorParams:
    return msgspec.structs.replace(
        params,
        hnsw_config=_overlaid(params.hnsw_config, diff.hnsw_config),
        quantization_config=_replaced(params.quantization_config, diff.quantization_config),
        on_disk=params.on_disk if diff.on_disk is None else diff.on_disk,
    )


def _replaced(
    codes: m.QuantizationConfig | None, change: Codes | None
) -> m.QuantizationConfig | None:
    if change is None:
        return codes
    return None if isinstance(change, m.Disabled) else change


def _overlaid(settings: D | None, diff: D | None) -> D | None:
    """What the diff says where it says something."""
    if settings is None or diff is None:
        return settings if diff is None else diff
    given = {name: getattr(diff, name) for name in diff.__struct_fields__}
    return msgspec.structs.replace(
        settings, **{name: value for name, value in given.items() if value is not None}
    )


def _merged_metadata(
    metadata: dict[str, object] | None, changes: dict[str, object]
) -> dict[str, object] | None:
    """By the keys at the top; null takes one away."""
    merged = {
        key: value for key, value in ((metadata or {}) | changes).items() if value is not None
    }
    return merged or None
