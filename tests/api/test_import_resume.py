"""Imports that end early: by a kill, a signal, a full disk or a wrong row; and those that go on."""

import json
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from asyncstore import models as m
from asyncstore.cli.importing.bookmark import FOLDER
from asyncstore.errors import InvalidArgumentError
from importing import Imported, assert_vectors, in_store, points_of, report_of
from program import ENVIRONMENT, program

DIM = 4
BLOCK = 16_384
ROWS = 3 * BLOCK
MANY = 16 * BLOCK
WRONG = 2 * BLOCK + 100  # the row that ends an import


@pytest.fixture
def store(tmp_path):
    return tmp_path / "storage"


def vectors_of(rows=ROWS):
    return np.random.default_rng(1).standard_normal((rows, DIM)).astype(np.float32)


def table_of(vectors):
    numbers = pa.array(vectors.ravel())
    return pa.table(
        {
            "v": pa.FixedSizeListArray.from_arrays(numbers, DIM),
            "n": np.arange(len(vectors)),
            "text": [f"row {row}" for row in range(len(vectors))],
        }
    )


def write(path, vectors, wrong_row=None):
    if wrong_row is not None:
        vectors = vectors.copy()
        vectors[wrong_row, 2] = np.nan
    parquet.write_table(table_of(vectors), path, row_group_size=40_000)
    return path


def interrupted(store, path):
    """An import that a wrong row ends, behind two blocks that are bookmarked."""
    write(path, vectors_of(), WRONG)
    with pytest.raises(InvalidArgumentError):
        Imported(store, path)
    return path


def assert_whole(store, vectors):
    points = points_of(store)
    assert_vectors(points, vectors)
    for row, (_, payload) in points.items():
        assert payload == {"n": row, "text": f"row {row}"}
    assert not (store / FOLDER).exists()


# A process that imports and ends itself, some time behind a bookmark.
ENDING = """
import os, signal, sys, threading
from asyncstore.cli import main
from asyncstore.cli.importing.bookmark import BookmarkFile
signal_name, bookmarks, after_s = sys.argv.pop(1), int(sys.argv.pop(1)), float(sys.argv.pop(1))
write = BookmarkFile.write

def end():
    os.kill(os.getpid(), getattr(signal, signal_name))

def write_and_end(self, bookmark):
    global bookmarks
    write(self, bookmark)
    bookmarks -= 1
    if bookmarks == 0:
        threading.Timer(after_s, end).start()

BookmarkFile.write = write_and_end
main()
"""


