"""A file that is uploaded, taken from a multipart body as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from asyncstore.archive import PART_BYTES
from asyncstore.server.failures import RequestError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FIELD = b"snapshot"
_HEADERS_BYTES_MAX = 16 << 10  # of all parts


async def snapshot_parts(request: Request) -> AsyncIterator[bytes]:
    """The content of the field ``snapshot``, in pieces of about a megabyte.

    Raises:
        RequestError: The body is no multipart form, ends too early, or has no such field.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise _refused("Content-Type must be multipart/form-data with a boundary")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
            if len(form.content) >= PART_BYTES:
                yield form.taken()
        parser.finalize()
    except FormParserError as error:
        raise _refused(str(error)) from error
    if not form.is_complete:
        raise _refused("the form has no field `snapshot`, or it is not whole")
    yield form.taken()


class _Form:
    """What the parser has come to."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.is_complete = False
        self._is_wanted = False
        self._field = bytearray()
        self._value = bytearray()
        self._headers_bytes = 0

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
        }

    def taken(self) -> bytes:
        """What has come in since the last call."""
        content = bytes(self.content)
        self.content.clear()
        return content

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, size_bytes: int) -> None:
        self._headers_bytes += size_bytes
        if self._headers_bytes > _HEADERS_BYTES_MAX:
            raise _refused(f"the headers of the form are larger than {_HEADERS_BYTES_MAX} bytes")

    def _on_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._is_wanted = options.get(b"name") == _FIELD and not self.is_complete
        self._field.clear()
        self._value.clear()

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_wanted:
            self.content += data[start:end]

    def _on_part_end(self) -> None:
        self.is_complete = self.is_complete or self._is_wanted
        self._is_wanted = False


def _refused(detail: str) -> RequestError:
    return RequestError(400, f"Bad request: {detail}")
