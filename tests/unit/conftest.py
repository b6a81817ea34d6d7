import pytest

import asyncstore.engine
import fake_native


@pytest.fixture
def native(monkeypatch):
    """The stand-in for the native core, with no engine opened yet."""
    monkeypatch.setattr(asyncstore.engine, "_native", fake_native)
    fake_native.Engine.opened.clear()
    fake_native.Engine.open_error = None
    return fake_native
