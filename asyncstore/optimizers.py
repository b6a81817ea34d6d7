"""The optimizer's settings: the store's, and what a collection has of its own."""

from __future__ import annotations

from typing import TypedDict, cast

import msgspec

from asyncstore.bounds import checked
from asyncstore.errors import UnsupportedError
from asyncstore.models import OptimizersConfig, OptimizersConfigDiff

# What the core counts with; what is larger means the same.
KB_MAX = 2**54 - 1
UINT32_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1

# By the settings' names: the core's name, and the largest number there.
_CORE = {
    "deleted_threshold": ("deleted_threshold", 1.0),
    "vacuum_min_vector_number": ("vacuum_min_vector_number", UINT64_MAX),
    "default_segment_number": ("default_segment_number", UINT32_MAX),
    "max_segment_size": ("max_segment_kb", KB_MAX),
    "indexing_threshold": ("indexing_threshold_kb", KB_MAX),
    "flush_interval_sec": ("flush_interval_s", UINT32_MAX),
}


class CoreOptimizers(TypedDict, total=False):
    """In the words of the core."""

    deleted_threshold: float
    vacuum_min_vector_number: int
    default_segment_number: int
    max_segment_kb: int
    indexing_threshold_kb: int
    flush_interval_s: int


def checked_optimizers(value: object, path: str) -> OptimizersConfigDiff | None:
    """What a collection is given of its own; None: nothing.

    Raises:
        InvalidArgumentError: A value has the wrong type or is out of bounds.
        UnsupportedError: A setting would have no effect.
    """
    if value is None:
        return None
    own = checked(value, OptimizersConfigDiff, path)
    if own.max_optimization_threads not in (None, "auto"):
        raise UnsupportedError(
            f"{path}.max_optimization_threads: not supported yet, one segment is made at a time, "
            "by all cores"
        )
    if own.prevent_unoptimized:
        raise UnsupportedError(
            f"{path}.prevent_unoptimized: true is not supported yet, no write waits until segments "
            "are sealed"
        )
    return own


def optimizers_in_force(
    store: OptimizersConfig, own: OptimizersConfigDiff | None
) -> OptimizersConfig:
    """The store's, but for what a collection has of its own."""
    names = (*_CORE, "memmap_threshold")  # "auto" threads are what the store has
    given = {name: getattr(own, name, None) for name in names}
    return msgspec.structs.replace(
        store, **{name: value for name, value in given.items() if value is not None}
    )


def core_optimizers(settings: OptimizersConfig | OptimizersConfigDiff | None) -> CoreOptimizers:
    """What is given of them, as keywords of the core."""
    given = {name: getattr(settings, name, None) for name in _CORE}
    core = {
        _CORE[name][0]: min(value, _CORE[name][1])
        for name, value in given.items()
        if value is not None
    }
    return cast(CoreOptimizers, core)
