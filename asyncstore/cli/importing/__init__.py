"""``asyncstore import``: points from .npy, Parquet and HDF5 files, resumable.

``command`` is the line that an import goes; ``files`` opens what is to be read, each kind in a file
of its own; ``bookmark`` keeps how far an import is.
"""
