"""What the flows are told of the server that test_clients.py has started for them."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def url() -> str:
    """Where it listens."""
    return os.environ["ASYNCSTORE_TEST_URL"]


@pytest.fixture(scope="session")
def temp_path() -> Path:
    """Its ``storage.temp_path``."""
    return Path(os.environ["ASYNCSTORE_TEST_TEMP_PATH"])
