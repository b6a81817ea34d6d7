"""``GET /openapi.json``: what the server answers, made from its endpoints and their types."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from starlette.responses import JSONResponse, PlainTextResponse

from asyncstore.names import NAME_CHARACTERS_MAX
from asyncstore.server import files
from asyncstore.server.access import Need
from asyncstore.server.endpoint import Call, Endpoint
from asyncstore.server.json_schema import Like, Schema, Schemas
from asyncstore.version import __version__

_SCHEMAS = "#/components/schemas"
_JSON = "application/json"

_NAME = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
_IN_PATH: dict[str, Any] = {"collection_name": _NAME}
_SOME = Annotated[str, msgspec.Meta(min_length=1)]

_ABOUT = (
    "HEAD is answered as GET is, without the body. What leads to no endpoint is refused in the "
    "envelope as well: a path by 404, a method that a path has not by 405."
)

_TEXT: Schema = {"text/plain": {"schema": {"type": "string"}}}
# It is asked for while the store is being opened, and told how far that is.
_TOLD_AS_TEXT = "/readyz"
_BINARY: Schema = {"schema": {"type": "string", "format": "binary"}}
_RANGE: Schema = {
    "name": "Range",
    "in": "header",
    "description": "Which bytes of the file are wanted.",
    "schema": {"type": "string"},
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
    405: "The path has other methods.",
    408: "It was not done in time, or has not come in time.",
    409: "There is one of this name.",
    413: "The body is larger than the configuration allows, or than the disk has room for.",
    416: "The file has no such range.",
    422: "A value is out of its bounds.",
    431: "Path and headers are too large.",
    500: "Something failed; the server's log says what.",
    503: "The store is being opened or closed, or there are too many connections.",
}
# Of any request: from the connection, or because something failed.
_OF_ANY = {400, 408, 431, 500, 503}
_CLOSE: Schema = {"Connection": {"required": True, "schema": {"const": "close"}}}
_HEADERS: dict[int, Schema] = {
    405: {"Allow": {"required": True, "schema": {"type": "string"}}},
    408: _CLOSE,
    413: _CLOSE,
    416: {"Content-Range": {"required": True, "schema": {"type": "string"}}},
    431: _CLOSE,
    503: {
        "Retry-After": {
            "description": "In how many seconds to ask again, while the store is being opened.",
            "schema": {"type": "integer"},
        }
    },
}


def endpoint(endpoints: Sequence[Endpoint[Any]]) -> Endpoint[Any]:
    """The endpoint that describes others, and itself if it is put among them."""
    text: list[bytes] = []  # made when it is asked for first

    async def openapi(call: Call[None]) -> Annotated[JSONResponse, Like(dict[str, object])]:
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
    refused = {str(status): _refusal(status) for status in _REFUSALS}
    return {
        "openapi": "3.1.0",
        "info": {"title": "asyncstore", "version": __version__, "description": _ABOUT},
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
    result = _result(one)
    responses = _answers(result, schemas)
    for status in sorted(_refusals(one) - {int(status) for status in responses}):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    if one.path == _TOLD_AS_TEXT:
        refusal = _refusal(503)
        responses["503"] = {**refusal, "content": {**refusal["content"], **_TEXT}}
    operation: dict[str, Any] = {
        "operationId": _operation_id(one),
        "summary": summary,
        "parameters": [*_path_parameters(one, schemas), *_query_parameters(one)],
        "responses": responses,
    }
    if result is files.Download:
        operation["parameters"].append(_RANGE)
    if one.need is Need.NOTHING:
        operation["security"] = []
    for media, body in ((_JSON, one.body), ("multipart/form-data", one.form)):
        if body is not None:
            content = {media: {"schema": schemas.of(body)}}
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


def _result(one: Endpoint[Any]) -> Any:
    return typing.get_type_hints(one.answer, include_extras=True)["return"]


def _answers(result: Any, schemas: Schemas) -> dict[str, Any]:
    """The replies of an endpoint that worked, by their status."""
    if result is files.Download:
        return {
            "200": {"description": "The file.", "content": {files.MEDIA_TYPE: _BINARY}},
            "206": {
                "description": "Ranges of the file.",
                "content": {files.MEDIA_TYPE: _BINARY, files.RANGES_MEDIA_TYPE: _BINARY},
            },
            "416": _refusal(416),
        }
    is_union = typing.get_origin(result) in (typing.Union, types.UnionType)
    members = typing.get_args(result) if is_union else ()
    if files.Accepted not in members:
        return {"200": {"description": "Done.", "content": _content(result, schemas)}}
    (done,) = (member for member in members if member is not files.Accepted)
    return {
        "200": {"description": "Done.", "content": _content(done, schemas)},
        "202": {"description": "It will be done.", "content": _json(_envelope("accepted"))},
    }


def _content(result: Any, schemas: Schemas) -> dict[str, Any]:
    """The reply that carries a result."""
    if result is PlainTextResponse:
        return _TEXT
    if _is_bare(result):
        _, told = typing.get_args(result)
        return _json(schemas.of(told.kind))
    envelope = _envelope("ok")
    envelope["properties"]["result"] = schemas.of(result)
    envelope["required"].append("result")
    return _json(envelope)


def _is_bare(result: Any) -> bool:
    """Whether it is JSON without the envelope, ``Annotated[JSONResponse, Like(...)]``."""
    return typing.get_origin(result) is Annotated and typing.get_args(result)[0] is JSONResponse


def _envelope(status: str) -> Schema:
    return {
        "type": "object",
        "properties": {"status": {"const": status}, "time": {"type": "number"}},
        "required": ["status", "time"],
    }


def _refusal(status: int) -> dict[str, Any]:
    """A reply in the envelope that says what was wrong."""
    refusal = {"description": _REFUSALS[status], "content": _json(_ref("Refusal"))}
    if status in _HEADERS:
        refusal["headers"] = _HEADERS[status]
    return refusal


def _json(schema: Schema) -> dict[str, Any]:
    return {_JSON: {"schema": schema}}


def _refusals(one: Endpoint[Any]) -> set[int]:
    statuses = _OF_ANY | set(one.refusals)
    if one.need is not Need.NOTHING:
        statuses.add(401)
    if one.need is Need.WRITE:
        statuses.add(403)
    if one.body is not None or one.form is not None:
        statuses |= {413, 422}
    if "{collection_name}" in one.path or any(
        parameter.least is not None for parameter in one.parameters
    ):
        statuses.add(422)
    if "{" in one.path and not one.may_be_absent:
        statuses.add(404)
    return statuses


def _ref(name: str) -> Schema:
    return {"$ref": f"{_SCHEMAS}/{name}"}
