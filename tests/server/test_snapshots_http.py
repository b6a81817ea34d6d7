"""Snapshots through the official client, and what goes over the wire."""

import functools
import hashlib
import http.server
import threading

import anyio
import pytest
from qdrant_client import models as qm
from qdrant_client.http.exceptions import UnexpectedResponse

pytestmark = pytest.mark.asyncio

URL = "/collections/c/snapshots"


def points(count, version=0):
    return [
        qm.PointStruct(id=i, vector=[i, 1.0, version, 0.5], payload={"version": version})
        for i in range(count)
    ]


async def filled(served, count=20):
    params = qm.VectorParams(size=4, distance=qm.Distance.DOT)
    await served.client.create_collection("c", vectors_config=params)
    await served.client.upsert("c", points=points(count))


async def contents(served, collection="c"):
    found, _ = await served.client.scroll(collection, limit=1000, with_vectors=True)
    return [(one.id, one.vector, one.payload) for one in found]


async def test_the_official_client_makes_lists_recovers_and_deletes(served):
    async with served() as s:
        await filled(s)
        before = await contents(s)
        made = await s.client.create_snapshot("c")
        assert made.name.startswith("c-0-")
        assert made.name.endswith(".snapshot")
        assert await s.client.list_snapshots("c") == [made]
        reply = await s.http.get(f"{URL}/{made.name}")
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "application/octet-stream"
        assert hashlib.sha256(reply.content).hexdigest() == made.checksum
        assert len(reply.content) == made.size

        await s.client.upsert("c", points=points(30, version=1))
        file = s.store.snapshots.of("c").path / made.name
        for name in ("c", "new"):
            for location in (file.as_uri(), file.as_uri().replace("file://", "file://localhost")):
                assert await s.client.recover_snapshot(
                    name,
                    location=location,
                    checksum=made.checksum,
                    priority=qm.SnapshotPriority.SNAPSHOT,
                )
                assert await contents(s, name) == before
        with pytest.raises(UnexpectedResponse, match="Checksum mismatch: expected 00"):
            await s.client.recover_snapshot("c", location=file.as_uri(), checksum="00")
        assert await s.client.delete_snapshot("c", made.name)
        assert await s.client.list_snapshots("c") == []
        with pytest.raises(UnexpectedResponse, match="404"):
            await s.client.delete_snapshot("c", made.name)


async def test_the_official_client_and_the_whole_store(served):
    async with served() as s:
        await filled(s)
        made = await s.client.create_full_snapshot()
        assert made.name.startswith("full-snapshot-")
        assert await s.client.list_full_snapshots() == [made]
        reply = await s.http.get(f"/snapshots/{made.name}")
        assert hashlib.sha256(reply.content).hexdigest() == made.checksum
        assert await s.client.list_snapshots("c") == []
        assert await s.client.delete_full_snapshot(made.name)
        assert await s.client.list_full_snapshots() == []


