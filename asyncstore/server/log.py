"""What the server logs: one line for each request and each step of its life, as text or as JSON.

Both have the same fields: ``name=value`` behind each other, or a key each.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

import msgspec

from asyncstore.config import LogFormat
from asyncstore.errors import InvalidArgumentError

_logger = logging.getLogger("asyncstore.server")

# Keys that are wrong, bodies that are too large or do not come.
_SUSPICIOUS = {401, 403, 408, 413}


def configure(level: str, log_format: LogFormat) -> None:
    """Sends what is logged to standard error: of asyncstore from ``level`` on, else warnings.

    Raises:
        InvalidArgumentError: There is no such level.
    """
    known = logging.getLevelNamesMapping()
    if level.upper() not in known:
        raise InvalidArgumentError(f"log_level: must be one of {', '.join(known)}, got {level!r}")
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if log_format is LogFormat.JSON else _text())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("asyncstore").setLevel(known[level.upper()])


def event(text: str, level: int = logging.INFO, **fields: object) -> None:
    """Logs a step of the server's life."""
    if _logger.isEnabledFor(level):
        _logger.log(level, "%s", f"{text} {_words(fields)}", extra=_extra(text, fields))


def request(method: str, route: str, status: int, seconds: float) -> None:
    """Logs a request that has been answered; ``route`` is its path with the names left open."""
    level = _level(status)
    if _logger.isEnabledFor(level):
        ms = round(seconds * 1e3, 1)
        fields = {"method": method, "route": route, "status": status, "ms": ms}
        _logger.log(level, "%s", _words(fields), extra=_extra("request", fields))


def _level(status: int) -> int:
    """Of what is logged about a request: clients that may mean harm are worth a warning."""
    if status in _SUSPICIOUS:
        return logging.WARNING
    return logging.DEBUG if status < 400 else logging.INFO


def _words(fields: dict[str, object]) -> str:
    return " ".join(f"{name}={_word(str(value))}" for name, value in fields.items())


def _word(text: str) -> str:
    """Nobody shall write lines of his own by what he asks for."""
    return text if text.isprintable() and " " not in text else repr(text)


def _extra(text: str, fields: dict[str, object]) -> dict[str, object]:
    return {"asyncstore_event": (text, fields)}


def _text() -> logging.Formatter:
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    return formatter


class _Json(logging.Formatter):
    """One object a line: time, level, logger, message, the fields, and where it failed."""

    def format(self, record: logging.LogRecord) -> str:
        text, fields = getattr(record, "asyncstore_event", (record.getMessage(), {}))
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": text,
            **fields,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()
