"""The command line, as a program: what it prints, for people and for machines, and how it fails."""

import json
import subprocess
import sys

import anyio
import numpy as np
import pytest

import asyncstore
from asyncstore.version import __version__


@pytest.fixture
def numbers(tmp_path):
    vectors = np.random.default_rng(1).standard_normal((3000, 16)).astype(np.float16)
    np.save(tmp_path / "vectors.npy", vectors)
    np.save(tmp_path / "ids.npy", np.arange(3000) * 2)
    return vectors


def test_version_and_help(run):
    assert run("--version").stdout.strip() == f"asyncstore {__version__}"
    help_text = run("--help").stdout
    for command in ("demo", "import", "info", "check", "bench"):
        assert command in help_text


def test_import_info_check(run, numbers):
    text = run("import", "vectors.npy", "--collection", "docs", "--ids", "ids.npy").stdout
    assert "3,000 points of 16 dimensions" in text
    report = json.loads(
        run(
            *("import", "vectors.npy", "--collection", "plain", "--distance", "Euclid"),
            *("--quantization", "none", "--store", "storage", "--json"),
        ).stdout
    )
    assert (report["collection"], report["points"], report["dim"]) == ("plain", 3000, 16)

    assert "3,000" in run("info").stdout
    info = json.loads(run("info", "--json").stdout)
    docs, plain = info["collections"]
    assert (docs["name"], docs["info"]["points_count"]) == ("docs", 3000)
    assert docs["info"]["config"]["params"]["vectors"]["distance"] == "Cosine"
    assert docs["info"]["config"]["quantization_config"]["scalar"]["type"] == "int8"
    assert plain["info"]["config"]["params"]["vectors"]["distance"] == "Euclid"
    assert plain["info"]["config"]["quantization_config"] is None
    assert info["statistics"]["reader"] in ("io_uring", "mmap")

    assert "every checksum is right" in run("check").stdout
    assert json.loads(run("check", "--json").stdout) == [
        {"collection": "docs", "findings": []},
        {"collection": "plain", "findings": []},
    ]

    bench = run("bench", "--store", "storage", "--collection", "docs", "--searches", 30, "--json")
    measurements = json.loads(bench.stdout)["measurements"]
    assert {one["cache"] for one in measurements} == {"cold", "warm"}
    assert all(one["searches"] == 30 for one in measurements)

    of_docs = ("--store", "storage", "--collection", "docs", "--searches", 30)
    measurements = json.loads(run("bench", "filters", *of_docs, "--json").stdout)["measurements"]
    assert [one["share"] for one in measurements] == [1.0, 0.5, 0.1, 0.01, 0.001]
    for one in measurements:
        assert one["points"] == pytest.approx(3000 * one["share"], abs=100)
        assert one["recall"] > 0.9
        assert one["searches_per_s"] > 0
    assert "recall@10" in run("bench", "filters", *of_docs).stdout


def test_a_second_import_adds_to_the_collection(run, numbers, tmp_path):
    run("import", "vectors.npy", "--collection", "docs")
    np.save(tmp_path / "more.npy", numbers[:10].astype(np.float32))
    np.save(tmp_path / "more_ids.npy", np.arange(10) + 10_000)
    run("import", "more.npy", "--collection", "docs", "--ids", "more_ids.npy")
    (docs,) = json.loads(run("info", "--json").stdout)["collections"]
    assert docs["info"]["points_count"] == 3010


def test_import_with_payload(run, numbers, tmp_path):
    rows = [{"n": number, "text": "ä" * (number % 9)} for number in range(3000)]
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    run("import", "vectors.npy", "--collection", "docs", "--payload", "rows.jsonl")

    async def payloads():
        async with asyncstore.open_store(tmp_path / "storage") as store:
            records, _ = await (await store.get_collection("docs")).scroll(limit=3000)
            return [record.payload for record in records]

    assert anyio.run(payloads) == rows
    (docs,) = json.loads(run("info", "--json").stdout)["collections"]
    assert docs["statistics"]["disk_bytes"]["payload"] > 0
    assert docs["statistics"]["ram_bytes"]["payload"] > 0
    assert "payload" in run("info").stdout

    (tmp_path / "bad.jsonl").write_text("\n".join([*lines[:2999], "[1]"]))
    result = run("import", "vectors.npy", "--collection", "x", "--payload", "bad.jsonl", code=1)
    assert "bad.jsonl, row 3000: is no JSON object" in result.stderr
    (tmp_path / "short.jsonl").write_text("\n".join(lines[:7]))
    result = run("import", "vectors.npy", "--collection", "y", "--payload", "short.jsonl", code=1)
    assert "short.jsonl: has 7 rows, must be as many as there are vectors, 3000" in result.stderr
    result = run("import", "vectors.npy", "--collection", "y", "--payload", "none.jsonl", code=1)
    assert "none.jsonl" in result.stderr


