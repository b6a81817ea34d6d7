"""A server under load is killed twice; ``make soak`` does it for long."""

import os
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).with_name("soak.py")


def test_a_server_that_is_killed_under_load_loses_nothing():
    command = [
        sys.executable,
        str(SOAK),
        "--minutes",
        "0.05",
        "--connections",
        "60",
        "--kills",
        "2",
    ]
    environment = os.environ | {"PYTHONPATH": str(SOAK.parent.parent)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kills" in done.stdout
