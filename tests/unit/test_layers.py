"""The imports against the picture in DESIGN.md: each layer uses only those below it."""

import ast
from pathlib import Path

import pytest

import asyncstore

PACKAGE = Path(asyncstore.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# From the lowest layer to the highest. What stands in one line may use each other.
LAYERS = [
    {"version", "errors"},
    {"bounds", "wake", "together", "loopback"},
    {"models"},
    {"config", "automatic", "optimizers", "log_settings"},
    {"engine"},
    {
        "names",
        "pace",
        "settings",
        "ids",
        "vectors",
        "ragged",
        "sparse",
        "multivectors",
        "payload",
        "members",
    },
    {"aliases", "settings_changes", "batch", "rows", "search_plan", "filter", "query", "grouping"},
    {"window", "progress", "text_schema"},
    {"field_schema"},
    {"info"},
    {"selection"},
    {"operation", "batch_update"},
    {"archive"},
    {"snapshot_files"},
    {"snapshot_locations", "snapshot_contents"},
    {"snapshots"},
    {"handle"},
    {"reads", "writes", "payload_writes"},
    {"asked"},
    {"hits"},
    {"payload_indexes", "queries"},
    {"groups", "matrix"},
    {"collection"},
    {"store"},
    {"__init__"},
    {"sample", "server"},
    {"testing"},
    {"cli"},
    {"__main__"},
]


def layer_of(name: str) -> int:
    (number,) = (number for number, layer in enumerate(LAYERS) if name in layer)
    return number


def imports_of(file: Path) -> set[str]:
    """The names of asyncstore's own modules that a file imports, without "asyncstore."."""
    imported = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "asyncstore":
            imported |= {f"asyncstore.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            imported.add(node.module)
    return {
        name.removeprefix("asyncstore.").split(".")[0]
        for name in imported
        if name.startswith("asyncstore.")
    }


def own_name(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_file_imports_its_own_layer_and_those_below(file):
    known = set().union(*LAYERS)
    for name in imports_of(file) & known:
        assert layer_of(name) <= layer_of(own_name(file)), f"{file} imports asyncstore.{name}"


def test_only_the_engine_imports_the_native_core():
    importers = {own_name(file) for file in FILES if "_native" in imports_of(file)}
    assert importers == {"engine"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_are_not_named_for_nothing(file):
    assert file.stem not in {"utils", "helpers", "common", "manager", "misc"}