async def test_an_upload_is_recovered(served):
    """It may be larger than a JSON body; other fields of the form are passed over."""
    async with served(max_request_size_mb=1) as s:
        await filled(s)
        await s.client.upsert(
            "c", points=[qm.PointStruct(id=5, vector=[1, 2, 3, 4], payload={"a": "b" * 900_000})]
        )
        await s.client.upsert(
            "c", points=[qm.PointStruct(id=6, vector=[1, 2, 3, 4], payload={"a": "c" * 900_000})]
        )
        before = await contents(s)
        made = await s.client.create_snapshot("c")
        content = (await s.http.get(f"{URL}/{made.name}")).content
        assert len(content) > 1 << 20
        await s.client.delete_collection("c")
        form = {"other": (None, "x"), "snapshot": ("name.snapshot", content)}
        reply = await s.http.post(
            f"{URL}/upload?priority=snapshot&checksum={made.checksum}", files=form
        )
        assert reply.json()["result"] is True
        assert await contents(s) == before
        reply = await s.http.post("/collections/d/snapshots/upload?wait=false", files=form)
        assert (reply.status_code, reply.json()["status"]) == (202, "accepted")
        assert await contents(s, "d") == before
        left = [one.name for one in s.store.snapshots.root.iterdir() if one.is_file()]
        assert left == []


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"files": {"snapshot": b"no snapshot"}}, 400),
        ({"files": {"other": b"x"}}, 400),
        ({"json": {}}, 400),
        ({"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data"}}, 400),
        (
            {
                "content": b'--x\r\nContent-Disposition: form-data; name="snapshot"\r\n\r\nabc',
                "headers": {"content-type": "multipart/form-data; boundary=x"},
            },
            400,
        ),
        ({"files": {"snapshot": b"x"}, "params": {"checksum": "0" * 64}}, 400),
        ({"files": {"snapshot": b"x"}, "params": {"priority": "highest"}}, 400),
        ({"files": {"snapshot": b"x"}, "params": {"wait": "perhaps"}}, 400),
        ({"files": {"snapshot": b"x"}, "headers": {"content-length": "1" + "0" * 30}}, 413),
        ({"files": {"snapshot": b"x"}, "headers": {"content-length": b"\xb2"}}, 400),
        (
            {
                "content": b"--x",
                "headers": {"content-type": "multipart/form-data; boundary=" + "x" * 300},
            },
            400,
        ),
    ],
)
async def test_uploads_that_are_refused_change_nothing(served, form, status):
    async with served() as s:
        await filled(s)
        before = await contents(s)
        reply = await s.http.post(f"{URL}/upload", **form)
        assert reply.status_code == status
        assert set(reply.json()) == {"status", "time"}
        if "checksum" in form.get("params", {}):
            assert reply.json()["status"]["error"].startswith("Checksum mismatch: expected 000")
        assert await contents(s) == before
        assert [one for one in s.store.snapshots.root.glob("*") if one.is_file()] == []


async def test_what_is_accepted_is_done_behind_the_reply(served):
    async with served() as s:
        await filled(s)
        for path in (URL, "/snapshots"):
            reply = await s.http.post(f"{path}?wait=false")
            assert (reply.status_code, reply.json()["status"]) == (202, "accepted")
            assert "result" not in reply.json()
            listed = []
            with anyio.fail_after(20):
                while not listed:
                    listed = (await s.http.get(path)).json()["result"]
            reply = await s.http.delete(f"{path}/{listed[0]['name']}?wait=false")
            assert reply.status_code == 202
            with anyio.fail_after(20):
                while (await s.http.get(path)).json()["result"]:
                    pass


NO_LOCATIONS = ["x.snapshot", "/etc/passwd", "ftp://localhost/x", "http://example.com/x", ""]
NO_LOCATIONS += [
    "file:///" + "x" * 256,
    "file:///" + "x/" * 3000,
    "file:///%00",
    "file:///dev/null/x",
]
NO_LOCATIONS += ["http://[::1/x", "http://localhost:no/x", "http://127.0.0.1:1/x", "http:///x"]
NO_LOCATIONS += ["http://localhost/\xe9", "http://localhost/a b", "http://localhost:-1/\n"]


async def test_places_that_the_server_does_not_read(served, tmp_path):
    outside = tmp_path / "outside.snapshot"
    outside.write_bytes(b"secret")
    async with served() as s:
        await filled(s)
        await s.client.create_snapshot("c")
        link = s.store.snapshots.root / "link.snapshot"
        link.symlink_to(outside)

        async def recover(location):
            return await s.refused("PUT", f"{URL}/recover", {"location": location})

        forbidden = "Forbidden: Snapshot file path must be inside the snapshots directory.."
        assert await recover(outside.as_uri()) == (403, forbidden)
        assert await recover(link.as_uri()) == (403, forbidden)
        above = f"file://{s.store.snapshots.root}/../../outside.snapshot"
        assert await recover(above) == (403, forbidden)
        assert await recover("file:///x") == (
            400,
            'Bad request: Snapshot file "/x" does not exist',
        )
        assert await recover("file://elsewhere/x") == (
            400,
            "Bad request: Invalid snapshot URI, file path must be absolute or on localhost",
        )
        for location in NO_LOCATIONS:
            status, text = await recover(location)
            assert status == 400, (location, text)
        circle = s.store.snapshots.root / "circle.snapshot"
        circle.symlink_to(circle)
        assert (await recover(circle.as_uri()))[0] == 400
        status, _ = await s.refused("GET", f"{URL}/link.snapshot")
        assert status == 404


