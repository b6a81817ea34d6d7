"""The command line as a program: how it is started."""

import sys

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "COLUMNS": "120", "PYTHONPATH": ":".join(sys.path)}


def program(*arguments):
    return [sys.executable, "-m", "asyncstore", *map(str, arguments)]