def ended(tmp_path, *arguments, by="SIGKILL", bookmarks=2, after_s=0.0):
    """The import as a process that ended."""
    process = subprocess.run(
        [sys.executable, "-c", ENDING, by, str(bookmarks), str(after_s), "import", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=300,
    )
    (bookmark,) = (tmp_path / "storage" / FOLDER).glob("*.json")
    return process, json.loads(bookmark.read_bytes())["rows"]


class TestGoingOn:
    @pytest.mark.parametrize("after_s", [0.0, 0.04, 0.1])
    @pytest.mark.parametrize("kind", ["parquet", "npy"])
    def test_after_a_kill_nothing_is_missing(self, tmp_path, store, run, kind, after_s):
        vectors = vectors_of(MANY)
        if kind == "parquet":
            write(tmp_path / "a.parquet", vectors)
            arguments = ["a.parquet"]
        else:
            np.save(tmp_path / "a.npy", vectors)
            rows = (json.dumps({"n": row, "text": f"row {row}"}) for row in range(MANY))
            (tmp_path / "a.jsonl").write_text("\n".join(rows))
            arguments = ["a.npy", "--payload", "a.jsonl"]
        arguments += ["--collection", "docs", "--distance", "Dot"]
        process, done = ended(tmp_path, *arguments, bookmarks=4, after_s=after_s)
        assert process.returncode == -signal.SIGKILL
        assert 4 * BLOCK <= done <= MANY
        report = json.loads(run("import", *arguments, "--json").stdout)
        assert report["resumed_from"] == done
        assert report["points"] == MANY
        assert_whole(store, vectors)

    def test_a_signal_says_how_to_go_on(self, tmp_path, store, run):
        vectors = vectors_of(MANY)
        write(tmp_path / "a.parquet", vectors)
        arguments = ["a.parquet", "--collection", "docs", "--distance", "Dot"]
        process, done = ended(tmp_path, *arguments, by="SIGINT")
        assert process.returncode == 130
        assert f"of {MANY:,} rows; the same command goes on from there" in process.stderr
        assert "Traceback" not in process.stderr
        assert f"Going on after {done:,} of {MANY:,} rows." in run("import", *arguments).stdout
        assert_whole(store, vectors)

    def test_goes_on_in_the_midst_of_several_files(self, tmp_path, store):
        vectors = vectors_of()
        whole = write(tmp_path / "whole.parquet", vectors)
        small = write(tmp_path / "a.parquet", vectors[:100])
        interrupted(store, tmp_path / "b.parquet")
        with pytest.raises(InvalidArgumentError) as caught:
            Imported(store, small, tmp_path / "b.parquet")
        assert f"b.parquet, row {WRONG + 1}: " in str(caught.value)
        assert f"{100 + WRONG:,} rows before it are written" in str(caught.value)
        with pytest.raises(InvalidArgumentError) as caught:
            Imported(store, small, tmp_path / "b.parquet")
        assert f"b.parquet, row {WRONG + 1}: " in str(caught.value)
        (bookmark,) = (store / FOLDER).iterdir()
        assert json.loads(bookmark.read_bytes())["rows"] == 100 + 2 * BLOCK
        Imported(store, whole)
        assert set(points_of(store)) == set(range(ROWS))

    def test_the_end_is_not_written_again(self, tmp_path, store):
        """As after a kill while the collection is optimized."""
        path = write(tmp_path / "a.parquet", vectors_of())
        kept = {}

        def keep(self):
            kept["file"] = self._path.read_bytes()
            self._path.unlink()
            kept["path"] = self._path

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("asyncstore.cli.importing.bookmark.BookmarkFile.remove", keep)
            Imported(store, path)
        kept["path"].write_bytes(kept["file"])
        before = in_store(store, operation_of)
        report = report_of(store, path)
        assert report["resumed_from"] == ROWS
        assert report["points_per_s"] == 0
        assert in_store(store, operation_of) == before
        assert_whole(store, vectors_of())


async def operation_of(store):
    return (await store.get_collection("docs")).statistics().operation_id


class TestBeginningAnew:
    """A bookmark that does not tell how far this import is: everything is written."""

    def test_where_the_file_has_changed(self, tmp_path, store):
        path = interrupted(store, tmp_path / "a.parquet")
        write(path, vectors_of())
        text = Imported(store, path).text
        assert "Beginning anew: " in text
        assert "a.parquet has changed since" in text
        assert_whole(store, vectors_of())

    def test_where_a_file_beside_it_has_changed(self, tmp_path, store):
        np.save(tmp_path / "a.npy", vectors_of())
        lines = [json.dumps({"n": row, "text": f"row {row}"}) for row in range(ROWS)]
        payload = tmp_path / "a.jsonl"
        payload.write_text("\n".join([*lines[:WRONG], "[1]", *lines[WRONG + 1 :]]))
        with pytest.raises(InvalidArgumentError, match=f"a.jsonl, row {WRONG + 1}: is no JSON"):
            Imported(store, tmp_path / "a.npy", payload=payload)
        payload.write_text("\n".join(lines))
        assert "a.jsonl has changed" in Imported(store, tmp_path / "a.npy", payload=payload).text
        assert_whole(store, vectors_of())

    def test_where_the_files_are_others(self, tmp_path, store):
        interrupted(store, tmp_path / "a.parquet")
        other = write(tmp_path / "b.parquet", vectors_of())
        assert "was of other files" in Imported(store, other).text
        assert_whole(store, vectors_of())

    def test_where_options_are_others(self, tmp_path, store):
        path = interrupted(store, tmp_path / "a.parquet")
        with pytest.raises(InvalidArgumentError):
            Imported(store, path, payload_columns=["n"])
        assert points_of(store)[7][1] == {"n": 7}

    def test_where_that_is_wanted(self, tmp_path, store):
        path = interrupted(store, tmp_path / "a.parquet")
        in_store(store, forget_first)
        for is_restart in (False, True):
            with pytest.raises(InvalidArgumentError):
                Imported(store, path, is_restart=is_restart)
            assert (0 in points_of(store)) == is_restart

    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"rows": 7}', b"[" * 100_000])
    def test_where_the_bookmark_is_damaged(self, tmp_path, store, content):
        path = interrupted(store, tmp_path / "a.parquet")
        in_store(store, forget_first)
        (bookmark,) = (store / FOLDER).iterdir()
        bookmark.write_bytes(content)
        with pytest.raises(InvalidArgumentError):
            Imported(store, path)
        assert 0 in points_of(store)

    @pytest.mark.parametrize("rows", [-1, 0, ROWS + 1])
    def test_where_the_bookmark_cannot_be(self, tmp_path, store, rows):
        path = interrupted(store, tmp_path / "a.parquet")
        in_store(store, forget_first)
        (bookmark,) = (store / FOLDER).iterdir()
        bookmark.write_bytes(
            json.dumps(json.loads(bookmark.read_bytes()) | {"rows": rows}).encode()
        )
        with pytest.raises(InvalidArgumentError):
            Imported(store, path)
        assert 0 in points_of(store)

    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_where_the_collection_is_another(self, tmp_path, store, times):
        """It has points of the same ids, and as many operations, or more."""
        path = interrupted(store, tmp_path / "a.parquet")

        async def make_anew(opened):
            await opened.delete_collection("docs")
            docs = await opened.create_collection(
                "docs", vectors=m.VectorParams(size=DIM, distance=m.Distance.DOT)
            )
            for _ in range(times):
                await docs.upsert_arrays(np.arange(100, ROWS), vectors_of()[100:])

        in_store(store, make_anew)
        assert 0 not in points_of(store)
        with pytest.raises(InvalidArgumentError):
            Imported(store, path)
        assert 0 in points_of(store)

    def test_where_the_collection_is_gone(self, tmp_path, store):
        path = interrupted(store, tmp_path / "a.parquet")
        in_store(store, lambda opened: opened.delete_collection("docs"))
        with pytest.raises(InvalidArgumentError):
            Imported(store, path)
        assert set(points_of(store)) == set(range(WRONG))

    def test_where_an_older_snapshot_was_recovered(self, tmp_path, store):
        path = write(tmp_path / "a.parquet", vectors_of()[:BLOCK])
        Imported(store, path)
        made = in_store(store, lambda opened: opened.create_snapshot())
        path = interrupted(store, tmp_path / "b.parquet")
        location = store / "snapshots" / made.name
        in_store(store, lambda opened: opened.recover_snapshot(location))
        assert set(points_of(store)) == set(range(BLOCK))
        with pytest.raises(InvalidArgumentError):
            Imported(store, path)
        assert set(points_of(store)) == set(range(WRONG))


