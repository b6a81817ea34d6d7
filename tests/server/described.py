"""Holds what goes over the wire against what the server says of itself."""

import functools
import json
import re

import jsonschema_rs

from asyncstore.server.app import ENDPOINTS
from asyncstore.server.openapi import document

DOCUMENT = json.loads(json.dumps(document(ENDPOINTS)))
JSON = "application/json"
_PATHS = [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), path) for path in DOCUMENT["paths"]]


def resolved(told):
    """What a reference leads to, or what is told itself."""
    while "$ref" in told:
        *_, kind, name = told["$ref"].split("/")
        told = DOCUMENT["components"][kind][name]
    return told


def operation_of(method, raw_path):
    """What is said of a request; None: it leads nowhere."""
    method = "get" if method == "HEAD" else method.lower()
    raw_path = raw_path.split("?")[0].rstrip("/") or "/"
    found = [path for pattern, path in _PATHS if pattern.fullmatch(raw_path)]
    found = [path for path in found if method in DOCUMENT["paths"][path]]
    # Of those that fit, the one without variable parts.
    path = min(found, key=lambda one: one.count("{"), default=None)
    return None if path is None else DOCUMENT["paths"][path][method]


def reply_of(operation, status):
    """What is said of a reply."""
    if operation is None:
        assert status in (404, 405), status
        return DOCUMENT["components"]["responses"][str(status)]
    return resolved(operation["responses"][str(status)])


@functools.cache
def _validator(schema):
    return jsonschema_rs.validator_for({**json.loads(schema), "components": DOCUMENT["components"]})


def _validate(text, content):
    _validator(json.dumps(content["schema"])).validate(json.loads(text))


def check(request, body, response):
    """Raises unless the reply is described, and the request as well if it was answered by 200.

    Args:
        body: What the request carries.
        response: Of which the content has been read.
    """
    operation = operation_of(request.method, request.url.raw_path.decode())
    reply = reply_of(operation, response.status_code)
    media = response.headers["content-type"].split(";")[0]
    assert media in reply["content"], (request.method, request.url, response.status_code, media)
    for name, header in reply.get("headers", {}).items():
        assert name in response.headers or not header.get("required"), (request.url, name)
    if media == JSON and request.method != "HEAD":
        _validate(response.content, reply["content"][JSON])
    carried = (operation or {}).get("requestBody", {}).get("content", {})
    if response.status_code == 200 and JSON in carried:
        _validate(body, carried[JSON])
