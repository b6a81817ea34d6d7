"""The engines of the comparison by name; a file for each."""

import importlib

from bench.compare.engine import Engine

NAMES = ("asyncstore", "qdrant_edge", "lancedb", "zvec", "diskann", "faiss")


def engine(name: str) -> Engine:
    """The adapter of that name; what it adapts need not be installed."""
    module = importlib.import_module(f"bench.compare.engines.{name}")
    made: Engine = module.ENGINE()
    return made
