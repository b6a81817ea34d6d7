"""Two minutes of kills in every run; `make crash` does two hundred, or any number."""

import os
import re
import subprocess
import sys
from pathlib import Path

CRASHER = Path(__file__).parent / "crasher.py"
MINUTES = os.environ.get("ASYNCSTORE_CRASH_MINUTES", "2")
SEED = os.environ.get("ASYNCSTORE_CRASH_SEED", "1")


def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path):
    command = [sys.executable, str(CRASHER), "--minutes", MINUTES, "--seed", SEED]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=float(MINUTES) * 60 + 300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (kills,) = re.findall(r"seed \S+ (\d+) kills", done.stdout.splitlines()[-1])
    assert int(kills) >= 10
