"""Queries as callers give them, in the core's words; and what is made of several lists."""

from asyncstore.query.examples import Examples, Source
from asyncstore.query.fusion import Fuse, fuse_of
from asyncstore.query.lowering import Sought, lower_query, query_of
from asyncstore.query.order import Order

__all__ = ["Examples", "Fuse", "Order", "Sought", "Source", "fuse_of", "lower_query", "query_of"]
