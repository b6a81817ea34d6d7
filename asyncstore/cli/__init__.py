"""The command ``asyncstore``: a demo, an import, and looks at a store from outside.

This file imports nothing that the ``cli`` extra brings, so that it can say what is missing.
"""

from __future__ import annotations

import importlib.util
import sys


def main() -> None:
    """Runs the command line; what the console script and ``python -m asyncstore`` call."""
    missing = [name for name in ("typer", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(
            f"error: the command line needs {' and '.join(missing)}: pip install 'asyncstore[cli]'"
        )
    from asyncstore.cli.app import app

    app()
