"""Every kind of file that is imported: what becomes of its rows, and what it refuses."""

import datetime
import decimal
import subprocess
import sys
import uuid

import h5py
import msgspec
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from asyncstore.cli.importing.columns import Columns
from asyncstore.cli.importing.parquet import ParquetSource
from asyncstore.cli.importing.source import BLOCK_BYTES
from asyncstore.errors import AsyncStoreError, DimensionMismatchError, InvalidArgumentError
from importing import Imported, assert_vectors, in_store, points_of, report_of

DIM = 8
ROWS = 3000


@pytest.fixture
def store(tmp_path):
    return tmp_path / "storage"


def vectors_of(rows=ROWS, seed=1):
    return np.random.default_rng(seed).standard_normal((rows, DIM)).astype(np.float32)


def fixed(vectors, kind=None):
    kind = kind or pa.float32()
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), kind), vectors.shape[1])


def write_parquet(path, columns, **options):
    parquet.write_table(pa.table(columns), path, **options)
    return path


class TestParquet:
    def test_all_kinds_of_values_become_payload(self, store, tmp_path):
        zone = datetime.timezone(datetime.timedelta(hours=2))
        moment = datetime.datetime(2024, 2, 29, 12, 30, 1, 250_000)
        columns = {
            "id": pa.array([5, 3, 2**64 - 1], pa.uint64()),
            "emb": fixed(vectors_of(3)),
            "text": ["a", None, "ä"],
            "number": pa.array([1, -(2**63), None], pa.int64()),
            "real": [0.5, None, 1e300],
            "yes": [True, False, None],
            "tags": pa.array([["x", None], [], None], pa.list_(pa.string())),
            "nested": [{"a": {"b": [1, 2]}}, {"a": None}, None],
            "naive": pa.array([moment, None, moment], pa.timestamp("us")),
            "zoned": pa.array(
                [moment.replace(tzinfo=zone), None, None], pa.timestamp("ms", "Europe/Berlin")
            ),
            "nanos": pa.array([1, None, 10**9], pa.timestamp("ns")),
            "times": pa.array([[moment], [None], None], pa.list_(pa.timestamp("us"))),
            "inner": pa.array(
                [{"at": moment}, {"at": None}, None], pa.struct([("at", pa.timestamp("s"))])
            ),
            "day": pa.array([datetime.date(2024, 2, 29), None, None]),
            "price": [decimal.Decimal("1.50"), None, None],
            "whole": pa.array([decimal.Decimal("7"), None, None], pa.decimal128(5, 0)),
            "map": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int32())),
            "word": pa.array(["x", "y", None]).dictionary_encode(),
            "raw": [b"\x01\x02", None, None],
        }
        path = write_parquet(tmp_path / "a.parquet", columns)
        Imported(store, path)
        points = points_of(store)
        assert points[5][0] == vectors_of(3)[0].tolist()
        assert points[5][1] == {
            "text": "a",
            "number": 1,
            "real": 0.5,
            "yes": True,
            "tags": ["x", None],
            "nested": {"a": {"b": [1, 2]}},
            "naive": "2024-02-29T12:30:01.25Z",
            "zoned": "2024-02-29T10:30:01.25Z",
            "nanos": "1970-01-01T00:00:00.000000001Z",
            "times": ["2024-02-29T12:30:01.25Z"],
            "inner": {"at": "2024-02-29T12:30:01Z"},
            "day": "2024-02-29",
            "price": 1.5,
            "whole": 7,
            "map": {"k": 1},
            "word": "x",
            "raw": "AQI=",
        }
        nulls = dict.fromkeys(points[5][1])
        assert points[3][1] == nulls | {
            "number": -(2**63),
            "yes": False,
            "tags": [],
            "nested": {"a": None},
            "times": [None],
            "inner": {"at": None},
            "map": {},
            "word": "y",
        }
        assert points[2**64 - 1][1] == nulls | {
            "text": "ä",
            "real": 1e300,
            "naive": "2024-02-29T12:30:01.25Z",
            "nanos": "1970-01-01T00:00:01Z",
        }

    @pytest.mark.parametrize("row_group_size", [100, 1500, ROWS])
    @pytest.mark.parametrize("kind", ["fixed", "list", "large", "half", "double", "tensor"])
    def test_lists_of_every_kind_are_vectors(self, store, tmp_path, kind, row_group_size):
        vectors = vectors_of().astype(np.float16).astype(np.float32)
        array = {
            "fixed": lambda: fixed(vectors),
            "list": lambda: pa.array(vectors.tolist(), pa.list_(pa.float32())),
            "large": lambda: pa.array(vectors.tolist(), pa.large_list(pa.float32())),
            "half": lambda: fixed(vectors.astype(np.float16), pa.float16()),
            "double": lambda: fixed(vectors.astype(np.float64), pa.float64()),
            "tensor": lambda: pa.FixedShapeTensorArray.from_numpy_ndarray(vectors),
        }[kind]()
        path = write_parquet(
            tmp_path / "a.parquet", {"any": array, "n": range(ROWS)}, row_group_size=row_group_size
        )
        report = report_of(store, path)
        assert (report["points"], report["dim"], report["resumed_from"]) == (ROWS, DIM, None)
        points = points_of(store)
        assert_vectors(points, vectors)
        assert [points[row][1] for row in range(ROWS)] == [{"n": row} for row in range(ROWS)]

    def test_ids_are_integers_or_uuids(self, store, tmp_path):
        ids = [uuid.UUID(int=number << 90 | 5) for number in range(ROWS)]
        column = {"emb": fixed(vectors_of())}
        texts = write_parquet(tmp_path / "a", column | {"key": [str(one) for one in ids]})
        Imported(store, texts, collection="texts", id_column="key")
        binary = pa.array([one.bytes for one in ids], pa.binary(16))
        Imported(
            store,
            write_parquet(tmp_path / "b", column | {"id": binary}),
            collection="binary",
        )
        for collection in ("texts", "binary"):
            points = points_of(store, collection)
            assert [points[str(one)][0] for one in ids] == vectors_of().tolist()
            assert points[str(ids[0])][1] == {}

    def test_without_ids_rows_are_numbered_over_all_files(self, store, tmp_path):
        vectors = vectors_of()
        parts = tmp_path / "parts"
        parts.mkdir()
        for name, rows in (("2", slice(2000, None)), ("0", slice(0, 700)), ("1", slice(700, 2000))):
            write_parquet(parts / f"part-{name}.parquet", {"v": fixed(vectors[rows])})
        write_parquet(parts / "part-00.parquet", {"v": fixed(vectors[:0])})
        (parts / "_SUCCESS").touch()
        assert report_of(store, parts)["points"] == ROWS
        assert_vectors(points_of(store), vectors)
        halves = [
            write_parquet(tmp_path / name, {"id": [9, 9], "v": fixed(vectors[:2])}) for name in "ba"
        ]
        Imported(store, *halves, collection="numbered", id_column="")
        points = points_of(store, "numbered")
        assert sorted(points) == [0, 1, 2, 3]
        assert points[3] == (vectors[1].tolist(), {"id": 9})

    def test_several_named_vectors_and_chosen_columns(self, store, tmp_path):
        title, body = vectors_of(seed=1), vectors_of(seed=2)[:, :3]
        columns = {"t": fixed(title), "b": fixed(body), "n": range(ROWS), "m": range(ROWS)}
        path = write_parquet(tmp_path / "a.parquet", columns)
        with pytest.raises(InvalidArgumentError, match=r"say by --vector .*: 't', 'b'"):
            Imported(store, path)
        named = {"vectors": ["title=t", "body=b"]}
        report = report_of(store, path, payload_columns=["n"], **named)
        assert report["dim"] == {"title": DIM, "body": 3}
        points = points_of(store)
        assert [points[row][0]["title"] for row in range(ROWS)] == title.tolist()
        assert [points[row][0]["body"] for row in range(ROWS)] == body.tolist()
        assert points[7][1] == {"n": 7}
        Imported(store, path, payload_columns=[""], collection="bare", **named)
        assert points_of(store, "bare")[7][1] == {}
        with pytest.raises(InvalidArgumentError, match="its vectors are: 'title', 'body'"):
            Imported(store, path, vectors=["t"])
        with pytest.raises(InvalidArgumentError, match="both for the unnamed vector"):
            Imported(store, path, vectors=["t", "b"])
        with pytest.raises(DimensionMismatchError, match="'title' has 3 dimensions"):
            Imported(store, path, vectors=["title=b", "body=t"])
        assert points_of(store) == points

    def test_memory_is_bounded_by_blocks_and_not_by_row_groups(self, tmp_path):
        vectors = np.random.default_rng(1).standard_normal((24_000, 1024), np.float32)
        assert vectors.nbytes > 2.5 * BLOCK_BYTES
        path = write_parquet(tmp_path / "a", {"v": fixed(vectors)}, row_group_size=len(vectors))
        before = pa.total_allocated_bytes()
        rows = 0
        for block in ParquetSource(path, Columns()).blocks(0, 0):
            assert pa.total_allocated_bytes() - before < 1.5 * BLOCK_BYTES
            assert np.array_equal(block.vectors[""], vectors[rows : rows + len(block)])
            rows += len(block)
        assert rows == len(vectors)

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"vectors": ["none"]}, "has no column 'none'; there is: v, text, short"),
            ({"vectors": ["text"]}, "vectors must be lists of numbers"),
            ({"id_column": "none"}, "has no column 'none'"),
            ({"payload_columns": ["none"]}, "has no column 'none'"),
            ({"ids": "a.npy"}, "--ids and --payload are for .npy files"),
        ],
    )
    def test_columns_that_are_not_there(self, store, tmp_path, options, sentence):
        columns = {"v": fixed(vectors_of()), "text": ["x"] * ROWS, "short": [1] * ROWS}
        path = write_parquet(tmp_path / "a.parquet", columns)
        with pytest.raises(InvalidArgumentError, match=sentence):
            Imported(store, path, **options)
        assert not store.exists()

    def test_parts_of_other_dimensions(self, store, tmp_path):
        one = write_parquet(tmp_path / "a", {"v": fixed(vectors_of())})
        other = write_parquet(tmp_path / "b", {"v": fixed(vectors_of()[:, :5])})
        with pytest.raises(InvalidArgumentError, match=r"b: has vectors of 5 dimensions, .*a of 8"):
            Imported(store, one, other)
        assert not store.exists()


