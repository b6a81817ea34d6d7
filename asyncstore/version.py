"""The version, apart from everything else so that a build can read it without the native core."""

__version__ = "0.1.0"
