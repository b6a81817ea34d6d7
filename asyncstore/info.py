"""What ``Collection.info`` says: what is in force, and what was set exactly as it was set."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import msgspec

from asyncstore.field_schema import index_info
from asyncstore.log_settings import log_in_force
from asyncstore.models import (
    CollectionConfig,
    CollectionInfo,
    CollectionParams,
    CollectionStatistics,
    CollectionStatus,
    OptimizersConfig,
)
from asyncstore.optimizers import optimizers_in_force
from asyncstore.settings import UNNAMED, CollectionSettings


def collection_info(
    statistics: CollectionStatistics,
    settings: CollectionSettings,
    optimizers: OptimizersConfig,
    indexes: Sequence[tuple[str, str, bytes, int | None]],
) -> CollectionInfo:
    """Puts state and settings together.

    Args:
        statistics: The collection's.
        settings: Those in force.
        optimizers: The store's.
        indexes: Of each payload index the field, the kind, its parameters and the points with a
            value.
    """
    vectors = settings.vectors
    is_idle = statistics.optimizer.state == statistics.indexing.state == "idle"
    return CollectionInfo(
        status=CollectionStatus.GREEN if is_idle else CollectionStatus.YELLOW,
        optimizer_status="ok",
        points_count=statistics.points,
        indexed_vectors_count=statistics.indexed_vectors,
        segments_count=statistics.segments,
        config=CollectionConfig(
            params=CollectionParams(
                vectors=vectors[UNNAMED] if settings.has_unnamed_vector else (vectors or None),
                sparse_vectors=settings.sparse_vectors or None,
            ),
            hnsw_config=settings.graph,
            optimizer_config=optimizers_in_force(optimizers, settings.optimizers_config),
            wal_config=log_in_force(settings.wal_config),
            quantization_config=settings.quantization_config,
            metadata=msgspec.UNSET
            if settings.metadata is None
            else copy.deepcopy(settings.metadata),
        ),
        payload_schema={
            field: index_info(kind, given, points) for field, kind, given, points in indexes
        },
    )
