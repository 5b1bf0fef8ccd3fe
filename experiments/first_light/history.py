"""Checks kept over days, and what has changed between two of one backend.

Every finished check is a JSON file in the folder ``checks`` beside the job ledger, readable by its
owner alone. Two checks are held against each other circuit by circuit: under one and the same
error, the wrong shots of both are drawn without preference for either (Fisher's exact test), and a
circuit has changed where that has a chance of less than 0.001 over all comparisons.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from scipy.stats import hypergeom

from qbrain.backends.ledger import default_ledger_path

from ..engine.durable import write_whole
from ..engine.progress import tell
from ..errors import RunDirectoryError
from .judging import FALSE_ALARM

__all__ = ["checks_folder", "drift", "history_rows", "in_words", "keep", "kept", "same_error"]

# what reading another file may raise
_DAMAGED = (ValueError, RecursionError, KeyError, TypeError, AttributeError, ArithmeticError)


def checks_folder() -> Path:
    """``checks`` beside the job ledger."""
    return default_ledger_path().parent / "checks"


def keep(record: Mapping[str, Any]) -> Path:
    """Keep a check's record; one that is there already stays as it is.

    Raises ``RunDirectoryError`` where it cannot be written.
    """
    folder = checks_folder()
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in str(record["backend"]))
    when = "".join(c for c in str(record["time"]) if c.isdigit())[:14]
    path = folder / f"{name}-{when}-{record['run']}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            return path
    except OSError as error:
        raise RunDirectoryError(f"{folder}: cannot be written: {error.strerror}") from None

    def fill(part: Path) -> None:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1, allow_nan=False)

    return write_whole(path, fill, folder)


def kept(backend: str | None = None) -> list[dict[str, Any]]:
    """Records of all checks, or of one backend's, oldest first; what cannot be read is told of."""
    found = []
    with suppress(FileNotFoundError):
        for path in sorted(checks_folder().iterdir()):
            if path.suffix != ".json" or path.name.startswith("."):
                continue
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                _row(record, [])
                drift(record, record)
            except OSError as error:
                tell(f"{path} is left out: {error.strerror}")
                continue
            except _DAMAGED:
                tell(f"{path} is left out: it is not the record of a check")
                continue
            if backend is None or record["backend"] == backend:
                found.append(record)
    return sorted(found, key=lambda record: str(record["time"]))


def drift(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Circuits whose error is another one than before, with the chance that it is the same one."""
    old = {row["name"]: row for row in before["checks"]}
    rows = [(old[row["name"]], row) for row in after["checks"] if row["name"] in old]
    found = []
    for was, now in rows:
        chance = same_error(
            (round(was["error"] * was["shots"]), was["shots"]),
            (round(now["error"] * now["shots"]), now["shots"]),
        )
        if chance < FALSE_ALARM / len(rows):
            found.append(
                {"check": now["name"], "before": was["error"], "now": now["error"],
                 "chance": chance}
            )  # fmt: skip
    return found


def same_error(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Chance of a difference at least so unlikely, (wrong, shots) each, if the errors are equal.

    Two-sided: all splits of the wrong shots that are no more likely than the one found.
    """
    (wrong, shots), (others, more) = one, other
    total = wrong + others
    # the smaller tail twice
    at_most = float(hypergeom.cdf(wrong, shots + more, total, shots))
    at_least = float(hypergeom.sf(wrong - 1, shots + more, total, shots))
    return min(1.0, 2 * min(at_most, at_least))


def history_rows(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a check: when, what it said, its numbers, what has changed since the one before."""
    last: dict[str, Mapping[str, Any]] = {}
    rows = []
    for record in records:
        before = last.get(record["backend"])
        rows.append(_row(record, [] if before is None else drift(before, record)))
        last[record["backend"]] = record
    return rows


def _row(record: Mapping[str, Any], changed: list[dict[str, Any]]) -> dict[str, Any]:
    factors = [float(row["factor"]) for row in record["checks"] if row["factor"] is not None]
    return {
        "time": str(record["time"]),
        "backend": str(record["backend"]),
        "verdict": str(record["verdict"]["sentence"]),
        "readout_error": float(record["numbers"]["readout_error"]),
        "gates_factor": record["numbers"]["gates_factor"],
        "two_qubit_error": float(record["numbers"]["two_qubit_error"]),
        "mean_factor": sum(factors) / len(factors) if factors else None,
        "changed": changed,
        "run": str(record["run"]),
    }


def in_words(change: Mapping[str, Any]) -> str:
    """A change, such as ``idle echo 0.040 → 0.090``."""

    return f"{change['check']} {change['before']:.3f} → {change['now']:.3f}"
