"""Files that are deleted while they are sent, or just before."""

import json

import anyio
import pytest

from asyncstore.server.files import Download

pytestmark = pytest.mark.asyncio

CONTENT = bytes(range(256)) * 4096


async def sent(download, headers=(), meanwhile=lambda: None):
    """Status and body; `meanwhile` is called between the two."""
    messages = []

    async def send(message):
        messages.append(message)
        if message["type"] == "http.response.start":
            meanwhile()

    async def receive():  # nothing more comes from the client
        await anyio.sleep_forever()

    scope = {"type": "http", "method": "GET", "headers": list(headers), "extensions": {}}
    await download(scope, receive, send)
    return messages[0]["status"], b"".join(one.get("body", b"") for one in messages)


@pytest.mark.parametrize("asked", [None, "bytes=1000-900000", "bytes=0-9,600000-700000"])
async def test_a_file_deleted_while_it_is_sent_is_sent_whole(tmp_path, asked):
    file = tmp_path / "one.snapshot"
    file.write_bytes(CONTENT)
    headers = [] if asked is None else [(b"range", asked.encode())]
    status, body = await sent(Download(file, file.name), headers, file.unlink)
    assert not file.exists()
    assert status == (200 if asked is None else 206)
    for first, last in {
        None: [(0, len(CONTENT) - 1)],
        "bytes=1000-900000": [(1000, 900_000)],
        "bytes=0-9,600000-700000": [(0, 9), (600_000, 700_000)],
    }[asked]:
        assert CONTENT[first : last + 1] in body


async def test_a_file_deleted_before_it_is_sent_is_not_found(tmp_path):
    file = tmp_path / "one.snapshot"
    file.write_bytes(CONTENT)
    download = Download(file, file.name)
    file.unlink()
    status, body = await sent(download)
    assert status == 404
    assert (
        json.loads(body)["status"]["error"] == "Not found: Snapshot `one.snapshot` doesn't exist!"
    )