async def forget_first(store):
    """Which shows whether the first rows are written once more."""
    await (await store.get_collection("docs")).delete(points=[0])


def null_at(array, row):
    values = array.to_pylist()
    values[row] = None
    return pa.array(values, array.type)


def wrong_vector(table):
    values = table["v"].combine_chunks().cast(pa.list_(pa.float32())).to_pylist()
    values[WRONG] = values[WRONG][:3]
    return table.set_column(0, "v", pa.array(values, pa.list_(pa.float32())))


def wrong_element(table):
    values = table["v"].combine_chunks().to_pylist()
    values[WRONG][1] = None
    return table.set_column(0, "v", pa.array(values, pa.list_(pa.float32())))


def wrong_ids(table, value, kind):
    ids = list(range(len(table))) if kind == pa.int64() else ["7"] * len(table)
    if kind == pa.string():
        ids = [f"00000000-0000-0000-0000-{row:012}" for row in range(len(table))]
    ids[WRONG] = value
    return table.append_column("id", pa.array(ids, kind))


WRONG_ROWS = {
    "nan": (
        lambda table: table.set_column(0, "v", null_free_nan(table)),
        "vector holds NaN at element 2; vectors must be finite",
    ),
    "dimensions": (wrong_vector, "'v' has 3 dimensions, row 1 has 4"),
    "null vector": (
        lambda table: table.set_column(0, "v", null_at(table["v"].combine_chunks(), WRONG)),
        "'v' is null, must be a vector",
    ),
    "null element": (wrong_element, "'v' has null at dimension 1, must be a number"),
    "negative id": (lambda table: wrong_ids(table, -1, pa.int64()), "value -1 invalid"),
    "null id": (lambda table: wrong_ids(table, None, pa.int64()), "'id' is null"),
    "no uuid": (lambda table: wrong_ids(table, "x", pa.string()), 'recognize "x" as point id'),
    "payload": (
        lambda table: table.append_column(
            "real", pa.array([np.nan if row == WRONG else 0.5 for row in range(ROWS)])
        ),
        "JSON has no number nan",
    ),
}


