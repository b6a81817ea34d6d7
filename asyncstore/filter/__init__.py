"""What a filter means: checked, and turned into the core's form."""

from asyncstore.filter.lowering import (
    CONDITION_KEYS,
    CONDITIONS,
    lower,
    lower_condition,
    lower_reading,
)

__all__ = ["CONDITIONS", "CONDITION_KEYS", "lower", "lower_condition", "lower_reading"]
