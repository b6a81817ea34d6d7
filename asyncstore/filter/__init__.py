"""What a filter means: checked, and turned into the core's form."""

from asyncstore.filter.lowering import (
    CONDITION_KEYS,
    CONDITIONS,
    having_ids,
    lower,
    lower_condition,
    lower_reading,
)

__all__ = [
    "CONDITIONS",
    "CONDITION_KEYS",
    "having_ids",
    "lower",
    "lower_condition",
    "lower_reading",
]
