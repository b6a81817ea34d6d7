"""The text format in which Prometheus collects metrics, version 0.0.4."""

from __future__ import annotations

from itertools import accumulate

from asyncstore.models import DurationHistogram

MEDIA_TYPE = "text/plain; version=0.0.4"


class Exposition:
    """Families of samples, each with what it is and what it means before it."""

    def __init__(self) -> None:
        """Nothing has been told yet."""
        self._lines: list[str] = []

    def family(self, name: str, kind: str, meaning: str) -> None:
        """Begins a family; its samples come next.

        Args:
            name: With the unit last, and ``_total`` behind it if it is a counter.
            kind: counter, gauge or histogram.
            meaning: One line.
        """
        self._lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]

    def sample(self, name: str, value: float, /, **labels: str) -> None:
        """One number of the family."""
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        self._lines.append(f"{name}{{{told}}} {value!r}" if told else f"{name} {value!r}")

    def histogram(self, name: str, histogram: DurationHistogram, /, **labels: str) -> None:
        """All samples of one histogram of the family: how many up to each bound, and the sum."""
        up_to = list(accumulate(histogram.counts))
        for bound, count in zip(histogram.bounds_s, up_to, strict=False):
            self.sample(f"{name}_bucket", count, **labels, le=repr(bound))
        self.sample(f"{name}_bucket", up_to[-1], **labels, le="+Inf")
        self.sample(f"{name}_sum", histogram.sum_s, **labels)
        self.sample(f"{name}_count", up_to[-1], **labels)

    def text(self) -> str:
        """All of it."""
        return "\n".join(self._lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
