"""JSON paths into payloads that have been read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from asyncstore.payload import check_path

# A key, an index into an array, or None for all elements of one.
Step: TypeAlias = str | int | None

_STEP = re.compile(r'\.?(?:"([^"]*)"|([^."\[\]]+))|\[(\d*)\]')


@dataclass(frozen=True)
class Path:
    """A path that has been checked.

    Attributes:
        steps: At least one; the first is a key.
        outer: The path of a value that all this one names is in, which a payload without anything
            else can be read by: the part before the first index.
    """

    text: str
    steps: tuple[Step, ...]
    outer: str

    @classmethod
    def of(cls, given: object, where: str) -> Path:
        """Checks what was given.

        Raises:
            InvalidArgumentError: It is no path.
        """
        check_path(given, where)
        text, steps, outer = str(given), [], ""
        for match in _STEP.finditer(text):
            quoted, bare, index = match.groups()
            if index is None:
                steps.append(bare if quoted is None else quoted)
            else:
                outer = outer or text[: match.start()]
                steps.append(int(index) if index else None)
        return cls(text, tuple(steps), outer or text)

    def values(self, payload: object) -> list[object]:
        """What is there; the elements of an array in its place."""
        found = [payload]
        for step in self.steps:
            if isinstance(step, str):
                found = [one[step] for one in found if isinstance(one, dict) and step in one]
            else:
                lists = [one for one in found if isinstance(one, list)]
                if step is None:
                    found = [element for one in lists for element in one]
                else:
                    found = [one[step] for one in lists if step < len(one)]
        if self.steps[-1] is None:
            return found
        return [element for one in found for element in (one if isinstance(one, list) else [one])]
