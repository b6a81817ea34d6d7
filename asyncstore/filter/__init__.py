"""What a filter means: checked, and turned into the core's form."""

from asyncstore.filter.lowering import lower, lower_reading

__all__ = ["lower", "lower_reading"]
