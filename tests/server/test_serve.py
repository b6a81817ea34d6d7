"""``asyncstore serve``, over a socket."""

import json
import os
import re
import signal
import warnings

import httpx
import pytest
import qdrant_client
from qdrant_client import models as qm

from serving import free_port, running_server, serve


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
    assert "Traceback" not in told
    assert not os.path.exists(tmp_path / "other")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", "192.168.1.1"])
def test_other_hosts_are_refused(tmp_path, host):
    process = serve(tmp_path / "store", "--host", host)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "must be 127.0.0.1, ::1 or localhost unless service.api_key is set" in told
    assert not os.path.exists(tmp_path / "store")


def test_what_is_no_store_is_said_so(tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear reader")
    process = serve(folder, "--port", str(free_port()))
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert told.splitlines()[-1].startswith(f"error: '{folder}' is not a store")
    assert "Traceback" not in told


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_server_logs_its_life_and_its_requests(tmp_path, log_format):
    environment = {"ASYNCSTORE__LOG_FORMAT": log_format, "ASYNCSTORE__LOG_LEVEL": "DEBUG"}
    with running_server(tmp_path / "store", environment=environment) as server:
        httpx.get(server.url + "/collections/none")
        server.process.send_signal(signal.SIGTERM)
        _, told = server.process.communicate(timeout=30)
    assert server.process.returncode == 0
    lines = told.splitlines()
    if log_format == "text":
        line = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ [\w.]+: .+")
        assert all(line.fullmatch(one) for one in lines), lines
        of_request = "method=GET route=/collections/{collection_name} status=404 ms="
        assert sum(f"INFO asyncstore.server: {of_request}" in one for one in lines) == 1
        return
    events = [json.loads(line) for line in lines]
    assert all({"time", "level", "logger", "message"} <= set(event) for event in events)
    own = [event for event in events if event["logger"] == "asyncstore.server"]
    start, ready, stop = (event for event in own if event["message"] in ("start", "ready", "stop"))
    assert (start["message"], start["pid"]) == ("start", server.process.pid)
    assert server.url.endswith(f":{start['port']}")
    assert ready["message"] == "ready"
    assert (ready["collections"], ready["reader"]) in ((0, "io_uring"), (0, "mmap"))
    assert 0 < ready["seconds"] <= stop["seconds"]
    (request,) = (event for event in own if event.get("status") == 404)
    assert (request["method"], request["level"]) == ("GET", "INFO")
    assert request["route"] == "/collections/{collection_name}"
    assert request["ms"] >= 0


def test_a_level_that_there_is_not_is_refused(tmp_path):
    process = serve(tmp_path / "store", environment={"ASYNCSTORE__LOG_LEVEL": "LOUD"})
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "log_level: must be one of" in told
