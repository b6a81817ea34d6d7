import subprocess
import sys
import tomllib
from pathlib import Path

import asyncstore
from asyncstore import errors, models
from asyncstore.version import __version__

TESTS = Path(__file__).parents[1]
EXPORTED = """
AlreadyExistsError AsyncStoreError Collection CollectionNotFoundError Config CorruptionError
DimensionMismatchError InvalidArgumentError NotFoundError PointNotFoundError StorageIOError Store
StoreClosedError StoreFailedError StoreLockedError UnsupportedError __version__ models open_store
""".split()


def test_exactly_these_names_are_exported():
    assert asyncstore.__all__ == EXPORTED
    for name in EXPORTED:
        assert getattr(asyncstore, name) is not None


def test_every_error_is_exported():
    assert set(errors.__all__) - {"error_from_native"} < set(EXPORTED)


def test_every_model_of_the_package_is_exported():
    assert sorted(models.__all__) == models.__all__
    for name in models.__all__:
        assert hasattr(models, name)


def test_the_version_is_one():
    assert asyncstore.__version__ == __version__ == "0.1.0"


def test_importing_takes_no_more_than_it_needs():
    """The command line's and the configuration file's libraries are imported when they are used."""
    script = (
        "import sys\n"
        "try:\n"
        "    import asyncstore._native\n"
        "except ImportError:\n"
        f"    sys.path.insert(0, {str(TESTS)!r})\n"
        "    import fake_native\n"
        "    sys.modules['asyncstore._native'] = fake_native\n"
        "import asyncstore\n"
        "print(*sorted({'typer', 'rich', 'yaml', 'trio', 'asyncio'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() in ([], ["asyncio"])


def test_every_package_is_installed():
    root = TESTS.parent
    listed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = [path.parent.relative_to(root) for path in (root / "asyncstore").rglob("__init__.py")]
    assert listed == sorted(".".join(folder.parts) for folder in folders)