def null_free_nan(table):
    vectors = vectors_of()
    vectors[WRONG, 2] = np.nan
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), from_pandas=False), DIM)


class TestWrongRows:
    @pytest.mark.parametrize("kind", WRONG_ROWS)
    def test_the_error_has_file_row_rule_and_what_is_written(self, tmp_path, store, kind):
        make, rule = WRONG_ROWS[kind]
        path = tmp_path / "a.parquet"
        parquet.write_table(make(table_of(vectors_of())), path)
        with pytest.raises(InvalidArgumentError) as caught:
            Imported(store, path)
        text = str(caught.value)
        assert text.startswith(f"{path}, row {WRONG + 1}: ")
        assert rule in text
        points = points_of(store)
        assert text.endswith(f"; {len(points):,} rows before it are written")
        assert 2 * BLOCK <= len(points) <= WRONG
        assert_vectors(points, vectors_of()[: len(points)])

    def test_in_the_first_row_it_leaves_no_collection(self, tmp_path, store):
        path = write(tmp_path / "a.parquet", vectors_of(100), wrong_row=0)
        with pytest.raises(InvalidArgumentError, match=r"a.parquet, row 1: .*; 0 rows"):
            Imported(store, path)
        assert in_store(store, lambda opened: opened.list_collections()) == []

    def test_a_collection_that_was_there_stays(self, tmp_path, store):
        async def make(opened):
            await opened.create_collection(
                "docs", vectors=m.VectorParams(size=DIM, distance=m.Distance.DOT)
            )

        in_store(store, make)
        path = write(tmp_path / "a.parquet", vectors_of(100), wrong_row=0)
        with pytest.raises(InvalidArgumentError):
            Imported(store, path)
        assert in_store(store, lambda opened: opened.list_collections()) == ["docs"]

    @pytest.mark.parametrize("row", [0, 1, 4999, 9999])
    def test_of_npy_wherever_it_is(self, tmp_path, store, row):
        vectors = vectors_of(10_000)
        vectors[row, 1] = np.inf
        np.save(tmp_path / "a.npy", vectors)
        with pytest.raises(InvalidArgumentError, match=f"a.npy, row {row + 1}: vector holds inf"):
            Imported(store, tmp_path / "a.npy")
        if row > 0:
            assert set(points_of(store)) == set(range(row))


class TestFullDisk:
    def test_goes_on_when_there_is_room(self, tmp_path, run):
        """The limit of a file's size stands for the disk's end."""
        vectors = vectors_of(MANY)
        write(tmp_path / "a.parquet", vectors)
        arguments = ["a.parquet", "--collection", "docs", "--distance", "Dot"]
        limited = ["prlimit", "--fsize=6000000", *program("import", *arguments)]
        ended = subprocess.run(
            limited, cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT, timeout=300
        )
        assert ended.returncode == 1, ended.stderr
        assert "the same command goes on from there" in ended.stderr
        report = json.loads(run("import", *arguments, "--json").stdout)
        assert 0 < report["resumed_from"] < MANY
        assert_whole(tmp_path / "storage", vectors)
