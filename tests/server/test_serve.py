"""``asyncstore serve``, over a socket."""

import os
import signal
import socket
import subprocess
import sys
import time
import warnings

import httpx
import pytest
import qdrant_client
from qdrant_client import models as qm


def serve(folder, *options):
    command = [sys.executable, "-m", "asyncstore", "serve", "--store", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def server(tmp_path):
    """A server of a new store: its process and its address."""
    port = free_port()
    process = serve(tmp_path / "store", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, process.communicate()
        try:
            httpx.get(url + "/readyz").raise_for_status()
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline, "no answer within 30 seconds"
            time.sleep(0.05)
    yield process, url
    process.kill()
    process.communicate()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_official_client_takes_it_for_its_own(server, ending):
    process, url = server
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # among them the client's, of versions that do not fit
        client = qdrant_client.QdrantClient(url=url)
        client.create_collection("c", qm.VectorParams(size=2, distance=qm.Distance.DOT))
        client.upsert("c", [qm.PointStruct(id=1, vector=[0.1, 0.2], payload={"a": 1})])
        found = client.query_points("c", query=[1, 1], with_payload=True).points
        client.close()
    assert [(point.id, point.payload) for point in found] == [(1, {"a": 1})]
    process.send_signal(ending)
    assert process.wait(20) == 0


def test_a_server_that_was_killed_has_lost_nothing(server, tmp_path):
    process, url = server
    client = qdrant_client.QdrantClient(url=url)
    client.create_collection("c", qm.VectorParams(size=2, distance=qm.Distance.DOT))
    for i in range(50):
        client.upsert("c", [qm.PointStruct(id=i, vector=[i, 1])], wait=i % 2 == 0)
    process.kill()
    process.wait()
    port = free_port()
    again = serve(tmp_path / "store", "--port", str(port))
    try:
        transport = httpx.HTTPTransport(retries=10)
        with httpx.Client(transport=transport) as http:
            url = f"http://127.0.0.1:{port}/collections/c/points/count"
            assert http.post(url, json={}).json()["result"] == {"count": 50}
    finally:
        again.kill()
        again.communicate()


def test_an_address_in_use_is_said_so(server, tmp_path):
    _, url = server
    second = serve(tmp_path / "other", "--port", url.rsplit(":", 1)[1])
    _, told = second.communicate(timeout=30)
    assert second.returncode == 1
    assert "address already in use" in told


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", "192.168.1.1"])
def test_other_hosts_are_refused(tmp_path, host):
    process = serve(tmp_path / "store", "--host", host)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "must be 127.0.0.1, ::1 or localhost unless service.api_key is set" in told
    assert not os.path.exists(tmp_path / "store")
