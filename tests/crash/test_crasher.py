"""A few kills in every run; `make crash` does two hundred."""

import subprocess
import sys
from pathlib import Path

CRASHER = Path(__file__).parent / "crasher.py"


def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path):
    command = [sys.executable, str(CRASHER), "--kills", "12", "--seed", "1", "--every", "4"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 kills" in done.stdout.splitlines()[-1]
