"""Qdrant's old client and what others built on its client, each in an environment of its own.

Their packages want other versions than ours do, so they run beside us: a server is started as
anybody starts it, and the environment's own pytest runs the flows of one client over its socket.
"""

import os
import subprocess
from pathlib import Path

import pytest

import uring
from serving import running_server

ROOT = Path(__file__).parents[2]
FLOWS_FOLDER = Path(__file__).parent / "flows"
# The environments, as the Makefile calls them, and what runs in them.
FLOWS = [
    ("old-client", "article_flow.py"),
    ("clients", "langchain_flow.py"),
    ("clients", "llama_index_flow.py"),
    ("clients", "haystack_flow.py"),
]
# As in the article on Qdrant 1.3. (It indents by tabs, which is no YAML.)
CONFIG = """
storage:
    # enable the async scorer which uses io_uring
    async_scorer: {async_scorer}
    temp_path: {temp_path}
"""


def python_of(environment: str) -> Path:
    """The environment's interpreter; skips the test where there is none."""
    if not (ROOT / ".stamps" / environment).exists():
        pytest.skip(f".venv-{environment} could not be made; `make clients` tries, and says why")
    return ROOT / f".venv-{environment}" / "bin" / "python"


@pytest.fixture(scope="module")
def async_scorer():
    """As in the article; where io_uring does not work, that would be refused."""
    return "true" if uring.refusal() is None else "auto"


@pytest.mark.parametrize(("environment", "flow"), FLOWS, ids=[flow for _, flow in FLOWS])
def test_flow(tmp_path, async_scorer, environment, flow):
    python, temp = python_of(environment), tmp_path / "temp"
    temp.mkdir()
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(async_scorer=async_scorer, temp_path=temp))
    with running_server(tmp_path / "store", "--config", str(config)) as server:
        command = [python, "-I", "-m", "pytest", "-q", "-c", FLOWS_FOLDER / "flows.ini"]
        done = subprocess.run(
            [*command, "--confcutdir", FLOWS_FOLDER, FLOWS_FOLDER / flow],
            env=os.environ
            | {"ASYNCSTORE_TEST_URL": server.url, "ASYNCSTORE_TEST_TEMP_PATH": str(temp)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
