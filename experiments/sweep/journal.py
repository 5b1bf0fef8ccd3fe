"""The journal of a sweep: one finished point a line, on disk before more are sent out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..engine.durable import append_line, read_lines
from ..engine.seals import seal, unseal
from ..errors import RunDirectoryError

__all__ = ["DONE", "PointOutcome", "append_outcomes", "read_outcomes"]

Array = NDArray[np.float64]
DONE = "done"


@dataclass(frozen=True)
class PointOutcome:
    """What came of a point.

    Attributes:
        key: of the point.
        status: ``done`` or why it failed.
        series: over time, (times,) each, the times among them as ``time``.
        metrics: one number each, None where there is none.
        final: whether another attempt would end the same way.
    """

    key: str
    status: str
    series: Mapping[str, Array] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    final: bool = True

    def line(self) -> str:
        """The journal's line; series as base64 of little-endian doubles, every bit kept."""
        packed = {
            name: base64.b64encode(np.asarray(values, dtype="<f8").tobytes()).decode()
            for name, values in self.series.items()
        }
        record = {
            **{"point": self.key, "status": self.status},
            **{"metrics": dict(self.metrics), "series": packed},
        }
        return seal(record).decode()

    @classmethod
    def of_line(cls, line: bytes, *, sealed: bool = True) -> PointOutcome:
        """What :meth:`line` gave; ``sealed``: whether there must be a checksum.

        Raises ValueError, KeyError, TypeError, AttributeError or RecursionError if it is no such
        line.
        """
        record = unseal(line, wanted=sealed)
        series = {
            name: np.frombuffer(base64.b64decode(text, validate=True), dtype="<f8")
            for name, text in record["series"].items()
        }
        return cls(str(record["point"]), str(record["status"]), series, dict(record["metrics"]))


def append_outcomes(path: Path, outcomes: Sequence[PointOutcome]) -> None:
    """Add the final ones; on disk when this returns."""
    lines = "".join(outcome.line() for outcome in outcomes if outcome.final)
    append_line(path, lines.encode(), path.parent)


def read_outcomes(path: Path, *, sealed: bool = True) -> dict[str, PointOutcome]:
    """Finished points by key; half a last line (a kill while writing) is cut off.

    ``sealed``: whether every line must have a checksum, which earlier versions did not write.

    Raises ``RunDirectoryError`` for anything else that is not a journal.
    """
    found = {}
    for number, line in enumerate(read_lines(path, path.parent)):
        try:
            outcome = PointOutcome.of_line(line, sealed=sealed)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise RunDirectoryError(
                f"{path}: line {number + 1} is not the record of a point"
            ) from None
        found[outcome.key] = outcome
    return found