@pytest.fixture
def hdf5(tmp_path):
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file["train"] = vectors_of()
        file["test"] = vectors_of(50, seed=2)
        file["neighbors"] = np.zeros((50, 10), np.int32)
        file["distances"] = np.zeros((50, 10), np.float32)
    return path


class TestHdf5:
    def test_the_layout_of_ann_benchmarks(self, store, hdf5):
        assert report_of(store, hdf5)["points"] == ROWS
        points = points_of(store)
        assert_vectors(points, vectors_of())
        assert all(payload == {} for _, payload in points.values())
        Imported(store, hdf5, vectors=["test"], collection="test")
        assert_vectors(points_of(store, "test"), vectors_of(50, seed=2))

    def test_ids_and_payload_are_datasets_of_the_same_length(self, store, hdf5):
        with h5py.File(hdf5, "a") as file:
            file["id"] = np.arange(ROWS) * 3
            file["title"] = [f"tä{row}" for row in range(ROWS)]
            file["short"] = np.array([b"x%d" % (row % 9) for row in range(ROWS)])
            file["yes"] = np.arange(ROWS) % 2 == 0
            file["n"] = np.arange(ROWS, dtype=np.uint64)
            file["meta/pair"] = np.arange(2 * ROWS).reshape(ROWS, 2)
            file["other"] = np.arange(7)
            file["key"] = [str(uuid.UUID(int=row)) for row in range(ROWS)]
        Imported(store, hdf5)
        points = points_of(store)
        assert_vectors(points, vectors_of())
        assert points[3 * 11][1] == {
            "title": "tä11",
            "short": "x2",
            "yes": False,
            "n": 11,
            "key": str(uuid.UUID(int=11)),
        }
        named = {"id_column": "key", "payload_columns": ["meta/pair"]}
        Imported(store, hdf5, collection="named", **named)
        assert points_of(store, "named")[str(uuid.UUID(int=11))][1] == {"meta/pair": [22, 23]}

    def test_compressed_chunks(self, store, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("v", data=vectors_of(), chunks=(700, 3), compression="gzip")
        Imported(store, tmp_path / "a.h5")
        assert_vectors(points_of(store), vectors_of())

    def test_nothing_but_the_file_is_read(self, store, hdf5, tmp_path):
        secret = tmp_path / "secret.h5"
        with h5py.File(secret, "w") as file:
            file["v"] = vectors_of(seed=3)
        vectors_of(seed=3).tofile(tmp_path / "secret.raw")
        layout = h5py.VirtualLayout((ROWS, DIM), np.float32)
        layout[:] = h5py.VirtualSource(secret, "v", (ROWS, DIM))
        with h5py.File(hdf5, "a") as file:
            file["external"] = h5py.ExternalLink(secret, "/v")
            file["outside"] = h5py.ExternalLink(secret, "/")
            file["soft"] = h5py.SoftLink("/external")
            file.create_virtual_dataset("virtual", layout)
            raw = [(str(tmp_path / "secret.raw"), 0, h5py.h5f.UNLIMITED)]
            file.create_dataset("raw", (ROWS, DIM), np.float32, external=raw)
        for name in ("external", "outside/v", "soft", "gone", "train/x", "."):
            with pytest.raises(InvalidArgumentError, match=f"no dataset '{name}' of its own"):
                Imported(store, hdf5, vectors=[name])
        for name in ("virtual", "raw"):
            with pytest.raises(InvalidArgumentError, match=f"'{name}' are in other files"):
                Imported(store, hdf5, vectors=[name])
            with pytest.raises(InvalidArgumentError, match=f"'{name}' are in other files"):
                Imported(store, hdf5, payload_columns=[name])
        assert not store.exists()
        Imported(store, hdf5)  # nobody asked for these
        assert_vectors(points_of(store), vectors_of())

    @pytest.mark.parametrize(
        ("shape", "chunks"),
        [((2**40, DIM), (64, DIM)), ((ROWS, 2**30), (1, 64)), ((2**33, DIM), (2**25, DIM))],
    )
    def test_shapes_that_the_file_does_not_have(self, store, tmp_path, shape, chunks):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("v", shape, np.float32, chunks=chunks)
        with pytest.raises(InvalidArgumentError, match=r"'v' says it has [0-9]+ bytes, but"):
            Imported(store, tmp_path / "a.h5")
        assert not store.exists()

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"vectors": ["n"]}, "'n' must have numbers of the shape"),
            ({"vectors": ["words"]}, "'words' must have numbers of the shape"),
            ({"id_column": "few"}, "'few' must have integers or texts, for each of 3000 rows"),
            ({"id_column": "real"}, "'real' must have integers or texts"),
            ({"payload_columns": ["few"]}, "'few' must have texts or numbers"),
            ({"payload_columns": ["parts"]}, "'parts' must have texts or numbers"),
        ],
    )
    def test_datasets_that_do_not_fit(self, store, hdf5, options, sentence):
        with h5py.File(hdf5, "a") as file:
            file["n"] = np.arange(ROWS)
            file["few"] = np.arange(7)
            file["real"] = np.zeros(ROWS)
            file["words"] = np.full((ROWS, 2), b"x")
            file["parts"] = np.zeros(ROWS, [("a", np.int32), ("b", np.int32)])
        with pytest.raises(InvalidArgumentError, match=sentence):
            Imported(store, hdf5, **options)
        assert not store.exists()


