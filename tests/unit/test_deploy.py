"""What is in deploy/ says what is so."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml

from asyncstore import Config

DEPLOY = Path(__file__).parents[2] / "deploy"
EXAMPLE = DEPLOY / "config.yaml"
URING_CALLS = {"io_uring_setup", "io_uring_enter", "io_uring_register"}


def flat(tree, path=""):
    """Each setting by its path."""
    settings = {}
    for key, value in tree.items():
        is_branch = isinstance(value, dict)
        settings |= flat(value, f"{path}{key}.") if is_branch else {f"{path}{key}": value}
    return settings


def test_the_example_has_every_setting_at_its_default():
    expected = flat(msgspec.to_builtins(Config()))
    expected["storage.storage_path"] = "/var/lib/asyncstore/storage"
    assert flat(msgspec.to_builtins(Config.load(EXAMPLE, environment={}))) == expected
    assert set(flat(yaml.safe_load(EXAMPLE.read_text()))) == set(expected)


def test_every_setting_of_the_example_is_commented():
    before = ""
    for line in EXAMPLE.read_text().splitlines():
        if re.match(r" *\w+: *\S", line):
            assert before.lstrip().startswith("#"), line
        before = line


def settings_of_unit():
    pairs = re.findall(r"^(\w+)=(.*)$", (DEPLOY / "asyncstore.service").read_text(), re.MULTILINE)
    return {name: [value for key, value in pairs if key == name] for name, _ in pairs}


def test_the_unit_lets_io_uring_through():
    allowed = settings_of_unit()["SystemCallFilter"][0].split()
    assert set(allowed) >= URING_CALLS


def test_the_unit_waits_for_requests_longer_than_they_may_take():
    (stop_s,) = settings_of_unit()["TimeoutStopSec"]
    assert int(stop_s) > Config().service.body_timeout_s


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path):
    unit = tmp_path / "asyncstore.service"
    text = (DEPLOY / "asyncstore.service").read_text()
    # It looks for the program, which is not installed there.
    unit.write_text(text.replace("/opt/asyncstore/bin/asyncstore", sys.executable))
    command = ["systemd-analyze", "verify", "--man=no", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    about_unit = [line for line in done.stderr.splitlines() if "asyncstore" in line]
    assert (done.returncode, about_unit) == (0, [])


def test_the_image_has_what_a_build_needs():
    """The packages of the Makefile, but for those that tests alone need and the image's Python."""
    makefile = (DEPLOY.parent / "Makefile").read_text()
    (packages,) = re.findall(r"^PACKAGES := ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    needed = set(packages.replace("\\\n", " ").split())
    needed -= {"make", "python3-dev", "python3-venv", "doctest-dev"}
    assert needed <= set((DEPLOY / "Containerfile").read_text().split())


def test_the_profile_of_the_readme_has_the_three_calls():
    assert all(f'"{call}"' in (DEPLOY / "README.md").read_text() for call in URING_CALLS)
