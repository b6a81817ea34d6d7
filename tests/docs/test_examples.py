"""The examples of the documentation run: docstrings as doctests, Markdown block by block."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import anyio
import pytest

import asyncstore

ROOT = Path(__file__).parents[2]
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(asyncstore.__path__, "asyncstore.")
    if not name.endswith(("__main__", "_native"))
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", ["asyncstore", *MODULES])
def test_docstrings(name):
    module = importlib.import_module(name)
    failures, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert failures == 0


def blocks():
    for page in PAGES:
        if not page.exists():
            continue
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 2
            # A page may say above a block that it is not a program of its own.
            if text[: match.start()].rstrip().endswith("<!-- not run -->"):
                continue
            name = f"{page.relative_to(ROOT)}:{line}"
            yield pytest.param(match[1], name, id=name)


@pytest.mark.parametrize(("source", "name"), list(blocks()))
def test_pages(source, name, tmp_path, monkeypatch):
    """Each block is a program of its own; ``await`` may stand at its top."""
    monkeypatch.chdir(tmp_path)
    code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    scope = {"__name__": "example"}
    if not code.co_flags & inspect.CO_COROUTINE:
        exec(code, scope)  # brings its own event loop, or needs none
        return

    async def run():
        await eval(code, scope)

    anyio.run(run)


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    found = [
        test
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
        if test.examples
    ]
    assert len(found) >= 4
