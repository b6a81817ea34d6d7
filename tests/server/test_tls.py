"""HTTPS: by the official client, with certificates of clients, and with files that are wrong."""

import json
import os
import ssl
import time
import warnings
from pathlib import Path

import httpx
import pytest
import qdrant_client
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from qdrant_client import models as qm

from asyncstore import Config, InvalidArgumentError
from asyncstore.server import tls
from certificates import Files
from serving import running_server, serve


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def written(folder: Path, config: dict) -> str:
    """The path of a file with it; YAML takes JSON."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    return str(path)


def test_the_official_client_over_https(tmp_path, files, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
    config = written(tmp_path, files.config())
    with running_server(tmp_path / "store", "--config", config, trust=files.trust) as server:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            client = qdrant_client.QdrantClient(url=server.url)
            client.create_collection("c", qm.VectorParams(size=2, distance=qm.Distance.DOT))
            client.upsert("c", [qm.PointStruct(id=1, vector=[0.1, 0.2], payload={"a": 1})])
            found = client.query_points("c", query=[1, 1], with_payload=True).points
            client.close()
        assert [(point.id, point.payload) for point in found] == [(1, {"a": 1})]
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(server.url, verify=ssl.create_default_context(cafile=_other_ca(tmp_path)))
        with pytest.raises(httpx.RemoteProtocolError):  # plain HTTP is not answered
            httpx.get(server.url.replace("https", "http"))
        server.process.terminate()
        told, _ = server.process.communicate(timeout=20)
        assert server.process.returncode == 0
        assert told.startswith("https://127.0.0.1:")


def _other_ca(folder: Path) -> Path:
    path = folder / "other.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def test_clients_show_certificates(tmp_path, files):
    service = {"verify_https_client_certificate": True}
    config = written(tmp_path, files.config(service=service, ca_cert=str(files.ca)))
    known = files.trust
    files.authority.issue_cert("client").configure_cert(known)
    with running_server(tmp_path / "store", "--config", config, trust=known) as server:
        stranger = files.trust
        trustme.CA().issue_cert("client").configure_cert(stranger)
        for refused in (files.trust, stranger):
            with pytest.raises(httpx.TransportError):
                httpx.get(server.url, verify=refused)
        assert httpx.get(server.url + "/healthz", verify=known).status_code == 200


def test_a_renewed_certificate_is_taken_over(tmp_path, files):
    config = written(tmp_path, files.config(cert_ttl=1))
    with running_server(tmp_path / "store", "--config", config, trust=files.trust) as server:
        address = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        before = ssl.get_server_certificate(address)
        issued = files.issue()
        wanted = issued.cert_chain_pems[0].bytes().decode()
        assert wanted.split() != before.split()
        _until(lambda: ssl.get_server_certificate(address).split() == wanted.split())
        # What cannot be read changes nothing.
        files.key.write_text("not a key")
        told = "the certificate stays the one from before: tls.key:"
        assert any(told in line for line in server.process.stderr)
        assert ssl.get_server_certificate(address).split() == wanted.split()


def _until(condition, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def context_of(config: dict) -> ssl.SSLContext | None:
    return tls.context_of(Config.load(config, environment={}))


def test_no_context_where_none_is_asked_for(files):
    config = files.config(service={"enable_tls": False})
    assert context_of(config) is None


def test_old_versions_are_refused(files):
    context = context_of(files.config())
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("name", ["cert", "key"])
def test_a_file_that_is_not_there(files, tmp_path, name):
    nowhere = tmp_path / "nowhere.pem"
    with pytest.raises(InvalidArgumentError) as caught:
        context_of(files.config(**{name: str(nowhere)}))
    assert str(caught.value) == f"tls.{name}: {nowhere} cannot be read: No such file or directory"


def test_authorities_that_are_not_there(files, tmp_path):
    service = {"verify_https_client_certificate": True}
    with pytest.raises(InvalidArgumentError, match=r"tls.ca_cert: .*nowhere.* cannot be read"):
        context_of(files.config(service=service, ca_cert=str(tmp_path / "nowhere")))


@pytest.mark.parametrize(
    ("name", "what"), [("cert", "certificate"), ("key", "private key"), ("ca_cert", "certificate")]
)
def test_a_file_that_holds_something_else(files, name, what):
    other = files.cert if name == "key" else files.key
    service = {"verify_https_client_certificate": True}
    paths = {"ca_cert": str(files.ca), name: str(other)}
    with pytest.raises(InvalidArgumentError) as caught:
        context_of(files.config(service=service, **paths))
    assert str(caught.value) == f"tls.{name}: {other} holds no {what} in PEM format"


def test_a_key_of_another_certificate(files, tmp_path):
    other = tmp_path / "other.key"
    files.authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(other)
    with pytest.raises(InvalidArgumentError) as caught:
        context_of(files.config(key=str(other)))
    sentence = f"tls.key: {other} is not the key of the certificate in {files.cert} (tls.cert)"
    assert str(caught.value) == sentence


def test_a_key_with_a_passphrase(files):
    key = load_pem_private_key(files.key.read_bytes(), None)
    secret = BestAvailableEncryption(b"secret")
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    with pytest.raises(InvalidArgumentError, match=r"tls.key: is encrypted"):
        context_of(files.config())


def test_a_damaged_certificate(files):
    lines = files.cert.read_text().splitlines()
    files.cert.write_text("\n".join([lines[0], "!" * 64, *lines[2:]]))
    with pytest.raises(InvalidArgumentError, match=r"tls.cert, tls.key: .*cannot be used"):
        context_of(files.config())


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"service": {"enable_tls": True}},
            "service.enable_tls is true, but there is no tls.cert, tls.key",
        ),
        (
            {"service": {"enable_tls": True}, "tls": {"cert": "a.pem"}},
            "service.enable_tls is true, but there is no tls.key",
        ),
        (
            {
                "service": {"enable_tls": True, "verify_https_client_certificate": True},
                "tls": {"cert": "a.pem", "key": "b.pem"},
            },
            "service.enable_tls is true, but there is no tls.ca_cert",
        ),
        (
            {"service": {"verify_https_client_certificate": True}},
            "service.verify_https_client_certificate is true, but service.enable_tls is false",
        ),
    ],
)
def test_settings_that_are_not_enough(config, sentence):
    with pytest.raises(InvalidArgumentError) as caught:
        Config.load(config, environment={})
    assert sentence in str(caught.value)


def test_serving_fails_before_a_store_is_made(tmp_path, files):
    os.remove(files.key)
    config = written(tmp_path, files.config())
    process = serve(tmp_path / "store", "--config", config)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert told == f"error: tls.key: {files.key} cannot be read: No such file or directory\n"
    assert not (tmp_path / "store").exists()
