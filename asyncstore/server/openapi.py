"""``GET /openapi.json``: what the server answers, made from its endpoints and their types."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from asyncstore.names import NAME_CHARACTERS_MAX
from asyncstore.server.access import Need
from asyncstore.server.endpoint import Call, Endpoint
from asyncstore.server.json_schema import Schema, Schemas
from asyncstore.version import __version__

_SCHEMAS = "#/components/schemas"
_JSON = "application/json"

_NAME = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
_IN_PATH: dict[str, Any] = {"collection_name": _NAME}
_SOME = Annotated[str, msgspec.Meta(min_length=1)]

# Of answers without an envelope.
_MEDIA: dict[type[Response], tuple[str, Schema]] = {
    PlainTextResponse: ("text/plain", {"type": "string"}),
    JSONResponse: (_JSON, {"type": "object"}),
    FileResponse: ("application/octet-stream", {"type": "string", "format": "binary"}),
}

_ERROR: Schema = {
    "description": "What was wrong.",
    "type": "object",
    "properties": {
        "status": {
            "type": "object",
            "properties": {"error": {"type": "string"}},
            "required": ["error"],
        },
        "time": {"type": "number"},
    },
    "required": ["status", "time"],
}
_REFUSALS = {
    400: "It has the wrong shape, or does not fit the collection.",
    401: "There is no API key, or an unknown one.",
    403: "The key is for reading only.",
    404: "There is nothing of this name or id.",
    408: "It was not done in time.",
    409: "There is one of this name.",
    413: "The body is larger than the server's configuration allows.",
    422: "A value is out of its bounds.",
    500: "Something failed; the server's log says what.",
    503: "The store is being closed, or the server has too much to do.",
}


def endpoint(endpoints: Sequence[Endpoint[Any]]) -> Endpoint[Any]:
    """The endpoint that describes others, and itself if it is put among them."""
    text: list[bytes] = []  # made when it is asked for first

    async def openapi(call: Call[None]) -> JSONResponse:
        """This description of what the server answers."""
        if not text:
            text.append(msgspec.json.encode(document(endpoints)))
        return _Encoded(text[0])

    return Endpoint("GET", "/openapi.json", openapi, need=Need.NOTHING)


class _Encoded(JSONResponse):
    def render(self, content: Any) -> bytes:
        return bytes(content)


def document(endpoints: Sequence[Endpoint[Any]]) -> dict[str, Any]:
    """An OpenAPI document of these endpoints."""
    schemas = Schemas(_SCHEMAS)
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas)
    refused = {
        str(status): {"description": text, "content": {_JSON: {"schema": _ref("Refusal")}}}
        for status, text in _REFUSALS.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "asyncstore", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {**schemas.components, "Refusal": _ERROR},
            "responses": refused,
            "securitySchemes": {
                "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"api-key": []}, {"bearer": []}],
    }


def _operation(one: Endpoint[Any], schemas: Schemas) -> dict[str, Any]:
    summary = inspect.cleandoc(one.answer.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    responses = {"200": {"description": "Done.", "content": _content(one, schemas)}}
    for status in _refusals(one):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    operation: dict[str, Any] = {
        "operationId": _operation_id(one),
        "summary": summary,
        "parameters": [*_path_parameters(one, schemas), *_query_parameters(one)],
        "responses": responses,
    }
    if one.body is not None:
        content = {_JSON: {"schema": schemas.of(one.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _operation_id(one: Endpoint[Any]) -> str:
    words = re.findall(r"\w+", one.path)
    return "_".join([one.method.lower(), *words])


def _path_parameters(one: Endpoint[Any], schemas: Schemas) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": schemas.of(_IN_PATH.get(name, _SOME)),
        }
        for name in re.findall(r"{(\w+)}", one.path)
    ]


def _query_parameters(one: Endpoint[Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": parameter.name,
            "in": "query",
            "description": parameter.note,
            "schema": parameter.schema,
        }
        for parameter in one.parameters
    ]


def _content(one: Endpoint[Any], schemas: Schemas) -> dict[str, Any]:
    """The reply of an endpoint that worked."""
    result = typing.get_type_hints(one.answer, include_extras=True)["return"]
    if result in _MEDIA:
        media, schema = _MEDIA[result]
        return {media: {"schema": schema}}
    envelope = {
        "type": "object",
        "properties": {
            "result": schemas.of(result),
            "status": {"const": "ok"},
            "time": {"type": "number"},
        },
        "required": ["result", "status", "time"],
    }
    return {_JSON: {"schema": envelope}}


def _refusals(one: Endpoint[Any]) -> list[int]:
    statuses = {500, 503}
    if one.need is not Need.NOTHING:
        statuses.add(401)
    if one.need is Need.WRITE:
        statuses.add(403)
    if one.parameters or one.body is not None or "{" in one.path:
        statuses |= {400, 422}
    if one.parameters:
        statuses.add(408)
    if one.body is not None:
        statuses |= {408, 413}
    if "{" in one.path:
        statuses.add(404)
    if one.method == "PUT":
        statuses.add(409)
    return sorted(statuses)


def _ref(name: str) -> Schema:
    return {"$ref": f"{_SCHEMAS}/{name}"}
