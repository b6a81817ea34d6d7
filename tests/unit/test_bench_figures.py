from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.compare import cage, figures, meter, trial
from bench.compare.engine import Setting
from bench.compare.trial import Trial


def phase(**changed):
    return {
        "way": "asyncio",
        "inflight": 16,
        "recall": 0.97,
        "qps": 100.0,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "cpu_ms": 0.5,
        "reads": 11.0,
        "read_bytes": 2048.0,
        "resident_bytes": 1 << 20,
        "resident_anonymous_bytes": 1 << 19,
        **changed,
    }


def tried(cap_mib=500, warm=False):
    engine = SimpleNamespace(name="one")
    return Trial(engine, Setting("s", "b"), warm=warm, cap_mib=cap_mib)


def flat(number, steady=True, **changed):
    result = {"device_steady": steady, "phases": [phase(**changed)]}
    return figures.flat(tried(), number, result)


BUILT = [{"engine": "one", "build": "b", "build_s": 3.0, "disk_bytes": 4 << 20}]


def test_a_row_is_the_median_of_its_rounds():
    rows = flat(0, qps=100.0) + flat(1, qps=300.0) + flat(2, qps=110.0)
    (row,) = figures.summary(rows, BUILT)
    assert (row["qps"], row["rounds"], row["steady"]) == (110.0, 3, True)
    assert (row["read_kib"], row["disk_mib"], row["build_s"]) == (2.0, 4.0, 3.0)


def test_rounds_with_another_disk_are_thrown_away():
    rows = flat(0, qps=100.0) + flat(1, steady=False, qps=1.0)
    (row,) = figures.summary(rows, BUILT)
    assert (row["qps"], row["rounds"]) == (100.0, 1)


def test_a_row_without_a_steady_round_says_so():
    rows = flat(0, steady=False)
    told = {
        "corpus": "real",
        "rows": 10,
        "dim": 4,
        "machine": {"cores": 2},
        "builds": BUILT,
        "trials": rows,
        "summary": figures.summary(rows, BUILT),
    }
    page = figures.page(told)
    assert "| 1 ? |" in page
    assert "## cold, cap 500 MiB" in page


def test_failures_are_told_once_and_have_no_row():
    rows = [
        row
        for number in range(2)
        for row in figures.flat(tried(), number, {"failure": "killed under a cap of 500 MiB"})
    ]
    assert figures.summary(rows, BUILT) == []
    told = {
        "corpus": "real", "rows": 10, "dim": 4, "machine": {}, "builds": BUILT,
        "trials": rows, "summary": [],
    }  # fmt: skip
    assert figures.page(told).count("- one, s: killed under a cap of 500 MiB") == 1


def test_a_trial_without_an_answer_has_a_line():
    (row,) = figures.flat(tried(), 0, {"phases": [{"way": "threads", "inflight": 1}]})
    assert "no query answered" in figures.trial_line(row)
    assert "0.970" in figures.trial_line(flat(0)[0])


@pytest.mark.parametrize(
    ("more", "kept"),
    [(True, [(0.90, 9), (0.95, 8), (0.99, 2)]), (False, [(0.80, 1), (0.99, 2)])],
)
def test_points_that_none_beats(more, kept):
    points = [(0.80, 1), (0.90, 9), (0.93, 3), (0.95, 8), (0.99, 2), (0.99, 2.5 - more)]
    assert figures.unbeaten(points, more=more) == kept


@pytest.mark.parametrize(
    ("lines", "group"),
    [
        (["0::/user/one"], (Path("/sys/fs/cgroup/user/one"), 2)),
        (["4:memory:/jobs/one", "0::/"], (Path("/sys/fs/cgroup/memory/jobs/one"), 1)),
        (["3:cpu,memory:/", "1:pids:/a"], (Path("/sys/fs/cgroup/memory"), 1)),
    ],
)
def test_the_group_of_a_process(lines, group):
    found = cage.group_of(lines)
    assert (found.folder, found.version) == group


def test_a_process_without_a_memory_group():
    assert cage.group_of(["1:pids:/a"]) is None


def test_without_a_cap_the_command_is_as_it_was():
    with cage.capped(["true"], None) as command:
        assert command == ["true"]


@pytest.mark.parametrize("returncode", [-9, 137])
def test_a_killed_worker_names_its_cap(returncode):
    assert "cap of 64 MiB" in trial.failure(returncode, "", 64)
    assert "cap" not in trial.failure(returncode, "", None)


def test_another_failure_says_its_last_words():
    assert trial.failure(1, "Traceback\nValueError: no\n", None) == "exit 1: ValueError: no"


def test_an_engine_whose_python_is_missing_is_not_installed(monkeypatch, tmp_path):
    class Missing:
        environment = "missing"

    monkeypatch.setitem(trial.PYTHONS, "missing", tmp_path / "python")
    result = trial._work(Missing(), {}, None, 1)
    assert result["failure"].startswith("not installed")


def test_reads_are_the_share_of_the_bytes():
    counted = meter.Counters(
        1, 1, 0, process_read_bytes=400, device_reads=10, device_read_bytes=800
    )
    assert counted.reads == 5
    assert counted.since(counted).reads == 0


def test_fields_of_a_status():
    assert meter.fields("Name:\tx\nVmRSS:\t  12 kB\nread_bytes: 7\n") == {
        "VmRSS": 12,
        "read_bytes": 7,
    }