# In a process of its own, as what it damages might end it: each file is cut and flipped, opened and
# read; what it prints is told apart by the test.
HOSTILE = """
import pathlib, random, sys
from asyncstore.cli.importing.columns import Columns
from asyncstore.cli.importing.files import open_sources
from asyncstore.errors import AsyncStoreError
path = pathlib.Path(sys.argv[1])
whole, work = path.read_bytes(), path.with_name("work" + path.suffix)
random = random.Random(int(sys.argv[2]))
refused = 0
for case in range(300):
    damaged = bytearray(whole)
    if case < 60:
        del damaged[random.randrange(len(damaged)):]
    else:
        ends = random.choice([(0, len(whole)), (0, 2048), (len(whole) - 1024, len(whole))])
        for _ in range(random.choice([1, 1, 4])):
            damaged[random.randrange(*ends)] ^= 1 << random.randrange(8)
    work.write_bytes(damaged)
    print(case, file=sys.stderr, flush=True)
    try:
        for source in open_sources([work], Columns(vectors={"": "v"}), None, None):
            for block in source.blocks(0, 0):
                assert len(block) > 0
                assert all(len(one) == len(block) for one in block.vectors.values())
    except AsyncStoreError as error:
        assert "work" in str(error)
        refused += 1
print(refused)
"""


