"""Holds what goes over the wire against what the server says of itself."""

import functools
import json
import re

import jsonschema_rs

from asyncstore.server.app import ENDPOINTS
from asyncstore.server.openapi import document

DOCUMENT = json.loads(json.dumps(document(ENDPOINTS)))
_PATHS = [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), path) for path in DOCUMENT["paths"]]


@functools.cache
def _validators(method, path):
    """Of the request's body and of the reply; None where there is nothing to check."""
    operation = DOCUMENT["paths"][path][method]

    def of(content):
        if "application/json" not in content:
            return None
        schema = content["application/json"]["schema"]
        return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})

    body = operation.get("requestBody", {}).get("content", {})
    return of(body), of(operation["responses"]["200"]["content"])


def check(method, raw_path, status, body, reply):
    """Raises unless a request that was answered by 200 is described, and so is the reply."""
    raw_path = raw_path.split("?")[0].rstrip("/") or "/"
    found = [path for pattern, path in _PATHS if pattern.fullmatch(raw_path)]
    if status != 200:
        return
    # Of those that fit, the one without variable parts.
    path = min(found, key=lambda one: one.count("{"))
    of_body, of_reply = _validators(method.lower(), path)
    if of_body is not None:
        of_body.validate(json.loads(body))
    if of_reply is not None:
        of_reply.validate(json.loads(reply))
