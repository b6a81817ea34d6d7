"""Queries as callers give them, in the core's words; and what is made of several lists."""

from asyncstore.query.evaluation import Candidate
from asyncstore.query.examples import Source, examples_of
from asyncstore.query.formula import Formula, lower_formula
from asyncstore.query.fusion import Fuse, fuse_of
from asyncstore.query.lowering import Sought, lower_query, query_of
from asyncstore.query.mmr import Diverse
from asyncstore.query.order import Order

__all__ = [
    "Candidate",
    "Diverse",
    "Formula",
    "Fuse",
    "Order",
    "Sought",
    "Source",
    "examples_of",
    "fuse_of",
    "lower_formula",
    "lower_query",
    "query_of",
]