@pytest.mark.parametrize(
    "name",
    [
        "none.snapshot",
        "..%2F..%2FSTORE",
        "%2e%2e%2fSTORE",
        "%2Fetc%2Fpasswd",
        "x%00.snapshot",
        "x" * 255 + ".snapshot",
        "%C3%A9" * 128 + ".snapshot",
    ],
)
async def test_names_that_lead_elsewhere_are_not_there(served, name):
    async with served() as s:
        await filled(s)
        await s.client.create_snapshot("c")
        for path in (f"{URL}/{name}", f"/snapshots/{name}"):
            for method in ("GET", "DELETE"):
                reply = await s.http.request(method, path)
                assert reply.status_code == 404, (method, path)
        assert await s.client.collection_exists("c")


async def test_collections_that_are_not_there_have_none(served):
    async with served() as s:
        for method, path in (("GET", URL), ("POST", URL), ("GET", f"{URL}/x.snapshot")):
            assert await s.refused(method, path) == (
                404,
                "Not found: Collection `c` doesn't exist!",
            )


async def test_a_key_for_reading_makes_none(served):
    async with served(api_key="all", read_only_api_key="read") as s:
        reading = {"api-key": "read"}
        assert (await s.http.get("/snapshots", headers=reading)).status_code == 200
        for method, path in (
            ("POST", "/snapshots"),
            ("DELETE", "/snapshots/x.snapshot"),
            ("POST", URL),
            ("POST", f"{URL}/upload"),
            ("PUT", f"{URL}/recover"),
        ):
            reply = await s.http.request(method, path, headers=reading)
            assert reply.status_code == 403, path


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=7-", 206, slice(7, None)),
        ("bytes=0-1,5-6", 206, None),
        (f"bytes={10**12}-", 416, None),
        ("bytes=5-1", 400, None),
        ("bytes=a-b", 400, None),
        ("bytes", 400, None),
        ("lines=1-2", 400, None),
    ],
)
async def test_ranges_of_a_file(served, asked, status, content):
    async with served() as s:
        await filled(s)
        path = f"{URL}/{(await s.client.create_snapshot('c')).name}"
        whole = (await s.http.get(path)).content
        reply = await s.http.get(path, headers={"range": asked})
        assert reply.status_code == status
        if content is not None:
            assert reply.content == whole[content]
        if status >= 400:
            assert reply.json()["status"]["error"].startswith("Bad request: ")
        if status == 416:
            assert reply.headers["content-range"] == f"bytes */{len(whole)}"


@pytest.mark.parametrize("key", ["a\nb", "\u2100"])
async def test_a_key_that_no_header_can_hold(served, key):
    async with served() as s:
        body = {"location": "http://127.0.0.1:1/x", "api_key": key}
        status, text = await s.refused("PUT", f"{URL}/recover", body)
        assert status == 400
        assert "cannot be asked for" in text


@pytest.fixture
def web(tmp_path):
    """A web server on the loopback with a folder of its own, and one address that leads away."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/away":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.2/x")
                self.end_headers()
            elif self.path == "/short":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"few")
            else:
                super().do_GET()

        def log_message(self, *told):
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_snapshot_is_fetched_from_the_loopback(served, web):
    folder, url = web
    async with served() as s:
        await filled(s)
        before = await contents(s)
        made = await s.client.create_snapshot("c")
        (folder / "x").write_bytes((await s.http.get(f"{URL}/{made.name}")).content)
        await s.client.upsert("c", points=points(3, version=1))
        changed = await contents(s)
        for path in ("/none", "/away", "/short"):
            with pytest.raises(UnexpectedResponse):
                await s.client.recover_snapshot("c", location=url + path)
        with pytest.raises(UnexpectedResponse, match="Checksum mismatch"):
            await s.client.recover_snapshot("c", location=url + "/x", checksum="0" * 64)
        assert await contents(s) == changed
        assert await s.client.recover_snapshot("c", location=url + "/x", checksum=made.checksum)
        assert await contents(s) == before