def test_check_finds_a_damaged_byte(run, numbers, tmp_path):
    run("import", "vectors.npy", "--collection", "docs")
    files = [file for file in (tmp_path / "storage").rglob("*") if file.is_file()]
    largest = max(
        (file for file in files if "wal" not in str(file.relative_to(tmp_path)).lower()),
        key=lambda file: file.stat().st_size,
    )
    with largest.open("r+b") as file:
        file.seek(20_000)
        byte = file.read(1)[0]
        file.seek(20_000)
        file.write(bytes([byte ^ 1]))
    result = run("check", "--json", code=1)
    (docs,) = json.loads(result.stdout)
    assert any(finding["severity"] == "error" for finding in docs["findings"])
    assert "error" in run("check", code=1).stdout

    # A vector is held once, so a repair cannot help; what can be done is said.
    text = run("check", "--repair", "--json", code=1).stdout
    (docs,) = json.loads(text)
    (lost,) = docs["findings"]
    assert (lost["severity"], lost["repairable"], lost["repaired"]) == ("error", False, False)
    assert "of point" in lost["text"]
    assert "--repair would" not in run("check", code=1).stdout


def test_check_finds_damaged_aliases(run, numbers, tmp_path):
    run("import", "vectors.npy", "--collection", "docs")

    async def make_alias():
        async with asyncstore.open_store(tmp_path / "storage") as store:
            action = {"create_alias": {"collection_name": "docs", "alias_name": "a"}}
            await store.update_aliases([action])

    anyio.run(make_alias)
    assert json.loads(run("check", "--json").stdout) == [{"collection": "docs", "findings": []}]
    path = tmp_path / "storage" / "collections" / "ALIASES"
    path.write_bytes(path.read_bytes()[:-1])
    docs, of_store = json.loads(run("check", "--repair", "--json", code=1).stdout)
    assert docs == {"collection": "docs", "findings": []}
    assert of_store["collection"] == ""
    (finding,) = of_store["findings"]
    assert (finding["severity"], finding["repairable"]) == ("error", False)
    assert finding["file"].endswith("collections/ALIASES")