class TestHostile:
    @pytest.mark.parametrize("seed", [1, 2])
    @pytest.mark.parametrize("kind", ["parquet", "h5"])
    def test_damaged_files_are_refused_or_read(self, tmp_path, kind, seed):
        path = tmp_path / f"a.{kind}"
        words = [f"w{row % 50}" for row in range(500)]
        if kind == "parquet":
            write_parquet(path, {"v": fixed(vectors_of(500)), "id": range(500), "w": words})
        else:
            with h5py.File(path, "w") as file:
                file.create_dataset("v", data=vectors_of(500), compression="gzip")
                file["w"] = words
        run = subprocess.run(
            [sys.executable, "-c", HOSTILE, str(path), str(seed)],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert run.returncode == 0, run.stderr[-2000:]
        assert int(run.stdout) >= 60

    @pytest.mark.parametrize("kind", ["parquet", "h5", "npy"])
    @pytest.mark.parametrize("content", [b"", b"text", b"PAR1", b"\x89HDF\r\n\x1a\n", b"\x93NUMPY"])
    def test_what_is_no_file_of_the_kind(self, store, tmp_path, kind, content):
        path = tmp_path / f"a.{kind}"
        path.write_bytes(content)
        with pytest.raises(AsyncStoreError, match=f"a.{kind}: "):
            Imported(store, path)
        assert not store.exists()

    def test_what_is_of_no_kind(self, store, tmp_path):
        (tmp_path / "a.txt").write_text("text")
        with pytest.raises(InvalidArgumentError, match=r"neither a .npy nor a Parquet nor an HDF5"):
            Imported(store, tmp_path / "a.txt")
        (tmp_path / "empty").mkdir()
        with pytest.raises(InvalidArgumentError, match="no Parquet file in this folder"):
            Imported(store, tmp_path / "empty")


@pytest.mark.parametrize(("package", "name"), [("pyarrow", "a.parquet"), ("h5py", "a.h5")])
def test_a_missing_package_is_named_with_the_extra_that_has_it(tmp_path, package, name):
    magic = {"a.parquet": b"PAR1", "a.h5": b"\x89HDF\r\n\x1a\n"}[name]
    (tmp_path / name).write_bytes(magic)
    script = (
        f"import sys\nsys.modules['{package}'] = None\nfrom asyncstore.cli import main\n"
        f"sys.argv = ['asyncstore', 'import', '{name}', '--collection', 'x']\nmain()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
    )
    assert result.returncode == 1
    assert package in result.stderr
    assert "pip install 'asyncstore[import]'" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_named_vector_of_a_npy_file(store, tmp_path):
    np.save(tmp_path / "a.npy", vectors_of())
    Imported(store, tmp_path / "a.npy", vectors=["title="])
    assert points_of(store)[5][0] == {"title": vectors_of()[5].tolist()}
    with pytest.raises(InvalidArgumentError, match=r"a .npy file has no columns to name"):
        Imported(store, tmp_path / "a.npy", vectors=["title"])


@pytest.mark.parametrize(
    ("codes", "config", "name"),
    [
        ("int8", {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}}, "int8"),
        ("rabitq8", {"rabitq": {"bits": 8}}, "rabitq8"),
        ("rabitq2", {"rabitq": {"bits": 2}}, "rabitq2"),
        ("rabitq1", {"rabitq": {"bits": 1}}, "rabitq1"),
        ("product", {"product": {"compression": "x16"}}, "product x16"),
        ("binary", {"binary": {}}, "binary"),
        ("none", None, "none"),
    ],
)
def test_codes_of_a_collection_that_is_made(run, tmp_path, codes, config, name):
    np.save(tmp_path / "a.npy", vectors_of())
    run("import", "a.npy", "--collection", "docs", "--quantization", codes)

    async def info(store):
        return await (await store.get_collection("docs")).info()

    found = in_store(tmp_path / "storage", info)
    assert found.status == "green"
    assert msgspec.to_builtins(found.config.quantization_config) == config
    (line,) = [line for line in run("info").stdout.splitlines() if "docs" in line]
    assert name in line


def test_codes_that_the_store_chooses(run, tmp_path):
    np.save(tmp_path / "a.npy", vectors_of())
    run("import", "a.npy", "--collection", "docs", "--quantization", "auto")
    assert "rabitq8" in run("info").stdout
