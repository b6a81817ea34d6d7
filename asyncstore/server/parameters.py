"""Parameters behind the question mark."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from asyncstore.server.failures import parameter_error, validation_error

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")


@dataclass(frozen=True)
class Parameter:
    """One parameter: what it means, and which values it may have.

    Attributes:
        words: Words that it may be; without any, and without ``least``, it may be any text.
        least: It may be an integer, from this one on; None: it must be a word.
        note: What it does.
    """

    name: str
    note: str
    words: tuple[str, ...] = ()
    least: int | None = None

    def value(self, text: str) -> str | int:
        """The value that a text stands for.

        Raises:
            RequestError: It stands for none.
        """
        if text in self.words or self._is_text:
            return text
        if self.least is None:
            wanted = " or ".join(self.words)
            raise parameter_error(f"{self.name}: must be {wanted}, got {text!r}", "query")
        if _INTEGER.fullmatch(text) is None:
            wanted = " or ".join(("an integer", *self.words))
            raise parameter_error(f"{self.name}: must be {wanted}, got {text!r}", "query")
        value = int(text)
        if value < self.least:
            raise validation_error(
                f"{self.name}: value {value} invalid, must be {self.least} or larger",
                "query parameters",
            )
        return value

    @property
    def schema(self) -> dict[str, Any]:
        """The schema of its values."""
        schemas: list[dict[str, Any]] = []
        if self._is_text:
            schemas.append({"type": "string"})
        elif self.words == FLAG:
            schemas.append({"type": "boolean"})
        elif self.words:
            schemas.append({"type": "string", "enum": list(self.words)})
        if self.least is not None:
            schemas.append({"type": "integer", "minimum": self.least})
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    @property
    def _is_text(self) -> bool:
        return not self.words and self.least is None


FLAG = ("true", "false")

TIMEOUT = Parameter("timeout", "Seconds after which the request is given up.", least=1)
WAIT = Parameter("wait", 'Whether a write says "completed"; it is so in any case.', FLAG)
ORDERING = Parameter("ordering", "Changes nothing.", ("weak", "medium", "strong"))
CONSISTENCY = Parameter("consistency", "Changes nothing.", ("majority", "quorum", "all"), least=1)
