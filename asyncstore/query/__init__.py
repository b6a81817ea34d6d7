"""Queries as callers give them, in the core's words; and what is made of several lists."""

from asyncstore.query.examples import Examples, Source
from asyncstore.query.fusion import Fuse, fuse_of
from asyncstore.query.lowering import Sought, lower_query, query_of

__all__ = ["Examples", "Fuse", "Sought", "Source", "fuse_of", "lower_query", "query_of"]