def test_check_repairs_what_is_held_twice(run, numbers, tmp_path):
    rows = "\n".join(json.dumps({"n": number}) for number in range(3000))
    (tmp_path / "rows.jsonl").write_text(rows)
    run("import", "vectors.npy", "--collection", "docs", "--payload", "rows.jsonl")
    (tracker,) = (tmp_path / "storage").rglob("tracker")

    def damage():
        with tracker.open("r+b") as file:
            file.seek(4096 + 100)
            file.write(b"damaged")

    damage()
    for _ in range(2):
        result = run("check", code=1)
        assert "error" in result.stdout
        assert result.stdout.rstrip().endswith("--repair would mend 1 of 1.")
    result = run("check", "--repair")
    assert "repaired" in result.stdout
    assert "error" not in result.stdout
    assert "every checksum is right" in run("check").stdout

    damage()
    (docs,) = json.loads(run("check", "--repair", "--json").stdout)
    (finding,) = docs["findings"]
    assert (finding["severity"], finding["repairable"], finding["repaired"]) == ("note", True, True)
    assert json.loads(run("check", "--json").stdout) == [{"collection": "docs", "findings": []}]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["info", "--store", "nowhere"], "nowhere: there is no store"),
        (["check", "--store", "nowhere"], "nowhere: there is no store"),
        (["bench", "--store", "nowhere", "--collection", "x"], "nowhere: there is no store"),
        (["bench", "--collection", "x"], "--store"),
        (["bench", "filters", "--store", "nowhere", "--collection", "x"], "nowhere: there is no"),
        (["import", "nothing.npy", "--collection", "x"], "nothing.npy"),
        (["import", "text.npy", "--collection", "x"], "text.npy: is not a .npy file"),
        (["import", "flat.npy", "--collection", "x"], r"(n, dim)"),
        (["import", "vectors.npy", "--collection", "x", "--ids", "flat.npy"], "flat.npy"),
        (["import", "vectors.npy", "--collection", "a/b"], "collection_name"),
        (["import", "vectors.npy", "--collection", "x", "--config", "bad.yaml"], "storge"),
        (["demo", "--data", "nowhere"], "nowhere has no vectors.f16.npy"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_are_one_line_and_code_1(run, numbers, tmp_path, arguments, sentence):
    (tmp_path / "text.npy").write_text("text")
    (tmp_path / "bad.yaml").write_text("storge: {}")
    np.save(tmp_path / "flat.npy", np.zeros(7))
    result = run(*arguments, code=1)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert sentence in lines[0]
    assert "Traceback" not in result.stderr


def test_wrong_dimensions_are_said(run, numbers, tmp_path):
    run("import", "vectors.npy", "--collection", "docs")
    np.save(tmp_path / "wide.npy", np.zeros((3, 17), np.float32))
    result = run("import", "wide.npy", "--collection", "docs", code=1)
    assert "vector has 17 dimensions, collection 'docs' has 16" in result.stderr


def test_the_demo_finds_texts_and_measures_both_readers(run, tmp_path, uring_refusal):
    report = json.loads(run("demo", "--json").stdout)
    assert report["points"] == 5000
    assert len(report["answers"]) == 3
    for answer in report["answers"]:
        assert all(found["text"]["text"] for found in answer["found"])
    narrowed = report["narrowed"]
    assert [found["text"]["registry"] for found in narrowed["filtered"]] == ["npm"] * 3
    assert {
        name: [found["text"]["registry"] for found in best]
        for name, best in narrowed["groups"].items()
    } == {"npm": ["npm"], "pypi": ["pypi"]}
    examples = {narrowed["positive"]["text"]["name"], narrowed["negative"]["text"]["name"]}
    assert len(narrowed["discovered"]) == 3
    for found in narrowed["discovered"]:
        assert found["score"] > 1  # on the side of the positive example
        assert found["text"]["name"] not in examples
    readers = {one["reader"] for one in report["measurements"]}
    assert readers == ({"io_uring", "mmap"} if uring_refusal is None else {"mmap"})
    assert all(one["recall"] >= 0.99 for one in report["measurements"])
    assert list(tmp_path.iterdir()) == []
    text = run("demo").stdout
    for word in (
        "Import",
        "Search",
        "Narrow it down",
        "How fast",
        "recall@10",
        "cold",
        "warm",
        "posix_fadvise",
    ):
        assert word in text


def test_without_the_extra_the_message_names_it(tmp_path):
    script = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = ("
        "    lambda name: None if name in ('typer', 'rich') else find(name))\n"
        "from asyncstore.cli import main\n"
        "main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
    )
    assert result.returncode == 1
    assert "pip install 'asyncstore[cli]'" in result.stderr


def test_snapshots_are_made_listed_and_restored(run, numbers, tmp_path):
    run("import", "vectors.npy", "--collection", "docs", "--store", "s", "--ids", "ids.npy")
    whole = json.loads(run("snapshot", "create", "--store", "s", "--json").stdout)
    of_docs = ("--store", "s", "--collection", "docs")
    one = json.loads(run("snapshot", "create", *of_docs, "--json").stdout)
    assert json.loads(run("snapshot", "list", "--store", "s", "--json").stdout) == [whole]
    assert json.loads(run("snapshot", "list", *of_docs, "--json").stdout) == [one]
    assert one["name"] in run("snapshot", "list", *of_docs).stdout.replace("\n", "")

    full, docs = f"s/snapshots/{whole['name']}", f"s/snapshots/docs/{one['name']}"
    restored = run("snapshot", "restore", full, "--store", "new", "--json")
    assert json.loads(restored.stdout) == {"collections": ["docs"]}
    checksum = ("--checksum", one["checksum"])
    run("snapshot", "restore", docs, "--store", "new", "--collection", "again", *checksum)
    wrong = ("--checksum", "0" * 64)
    failed = run("snapshot", "restore", docs, *of_docs, *wrong, code=1)
    assert "Checksum mismatch" in failed.stderr
    report = json.loads(run("info", "--store", "new", "--json").stdout)
    points = {one["name"]: one["statistics"]["points"] for one in report["collections"]}
    assert points == {"docs": 3000, "again": 3000}
