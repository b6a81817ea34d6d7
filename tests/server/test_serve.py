"""``asyncstore serve``, over a socket."""

import os
import signal
import warnings

import httpx
import pytest
import qdrant_client
from qdrant_client import models as qm

from serving import running_server, serve


@pytest.fixture
def server(tmp_path):
    """A server of a new store: its process and its address."""
    with running_server(tmp_path / "store") as running:
        yield running.process, running.url


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
    with running_server(tmp_path / "store") as again:
        counted = httpx.post(again.url + "/collections/c/points/count", json={})
        assert counted.json()["result"] == {"count": 50}


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


@pytest.mark.parametrize(("level", "is_told"), [("INFO", False), ("debug", True)])
def test_requests_are_logged_from_a_level_on(tmp_path, monkeypatch, level, is_told):
    monkeypatch.setenv("ASYNCSTORE__LOG_LEVEL", level)
    with running_server(tmp_path / "store") as server:
        server.process.terminate()
        _, told = server.process.communicate(timeout=20)
    assert ("DEBUG asyncstore.server method=GET route=/readyz status=200" in told) is is_told


def test_a_level_that_there_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("ASYNCSTORE__LOG_LEVEL", "loud")
    process = serve(tmp_path / "store")
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert told.startswith("error: log_level: value 'loud' invalid, must be DEBUG, INFO")
