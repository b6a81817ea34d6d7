"""Requests made from the server's own description, right ones and spoiled ones.

No request may end in a 5xx, and no reply may be another than the description says. The test sends
some hundred within its process; ``make api-fuzz`` as many as wanted to a server of its own::

    PYTHONPATH=tests python tests/server/api_fuzzer.py --requests 20000 --seed 1

Every endpoint is asked, most requests being about a collection, an alias and snapshots that are
there; the server has keys, of which some requests have the wrong one or none. Of methods only those
that are described are asked: ``test_methods.py`` has the others.
"""

import argparse
import contextlib
import math
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import hypothesis
import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from awaiting import await_ready

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# Of dimension 1, so that a list of a single number is a vector of it.
VECTORS = {"size": 1, "distance": "Dot"}
POINTS = [
    {"id": i, "vector": {"": [i / 3]}, "payload": {"": [i, True], "0": {"0": str(i)}, "k": i}}
    for i in range(20)
]
# What stands in the place of something of another type.
WRONG = [None, True, -1, 0, 2**64, 2**200, 1.5, -0.0, 1e308, "", "x", "\x00", "0", [], {}, [[]]]
WRONG += [[0.0], [[0.5]], {"": []}, {"indices": [1], "values": [2]}, [None], "\U0001f600" * 300]
KEYS = {"api_key": "secret", "read_only_api_key": "look"}
# Of what a request is asked with; mostly the key that may do everything.
HEADERS = [{"api-key": "look"}, {"authorization": "Bearer look"}, {"api-key": "secre"}, {}]
HEADERS += [{"api-key": "secret"}] * 30 + [{"authorization": "Bearer secret"}] * 10
RANGES = ["bytes=0-9", "bytes=-3", "bytes=0-1,5-6", "bytes=9-1", f"bytes={2**64}-", "lines=1-2"]
LOCATIONS = ["file:///x", "file:///dev/null", "file://elsewhere/x", "file:///" + "x" * 300, "x"]
LOCATIONS += ["file:///", "file:///%00", "http://127.0.0.1:1/x", "http://localhost:x/", "http://["]
LOCATIONS += ["http://localhost/\xe9", "http://localhost/ \n", "http://example.org/x", "ftp://x/y"]
NAMES = {"collection_name": ["c", "d"], "alias_name": ["a", "b", "c"]}
NAMES |= {"old_alias_name": ["a", "b"], "new_alias_name": ["a", "b", "c"]}
_OF_SNAPSHOTS = "snapshots"
_SNAPSHOTS_MAX = 5  # of a collection, or of the store
_TRIES_MAX = 1000


def operations(description):
    """What can be asked, with a strategy for right requests of each."""
    schema = schemathesis.openapi.from_dict(description)
    return [result.ok() for result in schema.get_all_operations()]


