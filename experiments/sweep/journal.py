"""The journal of a sweep: one finished point a line, on disk before more are sent out."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        return json.dumps(record, separators=(",", ":"), allow_nan=False) + "\n"

    @classmethod
    def of_line(cls, line: bytes) -> PointOutcome:
        """Raises ValueError, KeyError, TypeError or AttributeError if it is no such line."""
        record: dict[str, Any] = json.loads(line)
        series = {
            name: np.frombuffer(base64.b64decode(text, validate=True), dtype="<f8")
            for name, text in record["series"].items()
        }
        return cls(str(record["point"]), str(record["status"]), series, dict(record["metrics"]))


def append_outcomes(path: Path, outcomes: Sequence[PointOutcome]) -> None:
    """Add the final ones; on disk when this returns."""
    lines = "".join(outcome.line() for outcome in outcomes if outcome.final)
    with path.open("ab") as handle:
        handle.write(lines.encode())
        handle.flush()
        os.fsync(handle.fileno())


def read_outcomes(path: Path) -> dict[str, PointOutcome]:
    """Finished points by key; half a last line (a kill while writing) is cut off.

    Raises ``RunDirectoryError`` for anything else that is not a journal.
    """
    if not path.exists():
        return {}
    raw = path.read_bytes()
    whole, _, rest = raw.rpartition(b"\n")
    found = {}
    for number, line in enumerate(whole.split(b"\n") if whole else []):
        try:
            outcome = PointOutcome.of_line(line)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RunDirectoryError(
                f"{path}: line {number + 1} is not the record of a point"
            ) from None
        found[outcome.key] = outcome
    if rest:
        with path.open("r+b") as handle:
            handle.truncate(len(raw) - len(rest))
    return found