class Fuzzer:
    """Sends requests by ``send(method, path, **rest)``, which is as httpx's ``request``."""

    def __init__(self, send):
        self.statuses = Counter()
        self._send = send
        self._snapshots = {}  # the name of one, of the collection and of the store
        self._folder = self._asked("GET", "/telemetry").json()["result"]["id"] + "/snapshots"
        self._content = b""  # of a snapshot

    def run(self, operation, requests, seed):
        """Sends as many requests of an operation.

        Raises:
            FailureGroup: A reply is wrong; the request is told.
        """

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=requests,
            deadline=None,
            database=None,
            phases=[hypothesis.Phase.generate],  # to find the smallest takes minutes
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(operation.as_strategy(), st.integers(0, 2**32))
        def one(case, number):
            self._prepare(operation.path)
            self._shape(case, random.Random(number))
            response = self._send(**as_httpx(case.as_transport_kwargs("http://store")))
            self.statuses[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        one()

    def _prepare(self, path):
        """What most requests are about; it may have been deleted."""
        if not self._asked("GET", "/collections/c/exists").json()["result"]["exists"]:
            body = {"vectors": {"": VECTORS}, "sparse_vectors": {"s": {}}}
            # 409: a recovery behind an earlier reply was just putting it in its place.
            self._asked("PUT", "/collections/c", statuses=(200, 409), json=body)
            self._asked("PUT", "/collections/c/points", json={"points": POINTS})
        if _OF_SNAPSHOTS in path:
            for folder in ("/collections/c/snapshots", "/snapshots"):
                self._snapshots[folder] = self._snapshot(folder)

    def _snapshot(self, folder):
        """The name of one that is there, of a few."""
        for _ in range(_TRIES_MAX):  # for the same reason
            listed = self._asked("GET", folder, statuses=(200, 404))
            if listed.status_code == 200:
                break
        names = [one["name"] for one in listed.json()["result"]]
        for name in names[_SNAPSHOTS_MAX:]:
            self._asked("DELETE", f"{folder}/{name}")
        name = names[0] if names else self._asked("POST", folder).json()["result"]["name"]
        if not self._content:
            self._content = self._asked("GET", f"{folder}/{name}").content
        return name

    def _asked(self, method, path, statuses=(200,), **rest):
        reply = self._send(method, path, headers={"api-key": KEYS["api_key"]}, **rest)
        assert reply.status_code in statuses, reply.text
        return reply

    def _shape(self, case, draw):
        """Aims most requests at what is there, and spoils some bodies."""
        known = {"collection_name": "c", "point_id": "3", "field_name": "k"}
        if "snapshot_name" in (case.path_parameters or {}):
            folder = case.operation.path.removesuffix("/{snapshot_name}")
            known["snapshot_name"] = self._snapshots[folder.format(collection_name="c")]
        for name, value in known.items():
            if name in (case.path_parameters or {}) and draw.random() < 0.8:
                case.path_parameters[name] = value
        headers = {name.lower(): value for name, value in (case.headers or {}).items()}
        headers = {name: headers[name] for name in headers.keys() - {"api-key", "authorization"}}
        if "range" in headers and draw.random() < 0.7:
            headers["range"] = draw.choice(RANGES)
        case.headers = headers | draw.choice(HEADERS)
        if case.media_type == "multipart/form-data":
            if draw.random() < 0.4:
                case.body = {"snapshot": self._content}
        elif isinstance(case.body, dict | list):
            case.body = self._aimed(case.body, draw)
            if draw.random() < 0.4:
                case.body = spoiled(case.body, draw)

    def _aimed(self, body, draw):
        """The body with names and places that mean something."""
        if isinstance(body, list):
            return [self._aimed(one, draw) for one in body]
        if not isinstance(body, dict):
            return body
        aimed = {key: self._aimed(one, draw) for key, one in body.items()}
        for key in aimed.keys() & NAMES.keys():
            aimed[key] = draw.choice(NAMES[key])
        if "location" in aimed:
            there = f"file://{self._folder}/c/{self._snapshots['/collections/c/snapshots']}"
            aimed["location"] = draw.choice([*LOCATIONS, *[there] * 8])
        return aimed


def as_httpx(arguments):
    """The arguments of a request as httpx takes them, which is strict where requests is not."""
    headers = {name: value.encode("latin-1") for name, value in arguments["headers"].items()}
    taken = {**arguments, "headers": headers}
    taken.pop("cookies", None)
    if "files" in taken:
        taken["files"] = [
            (name, (file, content if isinstance(content, bytes) else str(content)))
            for name, (file, content) in taken["files"]
        ]
    return taken


def whole(request):
    """A request whose content is there, so that it can be told when the reply is wrong."""
    request.read()
    return request


def spoiled(body, draw):
    """The body with something else at one place."""
    if not isinstance(body, dict | list) or not body or draw.random() < 0.15:
        return draw.choice(WRONG)
    copy = body.copy()
    keys = list(copy) if isinstance(copy, dict) else range(len(copy))
    key = draw.choice(list(keys))
    copy[key] = spoiled(copy[key], draw)
    return copy


@contextlib.contextmanager
def server():
    """A server of a new store: a client of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="asyncstore-api-") as folder:
        command = [sys.executable, "-m", "asyncstore", "serve"]
        command += ["--store", str(Path(folder) / "store"), "--port", str(port)]
        keys = {f"ASYNCSTORE__SERVICE__{name.upper()}": key for name, key in KEYS.items()}
        process = subprocess.Popen(command, env=os.environ | keys)
        url = f"http://127.0.0.1:{port}"
        try:
            await_ready(process, url)
            with httpx.Client(base_url=url, timeout=60) as client:
                yield client
            assert process.poll() is None, "the server has ended"
        finally:
            process.terminate()
            process.wait(60)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("--requests", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=None)
    arguments.add_argument("--only", help="METHOD PATH of one operation")
    given = arguments.parse_args()
    seed = random.randrange(2**32) if given.seed is None else given.seed
    with server() as client:
        base = str(client.base_url)

        def send(method, url, **rest):
            url = url.replace("http://store", base)
            return client.send(whole(client.build_request(method, url, **rest)))

        asked = operations(client.get("/openapi.json").json())
        share = math.ceil(given.requests / len(asked))
        asked = [one for one in asked if given.only in (None, one.label)]
        fuzzer, begin, failed = Fuzzer(send), time.monotonic(), []
        for operation in asked:
            try:
                fuzzer.run(operation, share, seed)
            except (Exception, FailureGroup) as error:
                failed.append(operation.label)
                print(f"{operation.label}: {error}")
        for status, count in sorted(fuzzer.statuses.items()):
            print(f"{status}  {count:7,}")
        seconds = time.monotonic() - begin
        print(f"{fuzzer.statuses.total():,} requests of {len(asked)} operations, {seconds:.0f} s")
        for label in failed:
            print(
                f"repeat with: python {sys.argv[0]} --seed {seed} --requests {given.requests} "
                f"--only '{label}'"
            )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
